"""How passages and earlier turns share the budget of a context."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flotilla.models import Passage
from flotilla.rag.context import cut_at_sentence, draw
from tests.unit.rag.turns import turn


def words(texts: Sequence[str]) -> list[int]:
    """A token a word."""
    return [len(text.split()) for text in texts]


def passage(tokens: int, name: str = "p") -> Passage:
    text = " ".join([f"{name}."] * tokens)
    return Passage(
        chunk_id=name,
        document_id="d",
        document_name="terms.pdf",
        version_id="v",
        collection="default",
        position=0,
        text=text,
        start=100,
        end=100 + len(text),
        page_start=1,
        page_end=1,
        score=1.0,
    )


def said(tokens: int, number: int = 1) -> object:
    return turn("why", " ".join(["so."] * (tokens - 1)), number)


def test_each_side_has_its_share() -> None:
    passages = [passage(20, f"p{i}") for i in range(10)]
    turns = [said(10, number) for number in range(1, 11)]

    context = draw(passages, turns, 100, 0.7, count=words)  # type: ignore[arg-type]

    assert (context.used.passages, context.used.passage_tokens) == (3, 60)
    # The ten tokens that no passage fits into are the turns'.
    assert (context.used.turns, context.used.turn_tokens) == (4, 40)
    assert [t.number for t in context.turns] == [7, 8, 9, 10]
    assert context.used.messages == tuple(f"answer-{n}" for n in (7, 8, 9, 10))


def test_what_one_side_leaves_the_other_takes() -> None:
    passages = [passage(20, f"p{i}") for i in range(10)]
    turns = [said(10, number) for number in range(1, 11)]

    assert draw(passages, [], 100, 0.7, count=words).used.passages == 5
    assert draw([], turns, 100, 0.7, count=words).used.turns == 10  # type: ignore[arg-type]
    assert draw(passages[:1], turns, 100, 0.7, count=words).used.turns == 8  # type: ignore[arg-type]


def test_recalled_turns_come_after_those_of_the_conversation() -> None:
    here = [said(10, 1), said(10, 2)]
    recalled = [turn("then", "so. " * 9, number, id=f"old-{number}") for number in (8, 9)]

    context = draw([], here, 30, 0.0, count=words, recalled=recalled)  # type: ignore[arg-type]

    assert [t.id for t in context.turns] == ["old-8", "answer-1", "answer-2"]
    assert context.used.recalled == 1


def test_history_has_no_holes() -> None:
    turns = [said(5, 1), said(50, 2), said(5, 3)]

    context = draw([], turns, 20, 0.0, count=words)  # type: ignore[arg-type]

    assert [t.number for t in context.turns] == [3]


def test_what_is_too_long_by_itself_is_cut_at_a_sentence() -> None:
    context = draw([passage(500)], [said(500)], 100, 0.7, count=words)  # type: ignore[arg-type]

    (cut,) = context.passages
    assert context.used.passage_tokens == 70
    assert cut.text.endswith("p.")
    assert cut.end - cut.start == len(cut.text)  # still the document's text word for word
    assert passage(500).text.startswith(cut.text)
    assert context.turns[0].answer.endswith("so.")
    assert context.used.turn_tokens == 30


@pytest.mark.parametrize(
    ("text", "tokens", "cut"),
    [
        ("One two. Three four. Five", 4, "One two. Three four."),
        ("One two three four", 2, ""),
        ("He said “no.” Then he went.", 3, "He said “no.”"),
        ("a row\nanother row", 2, "a row"),
        ("", 5, ""),
    ],
)
def test_a_cut_is_at_the_end_of_a_sentence(text: str, tokens: int, cut: str) -> None:
    assert cut_at_sentence(text, tokens, words) == cut


@given(
    passages=st.lists(st.integers(1, 60), max_size=12),
    turns=st.lists(st.integers(2, 60), max_size=12),
    recalled=st.lists(st.integers(2, 60), max_size=4),
    budget=st.integers(0, 200),
    share=st.floats(0, 1),
)
def test_the_budget_is_kept_and_each_side_is_told_as_it_is(
    passages: list[int], turns: list[int], recalled: list[int], budget: int, share: float
) -> None:
    found = [passage(size, f"p{at}") for at, size in enumerate(passages)]
    here = [said(size, at) for at, size in enumerate(turns, 1)]
    old = [turn("x", "so. " * (size - 1), 90 + at) for at, size in enumerate(recalled)]

    context = draw(found, here, budget, share, count=words, recalled=old)  # type: ignore[arg-type]

    used = context.used
    assert used.passage_tokens + used.turn_tokens <= budget
    assert used.passage_tokens == sum(words([p.text for p in context.passages]))
    assert used.turn_tokens == sum(words([f"{t.standalone} {t.answer}" for t in context.turns]))
    assert used.messages == tuple(t.id for t in context.turns)
    if sum(passages) + sum(turns) + sum(recalled) <= budget:
        assert used.passages == len(passages)
        assert used.turns == len(turns) + len(recalled)
