"""Lines that are rows of a table, and the header that names their cells."""

import re

from flotilla.rag.text.terms import FUNCTION_WORDS

RULE = re.compile(r"(?:[\s|:+]|[-=_](?![-=_]))*+[-=_]{2}[\s|:+=_-]*")
"""A line that separates a table's header from its rows."""

FEWEST_NAMES = 3
"""Words of a header that names columns and is not just the table's title."""

MOST_WORDS, MOST_JOINING = 10, 0.25
"""Words of a line below a row that is a row, too, and the share of them that join."""

MOST_VALUES = 40
"""Values of a row without gaps that are told apart."""

PER = re.compile(r"\b(?:per|each|je|pro)\s+(?:[^\W\d_]+\s*){1,2}", re.IGNORECASE)
"""For how much of something a price is: "per tree"."""

_COLUMNS = re.compile(r"\S(?:\t+| {3,})\S")
_FIGURE = re.compile(
    r"[(\-+$€£¥]*\d[\d.,:/-]*[)%€$£¥kKmMbB]*|[$€£¥%–—-]|km|kW|kg|mm|cm|EUR|USD|GBP"
)

_YEAR = re.compile(r"(?:19|20)\d\d")

_AMOUNT = (
    r"[(\-+]*[$€£¥]?\d[\d.,:/-]*(?:[)%€$£¥kKmMbB]*|[ap]m)(?: (?:million|billion|Mio\.?|Millionen|"
    r"km|kW|kg|mm|cm|m|EUR|USD|GBP|[€£$%]|(?:second|minute|hour|day|week|month|year)s?|Uhr|Minuten?|"
    r"Stunden?|Tage?|Wochen?|Monate?|Jahre?))?"
)
# What stands alone in a cell: an amount, or a word for having something or not.
_VALUE = (
    rf"(?:(?:up to|from|over|about|bis zu|bis|ab|über|etwa) )?{_AMOUNT}"
    rf"(?: (?:to|bis|[-–]) {_AMOUNT})?|"
    r"yes|no|none|included|unlimited|free|ja|nein|inklusive|unbegrenzt|frei|n/a|[–—✓✗✔✘-]"
)
_LAST_VALUE = re.compile(rf"(?:^|\s)({_VALUE})$")
_ENDED = re.compile(r"[.!?;:…]\W*$|[.!?…]\s+[A-ZÄÖÜ]")


def is_row(line: str, *, prose: bool) -> bool:
    """Whether a line is a row by itself; as `prose`, which a bullet or a full stop shows, it
    needs bars or gaps between its cells."""
    if "|" in line and (line.startswith("|") or line.count(" | ") >= 1):
        return True
    if _COLUMNS.search(line):
        return True
    words = line.split()
    number = figures(line)
    # A table of a PDF keeps its rows but loses its columns.
    if number < 2 or prose:
        return False
    share = number / len(words)
    # In a name such as "Model 3 Long Range" a word of prose is written large.
    return share >= 0.4 or (share >= 0.25 and FUNCTION_WORDS.isdisjoint(words))


def figures(line: str) -> int:
    """How many words of a line are numbers, amounts, signs or units."""
    return sum(1 for word in line.split() if _FIGURE.fullmatch(word))


def same_shape(line: str, other: str) -> bool:
    """Whether two lines look like rows of one table: as many figures, one of them at the end.

    What names a row may have any number of words, so that only figures are counted.
    """
    if not line or not other:
        return False
    ends = (words[-1] for words in (line.split(), other.split()))
    closed = all(_FIGURE.fullmatch(end) and end[-1].isalnum() for end in ends)
    return closed and figures(line) == figures(other)


def is_row_beside(line: str, above: str, below: str) -> bool:
    """Whether a line next to rows, or between two, is one of theirs; `above` and `below` are those,
    empty where it has none.

    By itself it looks like a title or like prose: "Dental treatment no up to £300". Between two
    rows one value at its end tells it, else two do, or any figure in a short line below a row.
    """
    if not (above or below) or _ENDED.search(line) or not (line[0].isupper() or line[0].isdigit()):
        return False
    label, values = values_at_end(line)
    if label and len(values) >= (1 if above and below else 2):
        return True
    # "Garden hall ground 120 on request": no title has a figure below a row, and prose more words
    # that join.
    words = line.split()
    joining = sum(1 for word in words if word.casefold() in FUNCTION_WORDS)
    short = len(words) <= MOST_WORDS and joining <= MOST_JOINING * len(words)
    return bool(above) and short and figures(line) > 0


def values_at_end(line: str) -> tuple[str, list[str]]:
    """What a row is named by and the values behind it, where a row has lost its gaps."""
    values: list[str] = []
    rest = line.strip()
    while len(values) < MOST_VALUES and (found := _LAST_VALUE.search(rest)) is not None:
        values.insert(0, found[1])
        rest = rest[: found.start()].rstrip()
    return rest, values


def is_header(line: str, below: str) -> bool:
    """Whether a table's first line names its columns: a rule follows, or it holds no number while
    the next line does. A name may hold a number ("Dog over 20 kg") where it stands above a figure,
    and be a year."""
    if RULE.fullmatch(below):
        return True
    names, values = cells(line), cells(below)
    if len(names) != len(values) or not re.search(r"\d", below):
        return False
    if len(names) == 1:
        return not re.search(r"\d", line)
    return all(_may_name(*pair) for pair in zip(names, values, strict=True)) and not all(
        re.search(r"\d", name) for name in names
    )


def _may_name(name: str, value: str) -> bool:
    if not re.search(r"\d", name):
        return True
    above_a_figure = bool(value) and figures(value) == len(value.split())
    is_year = _YEAR.fullmatch(name) is not None and _YEAR.fullmatch(value) is None
    return above_a_figure and (is_year or figures(name) < len(name.split()))


def cells(line: str) -> list[str]:
    """The cells of a row, cut at bars, tabs or wide gaps."""
    inner = line.strip().removeprefix("|").removesuffix("|")
    parts = inner.split("|") if "|" in inner else re.split(r"\t| {3,}", inner)
    return [" ".join(cell.split()) for cell in parts]


def is_unit(cell: str) -> bool:
    """Whether a cell says for how much of something the others hold: "per tree"."""
    return bool(PER.fullmatch(cell))


def paired(names: list[str], values: list[str]) -> str:
    """A row as `name: value; name: value`, or its cells alone where the header does not fit."""
    if len(names) != len(values):
        filled = "; ".join(filter(None, values))
        # One name above many cells is the table's title.
        return f"{names[0]}: {filled}" if len(names) == 1 and names[0] else filled
    return "; ".join(
        f"{name}: {value}" if name else value
        for name, value in zip(names, values, strict=True)
        if value
    )
