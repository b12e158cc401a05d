"""What of the documents and of earlier turns goes before the model, within a budget of tokens."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flotilla.models import ChatContextUsed, Passage, Turn

Item = TypeVar("Item")

Count = Callable[[Sequence[str]], list[int]]
"""Each text's tokens, as an embedder counts them."""

# Behind what ends a sentence, with the quotes and brackets that close it, or a line.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s)|(?=\n)")


@dataclass(frozen=True, slots=True)
class Context:
    """What was drawn: passages in the order of their rank, turns in the order in which they were
    said, those that were recalled before those of this conversation."""

    passages: tuple[Passage, ...]
    turns: tuple[Turn, ...]
    used: ChatContextUsed


def draw(
    passages: Sequence[Passage],
    turns: Sequence[Turn],
    budget_tokens: int,
    share: float,
    *,
    count: Count,
    recalled: Sequence[Turn] = (),
    rewritten: str | None = None,
) -> Context:
    """Fill a context from passages and from earlier turns.

    Each side has its share of the budget, and what it leaves unused the other may take. Passages
    are taken by their rank, turns from the newest back, and after them those that were recalled.
    Passages and turns are taken whole; only one that is by itself longer than its side may be is
    cut, at the end of a sentence.

    Args:
        passages: the best first.
        turns: those of this conversation, the oldest first.
        budget_tokens: of both sides together.
        share: that of the documents, from 0 to 1.
        count: counts tokens.
        recalled: further turns, the best first.
        rewritten: why the question was rewritten, for the record.
    """
    newest_first = [*reversed(turns), *recalled]
    texts = [passage.text for passage in passages] + [_said(turn) for turn in newest_first]
    sizes = count(texts) if texts else []
    documents = list(zip(passages, sizes, strict=False))
    said = list(zip(newest_first, sizes[len(passages) :], strict=True))
    of_documents = round(budget_tokens * share)

    def passages_within(room: int) -> list[tuple[Passage, int]]:
        return _taken(documents, room, lambda passage: _cut_passage(passage, room, count))

    def turns_within(room: int) -> list[tuple[Turn, int]]:
        return _taken(said, room, lambda turn: _cut_turn(turn, room, count), gaps=False)

    first = passages_within(of_documents)
    chosen_turns = turns_within(max(budget_tokens - of_documents, budget_tokens - _sum(first)))
    chosen = passages_within(budget_tokens - _sum(chosen_turns))
    here = {turn.id for turn in turns}
    in_order = [turn for turn, _ in reversed(chosen_turns) if turn.id not in here]
    found_by_meaning = len(in_order)
    in_order += [turn for turn, _ in reversed(chosen_turns) if turn.id in here]
    used = ChatContextUsed(
        budget_tokens=budget_tokens,
        document_share=share,
        passages=len(chosen),
        passage_tokens=_sum(chosen),
        turns=len(in_order),
        turn_tokens=_sum(chosen_turns),
        recalled=found_by_meaning,
        messages=tuple(turn.id for turn in in_order),
        rewritten=rewritten,
    )
    return Context(tuple(passage for passage, _ in chosen), tuple(in_order), used)


def _sum(taken: Sequence[tuple[object, int]]) -> int:
    return sum(size for _, size in taken)


def _taken(
    sized: Sequence[tuple[Item, int]],
    room: int,
    cut: Callable[[Item], tuple[Item, int] | None],
    *,
    gaps: bool = True,
) -> list[tuple[Item, int]]:
    """Items that fit, in their order; with `gaps`, smaller ones behind one that does not, too.

    The first one is cut where it is longer than the whole room.
    """
    chosen: list[tuple[Item, int]] = []
    left = room
    for item, size in sized:
        taken: tuple[Item, int] | None = (item, size)
        if size > left:
            taken = cut(item) if not chosen and size > room else None
        if taken is not None:
            chosen.append(taken)
            left -= taken[1]
        elif not gaps:
            break
    return chosen


def _said(turn: Turn) -> str:
    return f"{turn.standalone}\n{turn.answer}"


def _cut_passage(passage: Passage, room: int, count: Count) -> tuple[Passage, int] | None:
    cut = cut_at_sentence(passage.text, room, count)
    if not cut:
        return None
    shorter = passage.model_copy(update={"text": cut, "end": passage.start + len(cut)})
    return shorter, count([cut])[0]


def _cut_turn(turn: Turn, room: int, count: Count) -> tuple[Turn, int] | None:
    question = count([turn.standalone])[0]
    cut = cut_at_sentence(turn.answer, room - question, count)
    if not cut:
        return None
    shorter = turn.model_copy(update={"answer": cut})
    return shorter, count([_said(shorter)])[0]


def cut_at_sentence(text: str, tokens: int, count: Count) -> str:
    """The longest beginning of a text that ends with a sentence and has at most so many tokens;
    empty where not even the first sentence has."""
    ends = [found.end() for found in _SENTENCE_END.finditer(text)]
    low, high = 0, len(ends)
    while low < high:  # what is longer has more tokens
        middle = (low + high + 1) // 2
        if count([text[: ends[middle - 1]]])[0] <= tokens:
            low = middle
        else:
            high = middle - 1
    return text[: ends[low - 1]] if low else ""
