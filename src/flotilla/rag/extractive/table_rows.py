"""The tables of the passages, and which of their rows have what a question names."""

import re
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.refusals import function_words
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.terms import content_words, stem, terms

if TYPE_CHECKING:
    from flotilla.rag.whole_tables import WholeTables

FEWEST_ROWS = 2
"""Rows from which one can be the cheapest."""

LONG = 4
"""Letters from which the beginning of a word tells it."""

FEWEST_INITIALS = 3
"""Words of a heading whose initials may stand for it: "SUV"."""


def left_of(question: str, spent: Collection[str]) -> set[str]:
    """The terms of what a question names but for those that are `spent`: on a superlative."""
    light = _LIGHT | function_words(question)
    words = [word for word in content_words(question) if word not in light]
    numbers = {term for term in terms(question) if term[0].isdigit()}
    return {term for word in words if (term := stem(word)) not in spent} | numbers


# What a question is put with in English; it names nothing that a row could have.
_LIGHT_WORDS = """
allow allows available bring bringen bringing bringt currently done find get gets give gives have
item kind let lets list name offer one product sell show sort stock tell thing things
"""
_LIGHT = frozenset(_LIGHT_WORDS.split())


def tables_of(found: Sequence[Candidate]) -> list[list[Candidate]]:
    """The rows of each table whose cells are known, each once and in reading order."""
    tables: dict[tuple[str, str], dict[int, Candidate]] = {}
    for candidate in found:
        if candidate.sentence.kind is Kind.ROW and candidate.sentence.named_cells:
            key = candidate.passage.version_id, candidate.sentence.header
            tables.setdefault(key, {}).setdefault(candidate.start, candidate)
    return [
        [rows[start] for start in sorted(rows)]
        for rows in tables.values()
        if len(rows) >= FEWEST_ROWS
    ]


class Seen(StrEnum):
    """Which of a table's rows were looked at."""

    ALL = "all"
    SOME = "some"  # there may be more
    FOUND = "found"  # those that a search brought; whether there are more is not known


def seen(row: Candidate, found: Sequence[Candidate], tables: "WholeTables | None") -> Seen:
    """Which rows of the table that a row is of are among those found."""
    version, header = row.passage.version_id, row.sentence.header
    if tables is None or version not in tables.versions | tables.in_part:
        return Seen.FOUND
    of_version = [
        c for c in found if c.passage.version_id == version and c.sentence.kind is Kind.ROW
    ]
    sections = {c.passage.heading_path for c in of_version if c.sentence.header == header}
    # Rows whose columns are not known may be of this table.
    loose = any(
        not c.sentence.named_cells
        and c.passage.heading_path in sections
        and c.sentence.header in ("", header)
        for c in of_version
    )
    return Seen.ALL if version in tables.versions and not loose else Seen.SOME


def narrowed(rows: Sequence[Candidate], asked: Collection[str]) -> tuple[list[Candidate], set[str]]:
    """The rows that have what is asked where some have it, and the terms that none has."""
    missing: set[str] = set()
    kept = list(rows)
    for term in sorted(asked):
        having = [c for c in rows if has_term(_about(c), term)]
        if not having:
            missing.add(term)
        else:
            kept = [c for c in kept if c in having]
    return kept, missing


def unnamed(row: Candidate, asked: Collection[str]) -> set[str]:
    """The terms that neither a table's columns nor its headings nor its document's name have."""
    columns = terms(" ".join(name for name, _ in row.sentence.named_cells))
    named = {*columns, *_above(row)}
    return {term for term in asked if not has_term(named, term)}


def _above(row: Candidate) -> list[str]:
    """The terms of a row's headings, with the initials of each, and of its document's name."""
    passage = row.passage
    titles = (row.sentence.heading, *passage.heading_path)
    return [
        *terms(" ".join((*titles, passage.document_name))),
        *(initials for title in titles if (initials := _initials(title))),
    ]


def _initials(title: str) -> str:
    """What may stand for a heading, "suv" for "Sport utility vehicles"; empty for a short one."""
    words = re.findall(r"[^\W\d_]+", title)
    letters = "".join(word[0] for word in words).casefold()
    return letters if len(words) >= FEWEST_INITIALS else ""


def _about(candidate: Candidate) -> set[str]:
    """The terms of a row, but for its units, of its headings and of its document's name."""
    return {*candidate.terms, *_above(candidate)}


def has_term(about: Collection[str], term: str) -> bool:
    """Whether a term is among those; "mileage" has "mile"."""
    return term in about or (len(term) >= LONG and any(t.startswith(term) for t in about))
