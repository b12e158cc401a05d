"""Exercises without a language model: a sentence of the documents with a gap."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import log10

from flotilla.models import Passage
from flotilla.rag.exercises.exercise import CHOICES, Exercise
from flotilla.rag.exercises.gaps import Gap, GapKind, gaps
from flotilla.rag.extractive.candidates import Candidate, candidates
from flotilla.rag.text.numerals import numbers
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.tables import cells
from flotilla.rag.text.terms import terms

GAP = "_____"

FEWEST_WORDS, MOST_WORDS = 8, 45
"""Words of a sentence that tells enough, and not too much, around its gap."""

FEWEST_TERMS = 4
"""Terms that have to be left around a gap."""

FEWEST_CELLS = 3

COLUMN = "column "
"""What the pool of a row's answers begins with."""

TIMES = 3.0
"""What ten times as much counts, in characters of difference: nobody takes £120 for £1.10."""

ALIKE = 0.8
"""Share of terms from which on two sentences around their gaps ask the same."""

COMMON = 0.3
"""Share of the passages from which on a name is everywhere: whoever guesses fills it in."""

ROWS = 3
"""Rows of one table that are asked before all that is asked of other things."""

# What such a sentence speaks of is said in the one before.
_REFERS_BACK = re.compile(
    r"(?:(?:if|when|where|unless|once|after|before|because|as|and|but|or|for|in|from|of|with)\s+)?"
    r"(?:it|its|they|them|their|this|that|these|those|he|she|him|her|such|"
    r"dies|diese[mnrs]?)\b",
    re.IGNORECASE,
)
# And such a one may well speak of it.
_LEANS = re.compile(
    r"[^,;:]*\b(?:for|of|with|on|from|about|to|in|by)\s+(?:it|them|this|that|these|those)(?=\s*[.,;:!]|$)|"
    r"(?:also|however|therefore|instead|otherwise|moreover|besides|afterwards|thus|"
    r"außerdem|jedoch|deshalb|daher|dort|hier|dabei|dafür|dazu|danach|sonst)\b|"
    r".*\b(?:as (?:described|said|stated|mentioned)|the latter|the former|the above|the following|"
    r"see (?:above|below))\b",
    re.IGNORECASE,
)

_ORDER = {kind: place for place, kind in enumerate(GapKind)}


@dataclass(frozen=True, slots=True)
class _Draft:
    """A sentence with a gap. `pool` says which answers are of its kind. One that `leans` may speak
    of what the sentence before it names."""

    passage: Passage
    stem: str
    answer: str
    pool: str
    terms: frozenset[str]
    leans: bool = False


def clozes(
    passages: Sequence[Passage], count: int, *, others: Sequence[Passage] | None = None
) -> list[Exercise]:
    """At most `count` exercises from passages: one of each in their order, then further ones, and
    last the further rows of a table, and sentences that may lean on the one before them.

    A sentence gives one at most. Left out are sentences that say little alone, gaps that anybody
    fills in, and all whose answer is not the only one: two sentences that differ in their gaps
    alone ask something that has two answers.

    Args:
        passages: what to ask about.
        count: how many are wanted.
        others: passages that wrong answers of the same kind are taken from; each exercise needs
            three then.
    """
    choices = others is not None
    found = candidates(passages)
    common = _common(passages)
    drafts = [draft for c in found if (draft := _draft(c, common)) is not None]
    drafts = _unambiguous(drafts)
    pools: dict[str, list[str]] = defaultdict(list)
    for candidate in candidates(others) if others is not None else ():
        for pool, answer in _answers(candidate):
            pools[pool].append(answer)
    exercises = []
    for draft in _in_turn(drafts):
        wrong = _wrong(draft, pools[draft.pool]) if choices else ()
        if choices and len(wrong) < CHOICES - 1:
            continue
        exercises.append(Exercise(draft.stem, draft.answer, source_of(draft.passage), wrong))
        if len(exercises) == count:
            break
    return exercises


def source_of(passage: Passage) -> str:
    """Where a passage stands, as a reader looks it up."""
    place = [passage.document_name]
    if passage.page_start is not None:
        place.append(f"page {passage.page_start}")
    if passage.heading_path:
        place.append(passage.heading_path[-1])
    return ", ".join(place)


def _common(passages: Sequence[Passage]) -> frozenset[str]:
    """Terms that very many passages have."""
    counted: Counter[str] = Counter()
    for passage in passages:
        counted.update(set(terms(f"{passage.document_name} {passage.text}")))
    most = max(3, COMMON * len(passages))
    return frozenset(term for term, number in counted.items() if number > most)


def _draft(candidate: Candidate, common: frozenset[str]) -> _Draft | None:
    if candidate.sentence.kind is Kind.ROW:
        return _of_row(candidate)
    if candidate.sentence.kind is Kind.LIST or candidate.antecedent is not None:
        return None
    text = candidate.sentence.shown
    if not FEWEST_WORDS <= len(text.split()) <= MOST_WORDS or candidate.readable < 1:
        return None
    if _REFERS_BACK.match(text):
        return None
    for gap in sorted(gaps(text), key=lambda gap: (_ORDER[gap.kind], gap.start)):
        left = frozenset(terms(text[: gap.start] + " " + text[gap.end :]))
        own = terms(gap.text)
        if gap.kind is GapKind.NAME and common.issuperset(own):
            continue
        # The heading and the document's name stand below the question.
        told = set(candidate.context) | set(terms(candidate.passage.document_name))
        if len(left) < FEWEST_TERMS or (own and told.issuperset(own)):
            continue
        stem = f"{text[: gap.start]}{GAP}{text[gap.end :]}"
        return _Draft(
            candidate.passage, stem, gap.text, _pool(gap), left, leans=bool(_LEANS.match(text))
        )
    return None


def _of_row(candidate: Candidate) -> _Draft | None:
    """A row of a table with the last of its numbers left out."""
    named = _named_cells(candidate)
    if len(named) < FEWEST_CELLS:
        return None
    for place in range(len(named) - 1, 0, -1):
        name, value = named[place]
        if any(sign.isdigit() for sign in value) and value not in [v for _, v in named[:place]]:
            shown = [f"{n}: {GAP if i == place else v}" for i, (n, v) in enumerate(named)]
            rest = frozenset(terms(" ".join(v for i, (_, v) in enumerate(named) if i != place)))
            return _Draft(candidate.passage, "; ".join(shown), value, f"{COLUMN}{name}", rest)
    return None


def _named_cells(candidate: Candidate) -> list[tuple[str, str]]:
    sentence = candidate.sentence
    if sentence.columns is not None:
        names, values = list(sentence.columns.names), sentence.columns.cells(sentence.text) or []
    else:
        names, values = cells(sentence.header), cells(sentence.text)
    if len(names) != len(values) or not all(names):
        return []
    return [(name, value) for name, value in zip(names, values, strict=True) if value]


def _pool(gap: Gap) -> str:
    return gap.kind.value


def _answers(candidate: Candidate) -> Iterable[tuple[str, str]]:
    """What a sentence offers as an answer to others, by its kind."""
    if candidate.sentence.kind is Kind.ROW:
        for name, value in _named_cells(candidate):
            yield f"{COLUMN}{name}", value
    for gap in gaps(candidate.sentence.shown):
        yield _pool(gap), gap.text


def _unambiguous(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Those that no other asks as well, with another answer; of the same with the same, one."""
    by_term: dict[str, list[int]] = defaultdict(list)
    for place, draft in enumerate(drafts):
        for term in draft.terms:
            by_term[term].append(place)
    kept, dropped = [], set()
    for place, draft in enumerate(drafts):
        shared: Counter[int] = Counter()
        for term in draft.terms:
            shared.update(by_term[term])
        for other, number in shared.items():
            union = len(draft.terms) + len(drafts[other].terms) - number
            if other == place or number < ALIKE * union:
                continue
            if drafts[other].answer != draft.answer or other < place:
                dropped.add(place)
        if place not in dropped:
            kept.append(draft)
    return kept


def _in_turn(drafts: Sequence[_Draft]) -> list[_Draft]:
    """One of each passage, then the next of each; what makes a poorer question comes last."""
    passages: dict[str, list[_Draft]] = defaultdict(list)
    for draft in drafts:
        passages[draft.passage.chunk_id].append(draft)
    rounds = zip_longest(*passages.values())
    ordered = [draft for each in rounds for draft in each if draft is not None]
    rows: Counter[tuple[str, str]] = Counter()
    poorer = []
    for draft in ordered:
        is_row = draft.pool.startswith(COLUMN)
        table = draft.passage.document_id, draft.pool
        rows[table] += is_row
        poorer.append(draft.leans or (is_row and rows[table] > ROWS))
    return [
        draft
        for last in (False, True)
        for draft, is_poorer in zip(ordered, poorer, strict=True)
        if is_poorer is last
    ]


def _wrong(draft: _Draft, pool: Sequence[str]) -> tuple[str, ...]:
    """Three answers of the same kind that are wrong and that nobody rules out by their look."""
    right = numbers(draft.answer)
    others = {
        other
        for other in pool
        if other.casefold() != draft.answer.casefold()
        and other.casefold() not in draft.stem.casefold()
        and (not right or numbers(other) != right)
    }
    if not draft.answer or not others:
        return ()
    chance = random.Random(draft.stem)

    def unlike(other: str) -> tuple[float, float]:
        return _distance(draft.answer, other), chance.random()

    return tuple(sorted(sorted(others), key=unlike)[: CHOICES - 1])


def _distance(answer: str, other: str) -> float:
    """How much two answers differ in their form: their length, and the size of their numbers."""
    size = abs(len(answer) - len(other)) + 3 * abs(len(answer.split()) - len(other.split()))
    size += 3 * (("." in answer) != ("." in other))
    mine, theirs = _value(answer), _value(other)
    if mine is None or theirs is None:
        return float(size)
    if mine <= 0 or theirs <= 0:
        return size + abs(mine - theirs) / max(mine, theirs, 1.0)
    return size + TIMES * abs(log10(mine / theirs))


def _value(text: str) -> float | None:
    found = sorted(numbers(text))
    try:
        return float(found[0].replace(",", ".")) if len(found) == 1 else None
    except ValueError:
        return None
