"""Whether the passages that a statement cites have its figures and names.

It costs no call of a model, and so it tells little: a statement whose figures and names all stand
there may be wrong all the same, and what is said in other words is not looked at. But a figure that
stands nowhere was made up, or reckoned. What a right answer puts otherwise is passed over: what the
question has said, times of the day with twelve hours or twenty-four, small numbers in words, and
names in German, where every noun is written large.
"""

import re
from collections.abc import Iterable, Sequence

from flotilla.models import Citation, Passage, Unsupported
from flotilla.rag.citations import by_chunk
from flotilla.rag.claims import Claim, claims_of
from flotilla.rag.refusals import ENGLISH, tongue_of
from flotilla.rag.text.asked import mixed, names
from flotilla.rag.text.numerals import numbers
from flotilla.rag.text.terms import terms

UNCITED = "No passage is cited for it."

_CLOCK = re.compile(
    r"\b(?P<hour>[01]?\d|2[0-4])(?:(?::|\.(?=\d\d\s?[ap]\.?m))(?P<minute>[0-5]\d)\b"
    r"(?:\s?[ap]\.?m\b)?|\s?[ap]\.?m\b)",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_MEASURE = re.compile(r"\d+[^\W\d_]{1,3}")  # 40p, 5mm, 21st: a figure and no name
_ITEM = re.compile(r"\s*(?:[-*+•]|\(?\d{1,2}[.)])\s+")
_MARKER = re.compile(r"\[(\d{1,3})\]")
_ANNOUNCES = re.compile(r":[*_]{0,3}(?:\s*\[\d{1,3}\])*[\s*_]*\Z")
_WORD = re.compile(r"[^\W_]+(?:[-'’.][^\W_]+)*")

NO_TITLE = 0.8
"""Share of words written large up to which a statement is no title: it is often short."""

_TELLING_NOTHING = frozenset({"0", "1"})
_SAID_LOOSELY = _TELLING_NOTHING | {"2"}
"""Numbers that are said in words where nothing is counted: "one of them", "the two"."""

_DATES = """
monday tuesday wednesday thursday friday saturday sunday january february march april may june july
august september october november december
"""
_DATE_WORDS = frozenset(terms(_DATES))
"""Capitalised and no names: a range of days has those between, and a month may be a number."""


def unsupported(
    text: str, citations: Sequence[Citation], passages: Sequence[Passage], question: str
) -> list[Unsupported]:
    """The statements of an answer that cite nothing, or whose passages lack a figure or a name of
    theirs, in their order."""
    known = by_chunk(passages)
    cited = {each.number: known.get(each.chunk_id) for each in citations}
    found = []
    for claim in claims_of(text):
        sources = [source for n in claim.numbers if (source := cited.get(n)) is not None]
        if claim.numbers:
            reason = lacking(claim, sources, question)
        elif listed := _cited_of_list(text, claim):
            sources = [source for n in listed if (source := cited.get(n)) is not None]
            reason = lacking(claim, sources, question)
        else:
            reason = UNCITED
        if reason is not None:
            found.append(Unsupported(start=claim.start, end=claim.end, reason=reason))
    return found


def lacking(claim: Claim, passages: Iterable[Passage], question: str) -> str | None:
    """What a statement says and neither its passages nor the question have, in a sentence; None
    where they have all of it."""
    there = "\n".join(
        " ".join((passage.document_name, *passage.heading_path, passage.text))
        for passage in passages
    )
    if not there:
        return None
    around = f"{there}\n{question}"
    item = _ITEM.match(claim.text)
    said = claim.text[item.end() :] if item is not None else claim.text
    missing = _missing_names(said, around)
    missing += [
        figure for figure in _missing_figures(said, around) if figure not in " ".join(missing)
    ]
    if not missing:
        return None
    listed = ", ".join(f"“{each}”" for each in dict.fromkeys(missing))
    return f"The passages cited for it do not have {listed}."


def _cited_of_list(text: str, claim: Claim) -> list[int]:
    """The numbers that a list's item without any shares: those of the line that announces the list,
    or those of its last item, where that one alone has some. None where no line announces it."""
    begin = text.rfind("\n", 0, claim.start) + 1
    end = text.find("\n", claim.end)
    own = text[begin : claim.end]
    if _ITEM.match(own) is None:
        return []
    indent, announced = _indent(own), False
    items = [own]
    for line in reversed(text[:begin].splitlines()):
        is_item = _ITEM.match(line) is not None
        if _ANNOUNCES.search(line) and (not is_item or _indent(line) < indent):
            announced, indent = True, _indent(line)
            if numbers_there := _numbers(line):
                return numbers_there
        if line.strip() and not is_item and not line[0].isspace():
            break
        items.append(line)
    below = _rest_of_list(text[end:] if end >= 0 else "")
    items += below
    alone = sum(bool(_MARKER.search(line)) for line in items) == 1
    return _numbers(below[-1]) if announced and below and alone else []


def _rest_of_list(text: str) -> list[str]:
    """The lines of a list that goes on with a text."""
    found: list[str] = []
    for line in text.splitlines():
        if line.strip() and _ITEM.match(line) is None and not line[0].isspace():
            break
        if line.strip():
            found.append(line)
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _numbers(line: str) -> list[int]:
    return [int(number) for number in _MARKER.findall(line)]


def _missing_names(said: str, around: str) -> list[str]:
    if tongue_of(said) != ENGLISH:
        return []
    unknown = names(said, NO_TITLE) - set(terms(around)) - mixed(around) - _DATE_WORDS
    words = [match for match in _WORD.finditer(said) if unknown]
    return [
        word.group()
        for word in words
        if unknown & mixed(word.group()).union(terms(word.group()))
        and not _MEASURE.fullmatch(word.group())
        and said[word.end() : word.end() + 1] != ":"
    ]


def _missing_figures(said: str, around: str) -> list[str]:
    known = _known_figures(around)
    missing = [
        clock.group()
        for clock in _CLOCK.finditer(said)
        if not known & _hours(clock) or not _minute(clock) <= known
    ]
    rest = _CLOCK.sub(" ", said)
    figures = [match.group() for match in _FIGURE.finditer(rest)]
    missing += [f for f in figures if not _plain_numbers(f) <= known | _TELLING_NOTHING]
    in_words = numbers(_FIGURE.sub(" ", rest)) - _SAID_LOOSELY
    return missing + sorted(in_words - known, key=int)


def _known_figures(text: str) -> frozenset[str]:
    known = set(_plain_numbers(_CLOCK.sub(" ", text)))
    for clock in _CLOCK.finditer(text):
        known |= _hours(clock) | _minute(clock)
    return frozenset(known)


def _hours(clock: re.Match[str]) -> frozenset[str]:
    """The hour as it may be written, with twelve or twenty-four to the day."""
    hour = int(clock["hour"]) % 12
    return frozenset({str(hour), str(hour + 12)})


def _minute(clock: re.Match[str]) -> frozenset[str]:
    minute = int(clock["minute"] or 0)
    return frozenset({str(minute)}) if minute else frozenset()


def _plain_numbers(text: str) -> frozenset[str]:
    """The numbers of a text without what they may be written with or without: noughts around them,
    a comma in place of the point."""
    found = set()
    for number in numbers(text):
        whole, _, part = number.replace(",", ".").partition(".")
        part = part.rstrip("0")
        found.add((whole.lstrip("0") or "0") + (f".{part}" if part else ""))
    return frozenset(found)
