import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flotilla.rag.llm.continuation import FEWEST, Continuation

SO_FAR = "The yard opens at nine o'clock [1]. On Sundays it is clo"


def joined(so_far: str, *deltas: str) -> str:
    """The whole text as a reader sees it."""
    continuation = Continuation(so_far)
    shown = [continuation.feed(delta) for delta in deltas]
    return so_far + "".join(shown) + continuation.finish()


@pytest.mark.parametrize(
    ("so_far", "new", "whole"),
    [
        # It goes on where the text stops, in a word or behind one.
        (SO_FAR, "sed [2].", SO_FAR + "sed [2]."),
        ("The yard opens", " at nine.", "The yard opens at nine."),
        ("The yard opens ", "at nine.", "The yard opens at nine."),
        ("One.\n\n", "Two.", "One.\n\nTwo."),
        # It begins from the very start.
        (SO_FAR, SO_FAR + "sed [2].", SO_FAR + "sed [2]."),
        (SO_FAR, "\n\n" + SO_FAR + "sed [2].", SO_FAR + "sed [2]."),
        ("Opens at\nnine", "Opens at nine daily", "Opens at\nnine daily"),
        ("At", "At nine.", "At nine."),
        ("I", "I do.", "I do."),
        # It repeats the last words, or the word that broke off.
        (SO_FAR, "On Sundays it is closed [2].", SO_FAR + "sed [2]."),
        (SO_FAR, "it is closed.", SO_FAR + "sed."),
        (SO_FAR, "closed.", SO_FAR + "sed."),
        ("The yard opens at nine ", "at nine o'clock", "The yard opens at nine o'clock"),
        ("It costs 12 euros [1]", "[1]. It is due [2].", "It costs 12 euros [1]. It is due [2]."),
        # What is alike by chance is no repetition.
        ("In 2", "2 days", "In 22 days"),
        ("again and", " again and again", "again and again and again"),
        ("He said that", " that is so", "He said that that is so"),
        ("a b c a b", " d", "a b c a b d"),
    ],
)
def test_the_text_goes_on_once(so_far: str, new: str, whole: str) -> None:
    assert joined(so_far, new) == whole
    assert joined(so_far, *new) == whole  # a character at a time
    assert joined(so_far, *re.findall(r"\s*\S+|\s+\Z", new)) == whole


AROUND = "Vans get three months of warranty. The yard is closed on Sundays, and on 2 days in May."


@pytest.mark.parametrize(
    ("so_far", "new", "whole"),
    [
        ("Vans get", "three months [1].", "Vans get three months [1]."),
        ("Vans get three", "months.", "Vans get three months."),
        ("Vans g", "et three", "Vans get three"),
        ("It is clo", "sed.", "It is closed."),
        ("It is clo", "closed.", "It is closed."),
        ("The war", "ranty lasts", "The warranty lasts"),
        ("They obtain", "Three", "They obtain Three"),
        ("In 2", "2 days", "In 22 days"),
        ("They obtain", "ed it", "They obtained it"),
        ("Vans get", " three", "Vans get three"),
        ("Vans get", "", "Vans get"),
    ],
)
def test_a_word_and_another_are_not_run_together(so_far: str, new: str, whole: str) -> None:
    for pieces in ([new], list(new)):
        continuation = Continuation(so_far, lambda: AROUND)
        shown = "".join(continuation.feed(piece) for piece in pieces) + continuation.finish()
        assert so_far + shown == whole


def test_a_reply_that_only_repeats_adds_nothing() -> None:
    assert joined(SO_FAR, SO_FAR) == SO_FAR
    assert joined(SO_FAR, "it is clo") == SO_FAR
    assert joined(SO_FAR, "The yard opens at nine o'clock") == SO_FAR  # and left off
    assert joined(SO_FAR, "") == SO_FAR


def test_a_short_beginning_that_is_alike_by_chance_is_kept_at_the_end() -> None:
    assert joined("No. It is closed. ", "No.") == "No. It is closed. No."


def test_text_is_shown_as_soon_as_it_can_be_no_repetition() -> None:
    continuation = Continuation(SO_FAR)
    assert continuation.feed("sed") == "sed"
    assert continuation.feed(" [2].") == " [2]."
    repeating = Continuation(SO_FAR)
    assert repeating.feed("it is") == ""
    assert repeating.feed(" closed") == "sed"
    assert repeating.feed(" it is") == " it is"


def test_without_a_text_so_far_all_is_shown_at_once() -> None:
    continuation = Continuation("")
    assert continuation.feed(" a") == " a"
    assert continuation.feed("b") == "b"
    assert continuation.finish() == ""


texts = st.text(alphabet="abc .\n", max_size=60)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in itertools.pairwise(places)]


@given(texts, texts, st.lists(st.integers(0, 60), max_size=8))
@example("aab", "aab", [1])
def test_how_a_text_is_cut_into_pieces_makes_no_difference(
    so_far: str, new: str, cuts: list[int]
) -> None:
    assert joined(so_far, *pieces_of(new, cuts)) == joined(so_far, new)


@given(texts, texts)
def test_what_is_shown_is_the_end_of_the_new_text(so_far: str, new: str) -> None:
    """Nothing is made up or reordered, and what is left out stands in the text so far."""
    shown = joined(so_far, new)[len(so_far) :]
    assert new.endswith(shown)
    left_out = "".join(new[: len(new) - len(shown)].split())
    assert left_out in "".join(so_far.split())


words = st.lists(st.integers(100, 999), min_size=1, max_size=30, unique=True)


@given(words, st.data())
def test_a_text_cut_anywhere_is_whole_again_whichever_way_it_goes_on(
    numbers: list[int], data: st.DataObject
) -> None:
    """Over texts of unlike words, in which nothing is alike by chance."""
    whole = " ".join(f"word{number}" for number in numbers)
    place = data.draw(st.integers(1, len(whole)))
    so_far = whole[:place]
    assert joined(so_far, *whole[place:]) == whole
    assert joined(so_far, *whole) == whole
    starts = [m.start() for m in re.finditer(r"\S+", so_far)]
    repeated = data.draw(st.sampled_from(starts)) if starts else 0
    if len("".join(so_far[repeated:].split())) >= FEWEST:
        assert joined(so_far, *whole[repeated:]) == whole
