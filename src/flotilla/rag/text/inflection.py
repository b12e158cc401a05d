"""Forms of German words: a question's words are found though a text declines them."""

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from flotilla.rag.refusals import function_words, tongue_of
from flotilla.rag.text.terms import content_words, stem, terms

if TYPE_CHECKING:
    from py_rust_stemmers import SnowballStemmer

GERMAN = "de"

SHORTEST = 4
"""Letters that a word keeps when an ending or a prefix is taken off."""

# Asked with "wie", they are no more than the question's own word: "Wie hoch ist die Miete?"
_DEGREE_WORDS = "alt breit groß hoch lange lang oft schnell schwer spät teuer viel weit"
_DEGREES = frozenset(_DEGREE_WORDS.split())
_FEMININE = re.compile(r"(?<=er|or)(?:in|innen)$|(?<=ist|ent|ant|eur)(?:in|innen)$")
_NOUN = re.compile(r"(?<=[^\W_][\s,(])\W*([A-ZÄÖÜ][^\W\d_]{2,})")
_LINKS = ("e", "s", "n", "en", "es", "er")
_PLAIN = str.maketrans({"ä": "a", "ö": "o", "ü": "u", "ß": "ss"})


@lru_cache(maxsize=1)
def _stemmer() -> "SnowballStemmer":
    from py_rust_stemmers import SnowballStemmer

    return SnowballStemmer("german")


@lru_cache(maxsize=20_000)
def german_root(word: str) -> str:
    """What the forms of a German word have in common: number, case, umlaut, the feminine of a
    person ("Hausmeisterin") and the participle ("geöffnet") are taken off."""
    root = word.casefold().translate(_PLAIN)
    if root.startswith("ge") and root.endswith("t") and len(root) > SHORTEST + 3:
        root = root[2:]
        root = root.removesuffix("t").removesuffix("e")
    root = _FEMININE.sub("", root)
    if len(root) > SHORTEST + 1:
        root = root.removesuffix("et")
    return str(_stemmer().stem_word(root)).translate(_PLAIN)


def is_compound_of(root: str, others: Collection[str]) -> bool:
    """Whether a German root is made of two others: "mietminder" of "miet" and "mind"."""
    for place in range(SHORTEST, len(root) - SHORTEST + 1):
        first, second = root[:place], root[place:]
        begins = any(first in (other, *(f"{other}{link}" for link in _LINKS)) for other in others)
        if begins and any(len(o) >= SHORTEST and second.startswith(o) for o in others):
            return True
    return False


def root_of(question: str) -> Callable[[str], str]:
    """What tells that two words are forms of one, in the language of a question."""
    return german_root if tongue_of(question) == GERMAN else stem


def german_terms(question: str) -> dict[str, str]:
    """Of a German question the terms by their roots; empty where it is in another language."""
    if tongue_of(question) != GERMAN:
        return {}
    light = function_words(question)
    return {german_root(w): stem(w) for w in content_words(question) if w not in light}


def asked_terms(question: str) -> list[str]:
    """The terms of a question without the function words of its language, unless it has no
    others."""
    if tongue_of(question) != GERMAN:
        return terms(question)
    light = {stem(word) for word in function_words(question) | degrees(question)}
    return [term for term in terms(question) if term not in light] or terms(question)


def degrees(question: str) -> frozenset[str]:
    """The words of a German question that "wie" makes a question's own."""
    words = question.casefold().split()
    return _DEGREES & {word for before, word in pairwise(words) if before == "wie"}


def nouns(question: str) -> frozenset[str]:
    """The terms of a German question's nouns, which are written large within it."""
    if tongue_of(question) != GERMAN:
        return frozenset()
    light = function_words(question)
    found = (match[1].casefold() for match in _NOUN.finditer(question))
    return frozenset(stem(word) for word in found if word not in light)
