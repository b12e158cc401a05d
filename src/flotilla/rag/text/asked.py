"""What a question asks for: its parts, and the names in it."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flotilla.rag.text.days import day_names
from flotilla.rag.text.synonyms import other_words
from flotilla.rag.text.terms import terms

if TYPE_CHECKING:
    from flotilla.models import Passage

MOST_PARTS = 3

_QUESTION_WORD = (
    "what|how|which|who|whom|whose|when|where|why|whether|can|does|do|is|are|was|were|"
    "wie|was|wer|wo|wann|warum|welche[mnrs]?"
)
_JOINT = re.compile(
    rf"(?:(?:[,;]|(?<!\s))\s+(?:and|or|und|oder|as well as)\s+|[?;]\s+)(?=(?:{_QUESTION_WORD})\b)",
    re.IGNORECASE,
)
_REFERS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|he|him|his|she|her|this|that|these|those|ones?|es|ihn|ihm|"
    r"dies\w*|davon|dafür|damit)\b",
    re.IGNORECASE,
)
_IS = re.compile(r"\b(what(?=['’]?s)|(?:who|where|when|how|which)(?=['’]s))['’]?s\b", re.IGNORECASE)
_ARE = re.compile(r"\b(what|who|where|when|how)['’]re\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:[-'’.][^\W_]+)*")
_NAME = re.compile(r"[A-ZÄÖÜ][^\W\d_]+(?:(?: of(?: the)?)? [A-ZÄÖÜ][^\W\d_]+)*")
_MIXED = re.compile(r"(?=.*\d)(?=.*[^\W\d_])")
# Two of these in a question make it German, where every noun is written large.
_GERMAN = re.compile(
    r"\b(?:der|die|das|den|dem|des|ein|eine|einen|einer|wie|wer|wo|wann|warum|welche[mnrs]?|ist|sind|"
    r"hat|haben|gibt|kann|und|oder|nicht|bei|beim|für|von|zu|ihre?[mnrs]?|sie|mit|auf|im|wird)\b",
    re.IGNORECASE,
)
MOSTLY = 0.6
"""Share of words written large from which on that says nothing: a title, or a shout."""


def expanded(question: str) -> str:
    """A question with "is" and "are" written out: "what's" names no less than "what is"."""
    question = _IS.sub(lambda match: f"{match[1]} is", question)
    return _ARE.sub(lambda match: f"{match[1]} are", question)


def parts(question: str) -> list[str]:
    """The questions that are asked in one: "What is A, and how is B done?" are two."""
    pieces = [piece.strip(" ?,;") for piece in _JOINT.split(question)]
    if len(pieces) == 1 or not all(terms(piece) for piece in pieces):
        return [question]
    return pieces[:MOST_PARTS]


def refers_back(part: str) -> bool:
    """Whether a part of a question means something that another part names."""
    return bool(_REFERS_BACK.search(part))


def names(question: str, mostly: float = MOSTLY) -> frozenset[str]:
    """The names in a question: the terms of words that are written large within it, and words that
    mix letters and digits.

    None are told in German, or where a larger share than `mostly` of the words is written large.
    """
    words = list(_WORD.finditer(question))
    inner = [word for word in words if not _begins(question, word)]
    large = [word for word in inner if word.group()[0].isupper() and word.group() != "I"]
    if len(_GERMAN.findall(question)) >= 2 or len(large) > mostly * max(1, len(inner)):
        large = []
    of_letters = [word.group() for word in large if not _MIXED.match(word.group())]
    return mixed(question).union(term for word in of_letters for term in terms(word))


def strange_names(question: str, passages: "Sequence[Passage]") -> frozenset[str]:
    """The names in a question of which no passage has anything; days of a year are none."""
    found = names(question) - set(terms(day_names(question)))
    alike = other_words(found)
    called = [set(terms(match.group())) for match in _NAME.finditer(question)]
    for text in (f"{passage.document_name} {passage.text}" for passage in passages):
        if not found:
            break
        told = terms(text)
        # "Text messages" tell of "SMS", and "islands" of the Isle of Wight.
        others = {alike[word] for word in told if word in alike}
        whole = {term for name in called if others & name for term in name}
        found = found - {*told, *others, *whole} - mixed(text)
    return found


def mixed(text: str) -> frozenset[str]:
    """The words of a text that mix letters and digits, written small: "q5", "sl-1042"."""
    words = (match.group() for match in _WORD.finditer(text))
    return frozenset(word.casefold() for word in words if _MIXED.match(word))


def _begins(question: str, word: re.Match[str]) -> bool:
    """Whether a word begins a sentence, where every word is written large."""
    before = question[: word.start()].rstrip(" \"“'(")
    return not before or before[-1] in ".?!:"
