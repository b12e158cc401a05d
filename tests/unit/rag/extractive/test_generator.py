import pytest

from flotilla.rag.citations import verify
from flotilla.rag.extractive.generator import EMBEDDED, ExtractiveGenerator
from flotilla.rag.refusals import NOT_FOUND
from tests.unit.rag.conftest import MakePassage, WordEmbedder

WARRANTY = (
    "Warranty\nThe warranty lasts twelve months from delivery. Tyres and brake pads are wear "
    "parts and are not covered."
)
HOURS = """\
| Day | Opens | Closes |
|---|---|---|
| Saturday | 10:00 | 14:00 |
| Monday | 9:00 | 18:00 |"""
TRADE_IN = "Trade-in papers to bring:\n- the registration certificate\n- both keys"


def test_the_sentence_that_answers_is_cited_word_for_word(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    passages = [passage(HOURS, 0), passage(WARRANTY, 1)]
    draft = ExtractiveGenerator(embedder).generate("How long does the warranty last?", passages)
    assert draft.answerable
    assert draft.model == "extractive"
    assert draft.text == "The warranty lasts twelve months from delivery. [1]"
    assert verify(draft.citations, passages) == draft.citations
    assert draft.citations[0].page_start == 2


def test_an_answer_in_a_table_is_the_row_with_its_header(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    draft = ExtractiveGenerator(embedder).generate(
        "When does it open on Saturday?", [passage(HOURS)]
    )
    assert draft.text == "Day: Saturday; Opens: 10:00; Closes: 14:00 [1]"
    assert draft.citations[0].quote == "| Saturday | 10:00 | 14:00 |"


def test_an_answer_that_is_a_list_has_its_items(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    draft = ExtractiveGenerator(embedder).generate(
        "What papers do I bring for a trade-in?", [passage(TRADE_IN)]
    )
    assert draft.text == f"{TRADE_IN} [1]"
    assert draft.citations[0].quote == TRADE_IN


def test_nothing_near_is_no_answer(embedder: WordEmbedder, passage: MakePassage) -> None:
    draft = ExtractiveGenerator(embedder).generate(
        "Who is the president of France?", [passage(HOURS, 0), passage(WARRANTY, 1)]
    )
    assert not draft.answerable
    assert draft.text == NOT_FOUND["en"]
    assert draft.citations == ()


def test_passages_without_a_sentence_are_no_answer(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    generator = ExtractiveGenerator(embedder)
    for text in (" \n ", "|---|---|", "? ! ..."):
        assert not generator.generate("Warranty?", [passage(text)]).answerable


def test_a_sentence_that_two_chunks_share_is_said_once(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    sentence = "The warranty lasts twelve months from delivery."
    passages = [
        passage(f"Cars are inspected. {sentence}", 0),
        passage(f"{sentence} Keys are handed over.", 1),
        passage(sentence, 2, document_id="document-b", document_name="flyer.pdf"),
    ]
    draft = ExtractiveGenerator(embedder).generate("How long does the warranty last?", passages)
    assert draft.text.count("twelve months") == 1


def test_sentences_stand_in_reading_order_and_refer_to_what_is_before_them(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = "The valuation costs nothing. It is a valuation that lasts seven days."
    draft = ExtractiveGenerator(embedder).generate(
        "How many days does the valuation last?", [passage(text)]
    )
    assert draft.text == (
        "The valuation costs nothing. [1] It is a valuation that lasts seven days. [2]"
    )


def test_a_few_sentences_are_embedded_however_long_the_passages(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    long = " ".join(f"Sentence number {n} is about the warranty." for n in range(100))
    ExtractiveGenerator(embedder).generate("Which warranty?", [passage(long, n) for n in range(5)])
    assert len(embedder.embedded) <= EMBEDDED


def test_brackets_of_the_source_are_not_taken_for_citations(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    draft = ExtractiveGenerator(embedder).generate(
        "How long does the warranty last?",
        [passage("The warranty lasts twelve months [7], as agreed.")],
    )
    assert draft.text == "The warranty lasts twelve months, as agreed. [1]"
    assert "[7]" in draft.citations[0].quote


def test_a_row_in_a_later_chunk_has_the_header_of_its_table(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    section = {"heading_path": ("Hours", "Showroom")}
    later = passage("| Sunday | 11:00 | 12:00 |", 1, **section)
    for first in (later, passage(HOURS, 0, **section)):
        second = passage(HOURS, 0, **section) if first is later else later
        draft = ExtractiveGenerator(embedder).generate("Open on Sunday?", [first, second])
        assert "Day: Sunday; Opens: 11:00; Closes: 12:00" in draft.text


def test_a_question_of_two_parts_has_a_sentence_for_each(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    passages = [
        passage("The deposit for a reservation of a car is £250. Nothing else is due.", 0),
        passage("The workshop opens on weekdays at half past seven.", 1),
    ]
    draft = ExtractiveGenerator(embedder, threshold=0).generate(
        "What is the deposit for a reservation of a car, and when does the workshop open?", passages
    )
    assert "£250" in draft.text
    assert "half past seven" in draft.text


def test_a_part_whose_sentence_answers_another_part_has_the_next(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    texts = (
        "The warranty can be extended for £245, to last one year.",
        "Our house warranty lasts six months.",
        "Tyres and bulbs are wear parts.",
    )
    draft = ExtractiveGenerator(embedder).generate(
        "How long does the warranty last, and how much does it cost to have it extended a year?",
        [passage(text, i) for i, text in enumerate(texts)],
    )
    assert draft.text == f"{texts[0]} [1] {texts[1]} [2]"


def test_questions_titles_and_announcements_are_no_answers(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = (
        "How long does the warranty last on used cars here? The warranty covers the following:\n\n"
        "Warranty Extensions And Fees\n\nThe warranty lasts twelve months."
    )
    draft = ExtractiveGenerator(embedder, threshold=0).generate(
        "How long does the warranty last?", [passage(text)]
    )
    assert draft.text == "The warranty lasts twelve months. [1]"


def test_a_title_in_capitals_stands_behind_what_says_something(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = (
        "STATUTES OF THE ROWING CLUB\nas adopted in May 2011\n\nArticle 1. Name\n"
        "The rowing club has statutes and is called Ravensbourne Rowing Club."
    )
    draft = ExtractiveGenerator(embedder).generate(
        "What are the statutes of the rowing club called?", [passage(text)]
    )
    assert draft.text.startswith("The rowing club has statutes")
    assert "STATUTES" not in draft.text


def test_what_an_answer_quotes_loads_nothing(embedder: WordEmbedder, passage: MakePassage) -> None:
    text = "The warranty lasts twelve months ![seal](https://evil.example/seal.png) in all."
    draft = ExtractiveGenerator(embedder, threshold=0).generate(
        "How long does the warranty last?", [passage(text)]
    )
    assert draft.text == "The warranty lasts twelve months seal in all. [1]"
    assert draft.citations[0].quote == text


def test_a_table_below_a_question_answers_with_the_row_that_is_asked_for(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    table = "| Desk | Extension |\n|---|---|\n| Sales | 201 |\n| Accounts | 233 |"
    draft = ExtractiveGenerator(embedder).generate(
        "What is the extension of accounts?", [passage(f"## Whom do I ring?\n\n{table}")]
    )
    assert draft.text == "Desk: Accounts; Extension: 233 [1]"


def test_a_refusal_keeps_to_the_question_s_language(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    draft = ExtractiveGenerator(embedder).generate("Wer ist der Präsident?", [passage(HOURS)])
    assert draft.text == NOT_FOUND["de"]


def test_lines_beside_the_one_that_is_asked_for_are_left_out(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    workshop = "Saturday   8:00 to 12:30, tyres, wipers, bulbs, brakes, oil and other repairs only"
    hours = f"Showroom\n  Saturday   9:00\n  Sunday   closed\n\nWorkshop\n  {workshop}"
    draft = ExtractiveGenerator(embedder, threshold=0).generate(
        "Is the workshop open on Saturday?", [passage(hours)]
    )
    assert " ".join(draft.citations[0].quote.split()) == " ".join(workshop.split())
    assert len(draft.citations) == 1


def test_a_day_of_the_year_is_found_by_whatever_name(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    text = "The house is old. The house rests from 23 December to 1 January. We open at nine."
    draft = ExtractiveGenerator(embedder, threshold=0).generate(
        "Is the house open on New Year's Eve?", [passage(text)]
    )
    assert draft.text == "The house rests from 23 December to 1 January. [1]"


def test_words_of_an_earlier_question_do_not_choose_the_sentence(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    plants = passage("The silver birch has a price of £38.\n\nThe yew has a price of £27.")
    draft = ExtractiveGenerator(embedder, threshold=0).generate(
        "And the yew? (silver birch price)", [plants], own="And the yew?"
    )
    assert draft.text == "The yew has a price of £27. [1]"


def test_words_of_an_earlier_question_choose_where_its_own_do_not(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    deposits = passage(
        "For a bicycle the deposit is £50.\n\nFor a van the deposit is £500.\n\n"
        "For a trailer the deposit is £90."
    )
    draft = ExtractiveGenerator(embedder, threshold=0).generate(
        "What is the deposit? (van)", [deposits], own="What is the deposit?"
    )
    assert "£500" in draft.text


def test_words_of_an_earlier_question_make_no_answer(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    asked = "And dogs? (warranty months delivery)"
    generator = ExtractiveGenerator(embedder)
    assert generator.generate(asked, [passage(WARRANTY)]).answerable
    assert not generator.generate(asked, [passage(WARRANTY)], own="And dogs?").answerable


@pytest.mark.parametrize(
    ("question", "text", "answer"),
    [
        (
            "What replaces the option --fast?",
            "- The option --fast was removed. Use --level 1 there.\n- The file moved.",
            "The option --fast was removed. [1] Use --level 1 there. [2]",
        ),
        (
            "Does the warranty cover tyres?",
            "The warranty covers tyres. However, worn ones are left out. Ask at the desk.",
            "The warranty covers tyres. [1] However, worn ones are left out. [2]",
        ),
        (
            "Which warranty covers tyres?",
            "The warranty covers tyres. Ask at the desk.",
            "The warranty covers tyres. [1]",
        ),
        (
            "What should I do before the warranty ends?",
            "The warranty ends after a year.\n\nBring the car.",
            "The warranty ends after a year. [1]",
        ),
    ],
)
def test_what_restricts_a_sentence_or_tells_what_to_do_stands_behind_it(
    question: str, text: str, answer: str, embedder: WordEmbedder, passage: MakePassage
) -> None:
    draft = ExtractiveGenerator(embedder, threshold=0).generate(question, [passage(text)])
    assert draft.text == answer


def test_a_german_question_finds_other_forms_of_its_words(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    rules = "Hausordnung\nZwischen eins und drei ist Ruhe zu halten. Für Hunde ist Erlaubnis nötig."
    draft = ExtractiveGenerator(embedder, threshold=0).generate(
        "Darf ich einen Hund halten?", [passage(rules)]
    )
    assert draft.text.startswith("Für Hunde ist Erlaubnis nötig. [1]")
