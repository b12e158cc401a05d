"""Things that are told by a number behind a name: "Room 12", "Model 3", "SL-2021".

A name and its number are one: what is said of room 14 is no answer about room 12, though to an
embedding both are nearly the same, and 7:30 is not the number of a house.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.refusals import function_words
from flotilla.rag.text.asked import mixed
from flotilla.rag.text.days import dates, day_names, weekdays
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.terms import FUNCTION_WORDS

_NUMBER = r"(\d{1,4}[a-z]?)(?![\w%€$£°]|[.,:/]\d)"
_NAMED = re.compile(rf"([^\W\d_]{{2,}})[ \t]+(?:no\.?|nr\.?)?[ \t]*{_NUMBER}", re.IGNORECASE)
_NEXT = re.compile(r"[ \t]+([^\W\d_]+)")
_YEAR = re.compile(r"(?:19|20)\d\d")
# "1 to 8" and "3 and 5" name several things at once.
_SEVERAL = r"\s*(?:to|until|bis|and|or|und|oder|[-–—&,/])\s*\d"

# These are numbered however they are written.
_NUMBERED_WORDS = """
room model unit flat house gate platform bus line level zone grade class bay plot lot hall
raum zimmer haus wohnung linie gleis klasse halle tor zone stufe modell
"""
_NUMBERED = frozenset(_NUMBERED_WORDS.split())
# What stands before a number that is no thing's.
_NO_NAME_WORDS = """
above age aged alter around below between costs cost during exceed exceeds least near past per since
till until via within über unter zwischen bis ab nach vor seit ca etwa kostet kosten
"""
_NO_NAME = frozenset(_NO_NAME_WORDS.split())


def of_what_is_named(question: str, found: Sequence[Candidate]) -> list[Candidate]:
    """The sentences without those about a thing with another number than the question names.

    Where a row has a code that is asked for, the rows without one are of other things, too.
    """
    named = _named(question)
    kept = [c for c in found if not _is_of_other(named, c)] if named else list(found)
    codes = {word for word in mixed(question) if "-" in word or len(word) > 3}
    rows = [c for c in kept if c.sentence.kind is Kind.ROW] if codes else []
    having = {c.start for c in rows if codes & mixed(c.sentence.text)}
    tables = {(c.passage.version_id, c.sentence.header) for c in rows if c.start in having}
    return [
        c
        for c in kept
        if c.sentence.kind is not Kind.ROW
        or c.start in having
        or (c.passage.version_id, c.sentence.header) not in tables
    ]


@lru_cache(maxsize=256)
def _named(question: str) -> frozenset[tuple[str, str]]:
    """The names in a question that have a number, with it, written small."""
    light = FUNCTION_WORDS | _NO_NAME | function_words(question)
    found = set()
    for match in _NAMED.finditer(question):
        name, number = match.groups()
        word, after = name.casefold(), _NEXT.match(question, match.end())
        if word in light or _YEAR.fullmatch(number) or _is_date(match.group()):
            continue
        # "Kosten 3 Tage": what is counted stands behind a number.
        counts = after is not None and after[1].casefold() not in light
        if word in _NUMBERED or not counts:
            found.add((word, number.casefold()))
    return frozenset(found)


def _is_date(text: str) -> bool:
    return bool(dates(text) or weekdays(text) or day_names(text))


def _is_of_other(named: frozenset[tuple[str, str]], candidate: Candidate) -> bool:
    """Whether a sentence names such a thing by other numbers alone."""
    text = " ".join((*candidate.passage.heading_path, candidate.explained))
    other = False
    for name, number in named:
        # What is written small is a name where the documents write it large: "mazda 3".
        first = rf"(?i:{name[0]})" if name in _NUMBERED else name[0].upper()
        as_written = rf"\b{first}(?i:{re.escape(name[1:])})"
        there = re.findall(rf"{as_written}s?:?[ \t]+(?:[Nn][or]\.?)?[ \t]*{_NUMBER}", text)
        if number in map(str.casefold, there):
            return False
        if re.search(rf"{as_written}\w{{0,2}}\s+\d+{_SEVERAL}", text):
            return False
        # Of a row, which is about one thing, the name alone is enough: "Mazda CX-5".
        is_row = candidate.sentence.kind is Kind.ROW
        other = other or bool(there) or (is_row and bool(re.search(rf"{as_written}\b", text)))
    return other
