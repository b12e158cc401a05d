"""What of a sentence may be left out, so that who fills it in has learnt something."""

import re
from dataclasses import dataclass
from enum import StrEnum

from flotilla.rag.text.contacts import POSTAL
from flotilla.rag.text.terms import FUNCTION_WORDS


class GapKind(StrEnum):
    """What is left out. Wrong answers to choose from are of the same kind."""

    AMOUNT = "amount"
    PERCENTAGE = "percentage"
    TIME = "time"
    DATE = "date"
    YEAR = "year"
    NUMBER = "number"
    NUMBER_WORD = "number word"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Gap:
    """The stretch `start:end` of a text, which is `text`."""

    start: int
    end: int
    kind: GapKind
    text: str


_MONTHS = (
    "(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    "Januar|Februar|März|Mai|Juni|Juli|Oktober|Dezember)"
)
_WORDS = (
    "(?:three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    "seventeen|eighteen|nineteen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
    "(?:-(?:one|two|three|four|five|six|seven|eight|nine))?|"
    "drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig|dreißig|vierzig|fünfzig)"
)
_FIGURE = r"\d+(?:[.,]\d+)*"
# The foremost that matches at a place counts.
_PATTERNS = (
    (
        GapKind.AMOUNT,
        rf"[£$€]\s?{_FIGURE}(?:\s(?:thousand|million|billion))?|"
        rf"{_FIGURE}\s(?:EUR|USD|GBP|euros?|dollars?|pounds?|pence|cents?|Euro|Cent)\b",
    ),
    (
        GapKind.PERCENTAGE,
        rf"{_FIGURE}\s?(?:%|per ?cent\b|Prozent\b)|\b{_WORDS}\s(?:per ?cent|Prozent)\b",
    ),
    (GapKind.TIME, r"\b\d{1,2}:\d{2}\b"),
    (
        GapKind.DATE,
        rf"\b\d{{1,2}}\.?\s{_MONTHS}(?:\s\d{{4}})?\b|\b{_MONTHS}\s\d{{1,2}}(?:,\s\d{{4}})?\b|"
        r"\b\d{4}-\d{2}-\d{2}\b",
    ),
    (GapKind.YEAR, r"\b(?:19|20)\d\d\b(?![.,]?\d)"),
    (GapKind.NUMBER, rf"(?<![\w.,/-]){_FIGURE}(?![\w/-]|[.,]\d)"),
    (GapKind.NUMBER_WORD, rf"\b{_WORDS}\b"),
    (GapKind.NAME, r"\b[A-ZÄÖÜ][\w’'-]*[a-zäöüß](?:\s[A-ZÄÖÜ][\w’'-]*[a-zäöüß])+\b"),
)
_GAP = re.compile("|".join(f"(?P<k{i}>{pattern})" for i, (_, pattern) in enumerate(_PATTERNS)))

# What is looked up or typed, and not known by heart: code, links with their texts, addresses of the
# web and of mail, names of files, footnotes, numbers of telephones, and of what is referred to.
_REFERENCE = (
    r"(?:sections?|clauses?|paragraphs?|chapters?|pages?|figures?|tables?|appendix|annex|articles?|"
    r"footnotes?|versions?|no\.|nos\.|abschnitt|ziffern?|absatz|kapitel|seiten?|abbildung|tabelle|"
    r"anhang|nr\.)"
)
_VERBATIM = re.compile(
    r"`[^`]*`|!?\[[^\]\n]*\](?:\([^)\n]*\)|\[[^\]\n]*\])?|\S+@\S+|(?:https?://|www\.)\S+|"
    r"(?<!\S)--?[a-z][\w-]*(?:[ =][^\s,;]+)?|\S*(?:\w_\w|[=<>{}\\])\S*|"
    r"(?<!\S)\.{0,2}/\w\S*|[\w.-]+/[\w.-]+/[\w./-]*|"
    # A file's name may have spaces: "Annual Report.pdf".
    r"(?:[A-ZÄÖÜ][\w-]*\s)*[\w-]+(?:\.[\w-]+)*\.[a-zA-Z][a-zA-Z0-9]{1,4}\b|"
    r"(?<![\d£$€.,-])(?:\+|\(?0)\d[\d ()/.-]{5,}\d|(?<![\d£$€.,-])\d{3}[ -]\d{3}[ -]\d{4}|"
    rf"(?:\b(?i:{_REFERENCE})|§+)\s*\d[\d.]*(?:\s?(?:,|and|to|or|und|bis|oder|–|-)\s?\d[\d.]*)*"
)
_SENTENCE_END = re.compile(r"[.!?][\"'”’)]*\s*$")

TRIVIAL = frozenset({"0", "1", "2"})
"""Numbers that tell nothing: whoever guesses fills them in."""


def gaps(text: str) -> list[Gap]:
    """What may be left out of a sentence, in order. What stands in it twice may not, nor what it
    begins with: a number there is the sentence's own, and any word is written large. Nor may what
    is looked up and not known: code, links, names of files, telephone numbers, the numbers of
    sections, and all of a postal address."""
    found: list[Gap] = []
    verbatim = [match.span() for match in _VERBATIM.finditer(text)]
    if POSTAL.look.search(text) and not _SENTENCE_END.search(text):
        return []
    for match in _GAP.finditer(text):
        written = match.group()
        if match.start() == 0 or text.count(written) > 1 or written in TRIVIAL:
            continue
        if any(start < match.end() and match.start() < end for start, end in verbatim):
            continue
        kind = _PATTERNS[int(str(match.lastgroup)[1:])][0]
        first = written.split()[0].casefold()
        if kind is GapKind.NAME and (first in FUNCTION_WORDS or _begins(text, match.start())):
            continue
        found.append(Gap(match.start(), match.end(), kind, written))
    return found


def _begins(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \"“'(")
    return not before or before[-1] in ".?!:;•"
