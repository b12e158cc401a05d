"""What kind of answer a question expects, and whether a sentence has it."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from flotilla.rag.extractive.needs import HAS_FIGURE
from flotilla.rag.extractive.superlatives import superlative
from flotilla.rag.text.contacts import POSTAL, asked_contact, has
from flotilla.rag.text.days import dates, weekdays
from flotilla.rag.text.sentences import Kind, Sentence
from flotilla.rag.text.tables import FEWEST_NAMES
from flotilla.rag.text.terms import terms

MISFIT = 0.8
"""Factor of a row's score whose table does not tell what is asked."""

RIGHT_DAY, WRONG_DAY = 1.15, 0.7
"""Factors of a sentence's score that names a day where the question does. Embeddings hardly
tell one weekday from another, so the two are far enough apart to outweigh them."""

RIGHT_SIDE, WRONG_SIDE = 1.15, 0.7
"""The same for the side of a matter that is asked for: what is not so, when something closes, and
what holds anywhere. To embeddings both sides are nearly one."""

_ASKS_FIGURE = re.compile(
    r"\b(?:how (?:much|many|big|long|old|far|soon|quickly|fast|high|large|often|late|early|heavy)|"
    r"when|cost|costs|fees?|price|hours|percentage|what (?:time|year|age|rate|number|amount|date)|"
    r"wann|wie (?:viele?|lange|alt|weit|hoch|groß|oft|spät|schwer)|wieviele?|kostet|preis)\b",
    re.IGNORECASE,
)
# A time of the day, a day or a year, but no "45 minutes".
_HAS_TIME = re.compile(
    r"\d{1,2}[:.]\d\d\b|\b\d{1,2} ?(?:[ap]\.?m\b|o['’]clock|uhr\b|(?:to|bis|[-–]) ?\d)|"
    r"\b(?:noon|midday|midnight|mittag|mitternacht|half past|24 hours)\b|\b(?:19|20)\d\d\b|"
    r"\b(?:at|until|till|from|by|um|bis|ab) (?:\d|one|two|three|four|five|six|seven|eight|nine|ten|"
    r"eleven|twelve)\b",
    re.IGNORECASE,
)
_CLOSED = re.compile(r"\b(?:closed|geschlossen)\b", re.IGNORECASE)
_ASKED_NOUN = re.compile(
    r"\b(what|which|how many)\s+(?:(?:kind|sort|type)s?\s+of\s+)?(\w+)", re.IGNORECASE
)

# Asked with these, the answer seldom has the word: "What time?" "At noon."
_GENERAL_NOUNS = frozenset({"time", "day", "date", "number", "amount", "rate"})

_NOT = (
    r"(?:not|cannot|never|\w+n['’]t|exclud\w*|exclusions?|exceptions?|excepted|forbidden|"
    r"prohibited|nicht|nie|niemals|keine?[mnrs]?|ausgeschlossen|ausgenommen|verboten)"
)
# "Which things are not covered?", but not "What if it does not start?" nor "Why does it not start?"
_ASKS_NOT = re.compile(
    rf"^\W*(?:what|which|who|when|where|was|welche[mnrs]?|wer|wann|wo)\b"
    rf"(?:(?!\b(?:if|when|that|because|who|or|and|wenn|dass|weil|die|der|und|oder)\b)[^,;.?])*?"
    rf"\b{_NOT}\b",
    re.IGNORECASE,
)
_SAYS_NOT = re.compile(rf"\b(?:{_NOT}|neither|except|außer)\b", re.IGNORECASE)
# These may be said of anything else: "carry no warranty", but not "Stock no.".
_MAY_SAY_NOT = re.compile(r"\b(?:no(?!\.)|nor|none|nothing|without|ohne)\b", re.IGNORECASE)

_NOT_WORD = re.compile(_NOT, re.IGNORECASE)

_ASKS_WHEN = re.compile(
    r"\b(?:when|what time|how (?:late|early|long)|until|wann|wie lange|um wie viel uhr)\b",
    re.IGNORECASE,
)
_ASKS_SPAN = re.compile(r"\b(?:how (?:late|long)|wie lange)\b", re.IGNORECASE)
_CLOSES = re.compile(
    r"\b(?:clos(?:e|es|ing)|shuts?|schließ(?:t|en)|bis wann|"
    r"(?:until|till)(?!\s+(?:[\w'’]+\s+){1,6}(?:is|are|gets?|has|have|becomes?|arrives?)\b))\b",
    re.IGNORECASE,
)
_OPENS = re.compile(r"\b(?:opens?|öffne[nt]|offen|geöffnet|auf)\b", re.IGNORECASE)
_CLOSING = (
    r"(?:clos(?:e|es|ed|ing)|shuts?|ends?|until|till?|to|schließ(?:t|en)|macht zu|endet|bis|"
    r"geschlossen)"
)
_OPENING = r"(?:open(?:s|ed|ing)?|starts?|begins?|from|öffne[nt]|geöffnet|offen|beginnt|ab|von)"
_SPAN = r"\d[^\d\s]*\s*(?:[-–—]|to|till?|until|bis)\s*\d"
_SAYS_CLOSING = re.compile(rf"\b{_CLOSING}\b|{_SPAN}", re.IGNORECASE)
_SAYS_OPENING = re.compile(rf"\b{_OPENING}\b|{_SPAN}", re.IGNORECASE)

_SAYS_MOST = re.compile(
    r"\b(?:most|least|only|\w{3,}est|\w{3,}ste[nmrs]?|maximum|minimum|nur)\b", re.IGNORECASE
)
_WHAT_IS = re.compile(r"^\W*(?:what(?: is| are|['’]s)|wie (?:lautet|ist))\b", re.IGNORECASE)
_ASKS_WHERE = re.compile(r"^\W*(?:where|wo)\b", re.IGNORECASE)
_MAY_SAY_WHERE = re.compile(
    r"\b(?:in|at|on|to|from|near|opposite|behind|beside|besides|between|under|over|above|below|inside|"
    r"outside|into|via|through|by|next|around|across|along|here|there|upstairs|downstairs|online|left|"
    r"right|north|south|east|west|room|floor|street|road|website|anywhere|everywhere|nowhere|im|am|"
    r"an|auf|bei|beim|neben|hinter|vor|gegenüber|zum|zur|nach|aus|über|unter|hier|dort|raum|straße)\b|"
    r"/|@|:\s",
    re.IGNORECASE,
)
_PASSIVE = re.compile(r"\b(?:by|von)\s+(?=(?:[Dd]r|[Mm]rs?|[Mm]s)\b|her\b|his\b|their\b|[A-ZÄÖÜ])")
_YES_OR_NO = re.compile(
    r"^\W*(?:(?:and|but|und|hi|hello)\W+)?(?:do|does|did|can|could|may|is|are|was|will|would|have|"
    r"has|shall|should)\b",
    re.IGNORECASE,
)
_ANYWHERE = re.compile(
    r"\b(?:within|anywhere|everywhere|nationwide|worldwide|abroad|throughout|any|every|all|each|"
    r"only|beyond|outside|distances?|mainland|further|farther|no other)\b",
    re.IGNORECASE,
)


def fit_of(
    question: str, sentence: Sentence, context: Collection[str], strange: Collection[str] = ()
) -> float:
    """How well a sentence fits what is asked: the product of the fits below."""
    return (
        day_fit(question, sentence.shown)
        * named_fit(question, sentence, context)
        * side_fit(question, sentence, strange)
    )


def figure_fit(question: str, sentence: str) -> float:
    """1 where a figure is asked for and there, 0 where it is not there, else one half.

    For the hours of a day, "closed" is as good as a figure.
    """
    if not _ASKS_FIGURE.search(question):
        return 0.5
    if _same_day(question, sentence) and _CLOSED.search(sentence):
        return 1.0
    return 1.0 if HAS_FIGURE.search(sentence) else 0.0


def day_fit(question: str, sentence: str) -> float:
    """`RIGHT_DAY` where both name the same day of the week or of the year, `WRONG_DAY` where they
    name different days of the week, else 1."""
    if _same_day(question, sentence):
        return RIGHT_DAY
    return WRONG_DAY if weekdays(question) and weekdays(sentence) else 1.0


def side_fit(question: str, sentence: Sentence, strange: Collection[str] = ()) -> float:
    """`RIGHT_SIDE` where one side of a matter is asked for and told, `WRONG_SIDE` where another
    one is told, else 1.

    Sides are what is and what is not so, when something opens and when it closes, where it is and
    when it is open, a telephone number and what else is said of somebody, and, for a question of
    yes or no with a name that is `strange` to all passages, what holds anywhere and what holds
    for somebody else.
    """
    shown = sentence.shown
    sides = _sides(question)
    found = 1.0
    if sides.negative:
        told = f"{sentence.heading}\n{shown}"
        if _SAYS_NOT.search(told):
            found *= RIGHT_SIDE
        elif sentence.kind is Kind.ROW or not _MAY_SAY_NOT.search(told):
            found *= WRONG_SIDE
    if sides.closing or sides.opening:
        found *= _clock_fit(question, shown, closing=sides.closing)
    contact = asked_contact(question) if sides.what else None
    # An address may be told in other words than a letter's.
    if contact is not None and contact is not POSTAL and not has(contact, shown):
        found *= WRONG_SIDE
    hours = weekdays(shown) or _HAS_TIME.search(shown)
    if (contact is POSTAL and hours and not has(contact, shown)) or (
        sides.where and weekdays(shown) and (_HAS_TIME.search(shown) or _CLOSED.search(shown))
    ):
        found *= WRONG_SIDE
    prose = sentence.kind in (Kind.SENTENCE, Kind.ITEM)
    if sides.where and prose and not _MAY_SAY_WHERE.search(_PASSIVE.sub(" ", shown)):
        found *= WRONG_SIDE
    if superlative(question) is not None and not _may_be_most(sentence):
        found *= WRONG_SIDE
    if strange and sides.yes_or_no:
        found *= RIGHT_SIDE if _ANYWHERE.search(shown) else WRONG_SIDE
    return found


def _may_be_most(sentence: Sentence) -> bool:
    """Whether a sentence may tell the most of something: by a figure, or because it says so. One
    row out of many does not, where none was told to be the one."""
    if sentence.named_cells:
        return False
    return bool(HAS_FIGURE.search(sentence.shown) or _SAYS_MOST.search(sentence.shown))


def _clock_fit(question: str, shown: str, *, closing: bool) -> float:
    """`WRONG_SIDE` where a text has no time at all, or only the other one of the two, else 1."""
    if _CLOSED.search(shown) and not _HAS_TIME.search(shown):
        # Being closed on one day is no hour of another.
        if _same_day(question, shown) or not weekdays(shown):
            return 1.0
        return WRONG_SIDE
    side, other = (_SAYS_CLOSING, _SAYS_OPENING) if closing else (_SAYS_OPENING, _SAYS_CLOSING)
    told = _HAS_TIME.search(shown) and (side.search(shown) or not other.search(shown))
    return 1.0 if told else WRONG_SIDE


@dataclass(frozen=True, slots=True)
class _Sides:
    """Which sides a question asks for."""

    negative: bool
    closing: bool
    opening: bool
    where: bool
    what: bool
    yes_or_no: bool


@lru_cache(maxsize=256)
def _sides(question: str) -> _Sides:
    when = bool(_ASKS_WHEN.search(question))
    opens = when and bool(_OPENS.search(question))
    closing = when and bool(_CLOSES.search(question))
    return _Sides(
        negative=bool(_ASKS_NOT.search(question)),
        closing=closing or (opens and bool(_ASKS_SPAN.search(question))),
        opening=opens,
        what=bool(_WHAT_IS.search(question)),
        where=bool(_ASKS_WHERE.search(question)),
        yes_or_no=bool(_YES_OR_NO.search(question)),
    )


def says_not(word: str) -> bool:
    """Whether a word is what a question for what is not so is put with: "excluded"."""
    return bool(_NOT_WORD.fullmatch(word))


def asks_not(question: str) -> bool:
    """Whether a question asks for what is not so: "What is not included?"."""
    return _sides(question).negative


def named_fit(question: str, sentence: Sentence, context: Collection[str]) -> float:
    """`MISFIT` for a row whose named columns have nothing of what is asked, else 1.

    "What colour", "which fuel" and "how many doors" name what they ask for, and a table with a
    header says what it tells. `context` are the terms of the headings above: they may name the
    things that a table lists, but not how many there are.
    """
    if sentence.kind is not Kind.ROW or len(sentence.header.split()) < FEWEST_NAMES:
        return 1.0
    found = _ASKED_NOUN.search(question)
    noun = terms(found[2]) if found and found[2].casefold() not in _GENERAL_NOUNS else []
    if found is None or not noun:
        return 1.0
    there = set(terms(sentence.shown))
    if found[1].casefold() != "how many":
        there.update(context)
    # A column "Mileage" tells how many miles.
    return 1.0 if any(term.startswith(noun[0]) for term in there) else MISFIT


def _same_day(question: str, sentence: str) -> bool:
    """Whether both name the same day of the week or of the year."""
    if weekdays(question) & weekdays(sentence):
        return True
    asked = dates(question)
    return bool(asked and asked & dates(sentence))
