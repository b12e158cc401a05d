import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flotilla.rag.llm.thoughts import ThoughtFilter, without


def filtered(*pieces: str, goes_on: bool = False) -> str:
    thoughts = ThoughtFilter(goes_on=goes_on)
    return "".join(thoughts.feed(piece) for piece in pieces) + thoughts.finish()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("At nine.", "At nine."),
        ("<think>Is it [2]?</think>\n\nAt nine.", "At nine."),
        ("\n<think></think>At nine.", "At nine."),
        ("At <think>hm</think>nine.", "At nine."),
        ("<think>a</think><think>b</think> c", "c"),
        ("<think>never closed", ""),
        ("a < b <thin> <think", "a < b <thin> <think"),
        ("x <th<think>y</think>z", "x <thz"),
    ],
)
def test_thoughts_are_left_out_however_they_are_cut(text: str, shown: str) -> None:
    assert filtered(text) == shown
    assert filtered(*text) == shown
    assert without(text) == shown


def test_a_text_that_goes_on_keeps_its_first_space_but_not_that_behind_thoughts() -> None:
    assert filtered(" at", " nine", goes_on=True) == " at nine"
    assert filtered("<think>x</think>\n\n", "at", goes_on=True) == "at"


def test_thoughts_whose_opening_tag_was_in_the_prompt() -> None:
    assert without("Is it [2]?</think>\n\nAt nine.") == "At nine."


def test_white_space_of_a_text_without_thoughts_is_left_alone() -> None:
    assert without("  indented\n") == "  indented\n"


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "th", "a", " "]), max_size=12))
def test_a_stream_shows_what_the_whole_text_shows(parts: list[str]) -> None:
    text = "".join(parts)
    opened = re.sub(r"<think>.*?(?:</think>|\Z)", "\0", text, flags=re.DOTALL)
    assert filtered(*text) == filtered(text)
    assert filtered(text).replace(" ", "") == opened.replace("\0", "").replace(" ", "")
