import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from flotilla.document.splitter import SectionSplitter
from flotilla.document.tokens import TokenizerCounter, load_tokenizer
from flotilla.errors import ConfigurationError, ModelMissing
from flotilla.models import PAGE_BREAK, Chunk, Heading, Page, chunk_id


def words(text: str) -> int:
    return len(text.split())


def split(pages: list[Page], *, size: int = 40, overlap: int = 8, count=words) -> list[Chunk]:
    splitter = SectionSplitter(count, chunk_tokens=size, overlap=overlap)
    chunks = list(splitter.split(pages, document_id="d", version_id="v"))
    document = PAGE_BREAK.join(page.text for page in pages)
    for number, chunk in enumerate(chunks):
        assert chunk.text == document[chunk.start : chunk.end]
        assert chunk.text == chunk.text.strip() != ""
        assert chunk.tokens <= size
        assert chunk.position == number
        assert chunk.id == chunk_id("d", "v", number)
    covered = set().union(*(range(chunk.start, chunk.end) for chunk in chunks))
    assert all(char.isspace() for at, char in enumerate(document) if at not in covered)
    return chunks


def sentence(length: int, seed: int) -> str:
    pick = random.Random(seed)
    letters = ["".join(pick.choices("abcdefgh", k=4)) for _ in range(length)]
    return " ".join(letters).capitalize() + "."


def prose(sentences: int, length: int = 8, seed: int = 0) -> str:
    return " ".join(sentence(length, seed * 1000 + n) for n in range(sentences))


def with_headings(number: int | None, *parts: tuple[int, str, str]) -> Page:
    """A page of (level, title, body)."""
    text, headings = "", []
    for level, title, body in parts:
        headings.append(Heading(offset=len(text), level=level, title=title))
        text += f"{title}\n\n{body}\n\n"
    return Page(number=number, text=text.rstrip(), headings=tuple(headings))


def test_a_short_document_is_one_chunk() -> None:
    (chunk,) = split([Page(number=None, text=" Just this. ")])
    assert (chunk.text, chunk.page_start, chunk.page_end, chunk.tokens) == (
        "Just this.",
        None,
        None,
        2,
    )


def test_sentences_stay_whole() -> None:
    for chunk in split([Page(number=1, text=prose(30))]):
        assert chunk.text[0].isupper()
        assert chunk.text.endswith(".")


def test_neighbours_in_a_section_share_a_whole_sentence() -> None:
    chunks = split([Page(number=1, text=prose(30))])
    assert len(chunks) > 3
    for before, after in pairwise(chunks):
        shared = before.end - after.start
        assert shared > 0
        assert words(before.text[-shared:]) <= 8


def test_nothing_is_shared_across_sections() -> None:
    page = with_headings(1, (1, "One", prose(3, seed=1)), (1, "Two", prose(3, seed=2)))
    one, two = split([page])
    assert one.end <= two.start
    assert two.text.startswith("Two")


def test_each_chunk_knows_its_headings() -> None:
    page = with_headings(
        None,
        (1, "Book", prose(3, seed=1)),
        (2, "Part", prose(3, seed=2)),
        (3, "Detail", prose(3, seed=3)),
        (2, "Other", prose(3, seed=4)),
    )
    assert [chunk.heading_path for chunk in split([page])] == [
        ("Book",),
        ("Book", "Part"),
        ("Book", "Part", "Detail"),
        ("Book", "Other"),
    ]


def test_no_chunk_is_a_bare_heading() -> None:
    page = with_headings(
        1,
        (1, "Book", ""),
        (2, "Part", ""),
        (3, "Long", prose(20, seed=1)),
        (2, "Next", prose(4, seed=2)),
        (1, "Last", ""),
    )
    chunks = split([page])
    assert chunks[0].text.startswith("Book\n\n\n\nPart\n\n\n\nLong\n\n")
    assert chunks[0].heading_path == ("Book", "Part", "Long")
    for chunk in chunks:
        assert words(chunk.text) > 4


def test_a_tiny_section_joins_the_next() -> None:
    page = with_headings(1, (1, "Note", "Brief."), (1, "Body", prose(3)))
    (chunk,) = split([page])
    assert chunk.heading_path == ("Body",)


def test_a_sentence_across_pages_stays_whole() -> None:
    first, second = prose(3), prose(3, seed=1)
    half = "This one goes on", "behind the end of the page."
    pages = [
        Page(number=1, text=f"{first} {half[0]}"),
        Page(number=2, text=""),
        Page(number=3, text=f"{half[1]} {second}"),
    ]
    across = [chunk for chunk in split(pages) if half[0] in chunk.text]
    assert any(half[1] in chunk.text for chunk in across)
    assert any((chunk.page_start, chunk.page_end) == (1, 3) for chunk in across)


def test_pages_of_a_chunk_are_those_of_its_text() -> None:
    pages = [Page(number=n, text=prose(6, seed=n)) for n in range(1, 6)]
    starts, at = {}, 0
    for page in pages:
        starts[page.number] = at
        at += len(page.text) + len(PAGE_BREAK)
    for chunk in split(pages):
        assert starts[chunk.page_start] <= chunk.start
        assert chunk.end <= starts[chunk.page_end] + len(pages[chunk.page_end - 1].text)


def test_numbered_items_keep_their_number() -> None:
    text = "\n".join(f"{n}. {sentence(7, n)}" for n in range(1, 30))
    for chunk in split([Page(number=1, text=text)], overlap=0):
        assert chunk.text[0].isdigit()
        assert chunk.text[-3:-1].isalpha()


def test_a_word_longer_than_a_chunk_is_cut() -> None:
    chunks = split([Page(number=1, text="x" * 500)], size=40, overlap=0, count=len)
    assert len(chunks) == 13


def test_a_counter_that_misjudges_words_never_exceeds_the_size() -> None:
    class Optimist:
        def quick(self, text: str) -> int:
            return words(text) // 2

        def exact(self, texts):
            return [words(text) for text in texts]

    split([Page(number=1, text=prose(40))], count=Optimist())


def test_pages_stream_through_in_bounded_memory() -> None:
    taken = 0

    def book():
        nonlocal taken
        for number in range(1, 2001):
            taken = number
            yield Page(number=number, text=prose(10, seed=number))

    splitter = SectionSplitter(words, chunk_tokens=200, overlap=20)
    first = next(splitter.split(book(), document_id="d", version_id="v"))
    assert first.page_start == 1
    assert taken < 300


def test_a_long_stretch_without_headings_overlaps_throughout() -> None:
    chunks = split(
        [Page(number=n, text=prose(40, seed=n)) for n in range(1, 60)], size=200, overlap=20
    )
    assert chunks[-1].end > 80_000
    assert all(a.end > b.start for a, b in pairwise(chunks))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(alphabet="ab .\n|A1", max_size=200),
            st.lists(st.tuples(st.integers(0, 220), st.integers(1, 4)), max_size=4),
        ),
        max_size=6,
    )
)
def test_any_pages_are_split_without_loss(drawn) -> None:
    pages = [
        Page(
            number=number,
            text=text,
            headings=tuple(Heading(offset=o, level=k, title="a b") for o, k in sorted(headings)),
        )
        for number, (text, headings) in enumerate(drawn, start=1)
    ]
    if any(page.text.strip() for page in pages):
        split(pages, size=16, overlap=4)


def test_tokens_are_the_tokenizers(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=5)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    text = "Well, isn't it? " * 30
    counter = TokenizerCounter(load_tokenizer(tmp_path))
    assert counter.quick(text) == counter.exact([text])[0] == 210
    chunks = split([Page(number=1, text=text)], count=tmp_path)
    assert [chunk.tokens for chunk in chunks] == counter.exact([chunk.text for chunk in chunks])


def test_a_folder_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        load_tokenizer(tmp_path)


def test_an_overlap_of_more_than_half_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match="FLOTILLA_DOCUMENT_CHUNK_OVERLAP"):
        SectionSplitter(words, chunk_tokens=40, overlap=21)
