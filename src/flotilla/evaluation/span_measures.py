"""How much of the gold spans was found, and how much else: by character, as in Chroma's report on
chunking."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from flotilla.evaluation.alignment import Range, merged
from flotilla.evaluation.data_sets import Span
from flotilla.evaluation.measures import Values

DEPTHS = (1, 3, 5, 10)

BUDGETS = (500, 1000, 2000)
"""Tokens that may be read, at which ways with longer and with shorter chunks are alike."""

CHARACTERS_PER_TOKEN = 4
"""About what English has; a budget is counted in characters, so that no tokenizer is favoured."""

_NOTHING = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """One chunk that was found, as ranges of a source's characters."""

    source: str
    ranges: tuple[Range, ...]

    @property
    def characters(self) -> int:
        """How many it has."""
        return sum(end - start for start, end in self.ranges)


def measure(
    found: dict[str, list[Stretch]], gold: dict[str, list[Span]], questions: Sequence[str]
) -> dict[str, Values]:
    """Recall, precision and intersection over union at several depths, and recall at several
    budgets of tokens.

    Recall is the share of the gold characters that were found. Precision is the share of all that
    was found which is gold; where chunks overlap, what they share counts each time, since it is
    read each time. IoU is what is both, over found and gold together.

    Args:
        found: by question, its chunks, best first.
        gold: by question.
        questions: ids of the judged ones.

    Returns: by the measure's name, one value a question.
    """
    values: dict[str, Values] = {}
    for k in DEPTHS:
        rows = np.array([figures(found.get(q, [])[:k], gold[q]) for q in questions])
        for column, name in enumerate(("Recall", "Precision", "IoU")):
            values[f"{name}@{k}"] = rows[:, column]
    for budget in BUDGETS:
        values[f"Recall@{budget} tokens"] = np.array(
            [figures(within(found.get(q, []), budget), gold[q])[0] for q in questions]
        )
    return values


def figures(found: Sequence[Stretch], gold: Sequence[Span]) -> tuple[float, float, float]:
    """Recall, precision and IoU of one question."""
    wanted = _by_source((each.source, (each.start, each.end)) for each in gold)
    had = _by_source((each.source, part) for each in found for part in each.ranges)
    both = sum(_shared(wanted[source], had.get(source, [])) for source in wanted)
    of_gold = sum(end - start for ranges in wanted.values() for start, end in ranges)
    of_found = sum(each.characters for each in found)
    if not of_gold or not of_found:
        return _NOTHING
    return both / of_gold, both / of_found, both / (of_found + of_gold - both)


def within(found: Sequence[Stretch], tokens: int) -> list[Stretch]:
    """The best chunks that a budget has room for, the last of them cut where it ends."""
    left = tokens * CHARACTERS_PER_TOKEN
    kept: list[Stretch] = []
    for each in found:
        ranges: list[Range] = []
        for start, end in each.ranges:
            if left <= 0:
                break
            ranges.append((start, min(end, start + left)))
            left -= ranges[-1][1] - start
        if ranges:
            kept.append(Stretch(each.source, tuple(ranges)))
        if left <= 0:
            break
    return kept


def _by_source(parts: Iterable[tuple[str, Range]]) -> dict[str, list[Range]]:
    gathered: dict[str, list[Range]] = {}
    for source, part in parts:
        gathered.setdefault(source, []).append(part)
    return {source: merged(ranges) for source, ranges in gathered.items()}


def _shared(some: Sequence[Range], others: Sequence[Range]) -> int:
    """Characters that two lists of ranges have in common; each list in order and apart."""
    shared = place = 0
    for start, end in some:
        while place < len(others) and others[place][1] <= start:
            place += 1
        for other_start, other_end in others[place:]:
            if other_start >= end:
                break
            shared += min(end, other_end) - max(start, other_start)
    return shared
