"""What a sentence loses by what stands beside it: conditions, units, the next line of a list."""

import re
from collections.abc import Sequence

from flotilla.rag.extractive.answer_type import MISFIT
from flotilla.rag.extractive.candidates import Candidate, units_of
from flotilla.rag.extractive.conditions import EXCLUDED, RULE, excludes, is_other_matter
from flotilla.rag.extractive.parties import other_party_fit
from flotilla.rag.extractive.spans import AFTERWARDS, lies_beyond
from flotilla.rag.text.blocks import LABELLED
from flotilla.rag.text.days import dates, months, weekdays, without_days
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.tables import PER
from flotilla.rag.text.terms import terms

NEIGHBOUR = 0.7
"""Factor of the score of a line that stands beside the one which is asked for."""

ONE_ITEM = 0.9
"""The same for a list of which a single item has all of the question's words that the list has."""

_OPEN = re.compile(
    r"\b(?:open(?:s|ing)?|close[sd]?|shut|hours|geöffnet|offen|auf|öffne[nt]|schließ(?:t|en)|"
    r"geschlossen|zu)\b",
    re.IGNORECASE,
)
_ALWAYS = re.compile(
    r"\b(?:365 days|all year|the year round|year-round|always|never|ganzjährig|immer|nie)\b",
    re.IGNORECASE,
)


def condition_factors(question: str, found: Sequence[Candidate]) -> list[float]:
    """`EXCLUDED` for what holds under a condition that is not met, `RULE` for the sentence before
    it where that is about the same thing, and for the one behind it that tells what holds
    afterwards; else 1, or less where another party does something."""
    factors = [1.0] * len(found)
    asked = set(terms(question))
    for i, candidate in enumerate(found):
        shown = candidate.sentence.shown
        if not excludes(question, shown):
            factors[i] *= other_party_fit(question, shown)
            continue
        factors[i] = EXCLUDED
        if lies_beyond(question, shown):
            behind = found[i + 1] if i + 1 < len(found) else candidate
            if (
                behind.passage is candidate.passage
                and behind.antecedent == candidate.sentence
                and AFTERWARDS.match(behind.sentence.shown)
            ):
                factors[i + 1] = RULE
                behind.rule = True
            continue
        before = found[i - 1] if i else candidate
        same = before.passage is candidate.passage and before.start < candidate.start
        if (
            same
            and factors[i - 1] == 1
            and before.sentence.heading == candidate.sentence.heading
            and asked & set(before.terms) & set(candidate.terms)
        ):
            factors[i - 1] = RULE
            before.rule = True
    return factors


def unit_fit(question: str, candidate: Candidate) -> float:
    """`MISFIT` for a row that has a word of the question in its unit alone, else 1: what costs £18
    per tree is no tree."""
    units = set(units_of(candidate.sentence))
    if not units or set(terms(" ".join(PER.findall(question)))) & units:
        return 1.0
    return MISFIT if units & set(terms(question)) else 1.0


def neighbour_factors(question: str, found: Sequence[Candidate]) -> list[float]:
    """`NEIGHBOUR` for a line of a table or of hours beside another one of its document that has
    all of the question's words which it has, and more, `ONE_ITEM` for a list beside the one item
    that answers; else 1."""
    # "Closed" on one day says nothing of when it closes on the others.
    asked = set(terms(question)) - {"open", "close"}
    factors = [1.0] * len(found)
    lines: dict[str, dict[frozenset[str], list[int]]] = {}
    for i, candidate in enumerate(found):
        if _is_line(candidate):
            has = frozenset(asked & _about(candidate))
            lines.setdefault(candidate.passage.document_id, {}).setdefault(has, []).append(i)
    for beside in lines.values():
        for has, those in beside.items():
            if any(has < more for more in beside):
                for i in those:
                    factors[i] = NEIGHBOUR
    for i, candidate in enumerate(found):
        if candidate.sentence.kind is Kind.LIST:
            told = asked.intersection(candidate.terms)
            items = [c for c in found if c is not candidate and c.overlaps(candidate)]
            if told and sum(told <= set(item.terms) for item in items) == 1:
                factors[i] *= ONE_ITEM
    return factors


def is_of_neighbour(question: str, candidate: Candidate, best: Candidate) -> bool:
    """Whether a line of a table or of hours lacks what the question names and the best one has:
    it is about the next thing on the list."""
    if not _is_line(candidate):
        return False
    asked = set(terms(question))
    return not asked & _about(best) <= _about(candidate)


def is_beside(question: str, best: Candidate, found: Sequence[Candidate]) -> bool:
    """Whether the best sentence that was found is about another matter for certain."""
    shown = best.sentence.shown
    told = [shown]
    # "This takes an hour" is about what the sentence before it tells.
    if best.antecedent is not None and not AFTERWARDS.match(shown):
        told.append(best.antecedent.shown)
    if any(is_other_matter(question, text) for text in told) or lacks_day(question, shown):
        return True
    return tells_of_another(question, best, found)


def outdoes(question: str, ranked: Sequence[Candidate]) -> bool:
    """Whether a sentence that answers the contrary would be the best of all, if it did not."""
    return any(
        c.score > EXCLUDED * ranked[0].score and is_other_matter(question, c.sentence.shown)
        for c in ranked[1:]
    )


def lacks_day(question: str, sentence: str) -> bool:
    """Whether it is asked if there is opened on a day of the year, and a sentence tells hours that
    need not hold on it: "Is it open on Christmas Day?" of those of all Mondays."""
    asked = dates(question)
    if not asked or not _OPEN.search(question) or asked & dates(sentence):
        return False
    if weekdays(question) & weekdays(sentence):
        return False
    return not asked & months(sentence) and not _ALWAYS.search(sentence)


def tells_of_another(question: str, best: Candidate, found: Sequence[Candidate]) -> bool:
    """Whether the hours of one thing are all that was found for those of another: a heading or a
    label has what the question names, and neither the line nor what stands above it does."""
    if not weekdays(best.sentence.shown) or not weekdays(question):
        return False
    asked = set(terms(without_days(question))) - {"open", "close"}
    named = {term for term in asked if any(term in _titles(c) for c in found)}
    about = {*_about(best), *terms(best.passage.document_name)}
    return bool(named) and not named & about


def _titles(candidate: Candidate) -> set[str]:
    """The terms of what a candidate stands below, and of its label or its row's first cell."""
    cells = candidate.sentence.named_cells if candidate.sentence.kind is Kind.ROW else []
    labelled = LABELLED.match(candidate.sentence.text)
    label = cells[0][1] if cells else labelled.group().split(":")[0] if labelled else ""
    return set(
        terms(" ".join((label, candidate.sentence.heading, *candidate.passage.heading_path)))
    )


def _is_line(candidate: Candidate) -> bool:
    """Whether it is a line among others, each about another thing: of a table, or of hours."""
    return candidate.sentence.kind is Kind.ROW or bool(weekdays(candidate.sentence.shown))


def _about(candidate: Candidate) -> set[str]:
    """The terms of a candidate and around it, but for a row's units."""
    return {*candidate.terms, *candidate.context} - set(units_of(candidate.sentence))
