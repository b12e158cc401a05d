"""Ten times as long a text takes about ten times as long, whatever it consists of.

While a pattern is looked for, no other thread of a worker runs, the one that keeps its leases
included. So a model, or a document, must not be able to write what takes the square of its length.
"""

import time
from collections.abc import Callable

import pytest

from flotilla.rag.context import cut_at_sentence
from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.injections import addresses_model
from flotilla.rag.followups import standalone
from flotilla.rag.llm.structured import NotOfTheForm, _json_in
from flotilla.rag.reading import Reading
from flotilla.rag.rewriting import messages
from flotilla.rag.text.asked import parts
from flotilla.rag.text.sentences import split
from tests.unit.rag.conftest import make_passage
from tests.unit.rag.turns import turn, turns

MOST = 40
"""Times as long as a tenth of it a text may take: linear is 10, the square is 100."""


def read(text: str, piece: int) -> None:
    reading = Reading([make_passage("The yard is closed on Sundays.")])
    for start in range(0, len(text), piece):
        reading.feed(text[start : start + piece])
    reading.finish()


def at_once(text: str) -> None:
    read(text, len(text))


def by_character(text: str) -> None:
    read(text, 1)


def parse(text: str) -> None:
    with pytest.raises(NotOfTheForm):
        _json_in(f"```json\n{text}")


def cut(text: str) -> None:
    cut_at_sentence(text, 5, lambda texts: [len(each) for each in texts])


def growth(work: Callable[[str], object], unit: str, length: int) -> float:
    """How many times as long the work on a text takes as on a tenth of it: the best of three."""
    short, long = ((unit * n)[:n] + "x" for n in (length // 10, length))
    work("x")  # imports what it needs
    least = [float("inf"), float("inf")]
    for _ in range(3):
        for place, text in enumerate((short, long)):
            began = time.thread_time()
            work(text)
            least[place] = min(least[place], time.thread_time() - began)
        if least[1] < MOST * least[0]:
            break
    return least[1] / least[0]


@pytest.mark.parametrize(
    "unit", [" ", "\n", "\t\n", "[", "[ ", "[1,", "<", "!", "*", "1", "-", "a "]
)
def test_of_a_reply_that_comes_at_once(unit: str) -> None:
    assert growth(at_once, unit, 20_000) < MOST


@pytest.mark.parametrize(
    "unit",
    [" ", "\n", "\n[7]", "[", "[1, ", "*", "[x]:", "http", "\u200c", "a.", "a.com/", "_", "&", "`"],
)
def test_of_a_reply_that_comes_by_characters(unit: str) -> None:
    assert growth(by_character, unit, 10_000) < MOST


def test_of_a_link_that_is_begun_again_and_again() -> None:
    # Long enough that none of it is held back for its length any more.
    assert growth(by_character, "[a](", 30_000) < MOST


@pytest.mark.parametrize(
    ("work", "unit"),
    [
        (addresses_model, "\n"),
        (addresses_model, "\n-"),
        (lambda text: candidates([make_passage(text)]), "\n-"),
        (lambda text: split(f"|{text}"), "-"),
        (cut, "."),
        (parts, " "),
        (lambda text: standalone(turns("What is a car?"), f"on a {text}"), " "),
        (lambda text: messages([turn("Why?", text)], "And?"), " "),
        (parse, "\n"),
    ],
    ids=lambda each: repr(each) if isinstance(each, str) else "",
)
def test_of_what_documents_people_and_judges_write(
    work: Callable[[str], object], unit: str
) -> None:
    assert growth(work, unit, 20_000) < MOST
