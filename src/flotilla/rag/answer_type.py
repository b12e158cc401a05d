"""What kind of answer a question expects, and whether a sentence has it."""

import re
from collections.abc import Collection

from flotilla.rag.sentences import Kind, Sentence
from flotilla.rag.tables import FEWEST_NAMES
from flotilla.rag.terms import terms

MISFIT = 0.8
"""Factor of a row's score whose table does not tell what is asked."""

RIGHT_DAY, WRONG_DAY = 1.15, 0.7
"""Factors of a sentence's score that names a weekday where the question does. Embeddings hardly
tell one weekday from another, so the two are far enough apart to outweigh them."""

_ASKS_FIGURE = re.compile(
    r"\b(?:how (?:much|many|big|long|old|far|soon|quickly|fast|high|large|often|late|early)|when|"
    r"cost|costs|fees?|price|hours|percentage|what (?:time|year|age|rate|number|amount|date))\b",
    re.IGNORECASE,
)
_HAS_FIGURE = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|"
    r"fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|"
    r"ninety|hundred|thousand|million|half|noon|midnight|free|nothing)\b",
    re.IGNORECASE,
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = re.compile(
    rf"\b({'|'.join(_DAYS)})s?\b(\s*(?:to|until|till|through|[-–—])\s*(?=\w))?", re.IGNORECASE
)
_ASKED_NOUN = re.compile(
    r"\b(what|which|how many)\s+(?:(?:kind|sort|type)s?\s+of\s+)?(\w+)", re.IGNORECASE
)

# Asked with these, the answer seldom has the word: "What time?" "At noon."
_GENERAL_NOUNS = frozenset({"time", "day", "date", "number", "amount", "rate"})


def figure_fit(question: str, sentence: str) -> float:
    """1 where a figure is asked for and there, 0 where it is not there, else one half.

    For the hours of a weekday, "closed" is as good as a figure.
    """
    if not _ASKS_FIGURE.search(question):
        return 0.5
    if weekdays(question) & weekdays(sentence) and "closed" in sentence.casefold():
        return 1.0
    return 1.0 if _HAS_FIGURE.search(sentence) else 0.0


def weekday_fit(question: str, sentence: str) -> float:
    """`RIGHT_DAY` where both name the same weekday, `WRONG_DAY` where they name others, else 1."""
    asked = weekdays(question)
    named = weekdays(sentence) if asked else frozenset()
    if not named:
        return 1.0
    return RIGHT_DAY if asked & named else WRONG_DAY


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


def weekdays(text: str) -> frozenset[int]:
    """The weekdays that a text names, from 0 for Monday, those inside a range included."""
    days: set[int] = set()
    begun: tuple[int, int] | None = None  # a range's first day, and where its last must stand
    for match in _DAY.finditer(text):
        day = _DAYS.index(match[1].casefold())
        if begun is not None and begun[1] == match.start():
            days.update((begun[0] + i) % 7 for i in range((day - begun[0]) % 7))
        days.add(day)
        begun = (day, match.end()) if match[2] else None
    return frozenset(days)
