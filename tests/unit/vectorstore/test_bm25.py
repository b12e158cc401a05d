import pytest

from flotilla.vectorstore.bm25 import (
    STOPWORDS,
    USUAL_LENGTH,
    Bm25Encoder,
    SparseVector,
    average_length,
)
from flotilla.vectorstore.spellings import one_spelling


@pytest.fixture(scope="module")
def bm25() -> Bm25Encoder:
    return Bm25Encoder()


def weight(passage: SparseVector, query: SparseVector) -> float:
    weights = dict(zip(passage.indices, passage.values, strict=True))
    return sum(weights.get(index, 0.0) for index in query.indices)


def test_words_meet_whatever_their_ending_and_case(bm25: Bm25Encoder) -> None:
    passage = bm25.encode_passages(["Leases expired"])[0]
    assert weight(passage, bm25.encode_query("which LEASE is expiring?")) > 0
    assert weight(passage, bm25.encode_query("which queue?")) == 0


@pytest.mark.parametrize(
    ("passage", "query"),
    [
        ("Telephone: 01632 960 481", "What is your phone number?"),
        ("Tel. 01632 960 481", "telephone"),
        ("E-mail: desk@example.com", "email"),
        ("The organisation prioritised it", "prioritizing organizations"),
        ("a driving licence", "license"),
        ("cancelled at the centre", "canceled center"),
        ("we analysed the colour", "analyze colors"),
    ],
)
def test_words_meet_in_either_spelling(bm25: Bm25Encoder, passage: str, query: str) -> None:
    asked = bm25.encode_query(query)
    found = set(bm25.encode_passages([passage])[0].indices)
    assert len(found & set(asked.indices)) >= len(asked.indices) - 1
    assert found & set(asked.indices)


@pytest.mark.parametrize(
    ("passage", "query"),
    [
        ("les e\u0301tudiants", "étudiants"),
        ("A menu at the café", "cafe menu"),
        ("Straße hinter der Mühle", "strasse muhle"),
        ("Smørrebrød i Łódź", "smorrebrod lodz"),
        ("the o\ufb03ce keeps \ufb01les", "office files"),
        ("ＡＢＣ１２３", "abc123"),
        ("super\u00adintendent, cup\u200bboard", "superintendent cupboard"),
        ("Flotilla™ of boats", "flotilla boats"),
        ("set max_tokens=959", "max tokens 959"),
        ("the max tokens are 959", "max_tokens"),
        ("访客可以在停车场停车", "停车场"),
        ("駐車場は水車小屋の裏にあります", "駐車場"),
        ("주차장은 방앗간 뒤에 있습니다", "주차장"),
        ("ที่จอดรถอยู่หลังโรงสี", "ที่จอดรถ"),
        ("हिन्दी में जानकारी", "हिन्दी"),
        ("كِتَاب", "كتاب"),
    ],
)
def test_words_meet_in_any_script(bm25: Bm25Encoder, passage: str, query: str) -> None:
    asked = set(bm25.encode_query(query).indices)
    assert asked
    assert asked <= set(bm25.encode_passages([passage])[0].indices)


@pytest.mark.parametrize(
    ("one", "other"), [("かき", "がき"), ("हिन्दी", "ह"), ("停车场", "停"), ("渡轮", "轮渡")]
)
def test_other_words_do_not_meet(bm25: Bm25Encoder, one: str, other: str) -> None:
    asked = set(bm25.encode_query(other).indices)
    assert not asked & set(bm25.encode_passages([one])[0].indices)


def test_one_sign_is_a_word_and_names_of_latin_letters_stay_whole(bm25: Bm25Encoder) -> None:
    assert bm25.terms(["船"]) == [["船"]]
    assert bm25.terms(["用API连接v2"]) == [["用", "api", "连接", "v2"]]


@pytest.mark.parametrize("word", ["promise", "exercise", "advise", "rise", "hotel", "checking"])
def test_other_words_stay_as_they_are(word: str) -> None:
    assert one_spelling(word) == word


def test_weights_are_the_formula_of_bm25(bm25: Bm25Encoder) -> None:
    # Four words, the average: tf·(k1+1)/(tf+k1) with k1 = 1.2.
    passage = bm25.encode_passages(["queue queue worker ledger"], 4.0)[0]
    assert weight(passage, bm25.encode_query("queue")) == pytest.approx(2 * 2.2 / (2 + 1.2))
    assert weight(passage, bm25.encode_query("worker")) == pytest.approx(1.0)


def test_a_longer_passage_weighs_its_words_less(bm25: Bm25Encoder) -> None:
    texts = ["queue worker", "queue worker ledger fence broker blob"]
    short, long = bm25.encode_passages(texts, 4.0)
    query = bm25.encode_query("queue")
    assert weight(short, query) > 1.0 > weight(long, query)


def test_passages_of_the_average_length_weigh_the_same_whatever_it_is(bm25: Bm25Encoder) -> None:
    query = bm25.encode_query("queue")
    texts = ["queue worker ledger", "the queue and the worker, a ledger of fences and the broker"]
    lengths = [len(terms) for terms in bm25.terms(texts)]
    assert lengths == [3, 5]
    for text, length in zip(texts, lengths, strict=True):
        (passage,) = bm25.encode_passages([text], float(length))
        assert weight(passage, query) == pytest.approx(1.0)


def test_the_average_goes_from_a_guess_to_what_the_collection_holds() -> None:
    assert average_length(0, 0) == USUAL_LENGTH
    assert average_length(30 * 100_000, 100_000) == pytest.approx(30, abs=0.1)
    assert 30 < average_length(30 * 100, 100) < USUAL_LENGTH


@pytest.mark.parametrize("text", ["", "...", "what is it about?", "don't", " ".join(STOPWORDS)])
def test_nothing_but_stopwords_gives_an_empty_vector(bm25: Bm25Encoder, text: str) -> None:
    assert bm25.encode_query(text) == SparseVector([], [])
    assert bm25.encode_passages([text]) == [SparseVector([], [])]


@pytest.mark.parametrize("word", ["not", "no", "never", "may", "us"])
def test_words_that_may_matter_are_kept(bm25: Bm25Encoder, word: str) -> None:
    assert len(bm25.encode_query(word).indices) == 1
