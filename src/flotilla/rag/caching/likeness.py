"""Whether two questions ask for the same: the veto on what looks alike to an embedding model.

Vectors of "the warranty on a used car" and "the warranty on a new car" are nearer to one another
than those of most paraphrases, so that no threshold tells them apart. Here all that a question is
about has to agree: its words, numbers, negations and their order. What may differ is how it asks
(politeness, `how long` for `the duration`), articles and such, capitals, singular and plural, and
"a used car's warranty" for "the warranty of a used car". A false veto costs the time of an answer;
a false agreement would give a wrong one.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from flotilla.rag.caching.question_words import ANY, ENGLISH, GERMAN, QuestionWords

_CONTRACTIONS = (
    (re.compile(r"\b(ca|wo|sha)n't\b"), r"\1n not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(what|where|who|when|how|that|there|it)'s\b"), r"\1 is"),
    (re.compile(r"'(?:re|ve|ll|d|m)\b"), ""),
    (re.compile(r"'s\b"), ""),
)
_TOKEN = re.compile(
    r"\d+(?:[.,:]\d+)*|_[A-Z]+|[^\W\d]+(?:-[^\W\d]+)*|(?<!\w)-(?=\d)|[%£$€+#<>=&/@*°]"
)
_SHOUTED = re.compile(r"\b[A-Z]{2,5}\b")  # what is longer is a word, and stressed
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve",
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
)
_NUMBERS = {
    word: str(number) for words in _NUMBER_WORDS for number, word in enumerate(words.split())
}

LONGEST_SWAP = 4
"""Words of a noun that may change places with another one."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a question asks for.

    `words` are what it is about, in order; `joints` the places between them at which a noun is
    joined to another; `asks` are the ways of asking.
    """

    words: tuple[str, ...]
    joints: frozenset[int]
    asks: frozenset[str]
    language: str


def alike(one: str, other: str) -> bool:
    """Whether two questions ask for the same, as far as their words tell."""
    a, b = meaning(one), meaning(other)
    if a.asks != b.asks or a.language != b.language or not a.words:
        return False
    return a.words == b.words or _swapped(a, b) or _swapped(b, a)


def language_of(question: str) -> str:
    """`en`, `de`, or an empty string where neither is recognised."""
    words = set(re.findall(r"[^\W\d_]+", question.casefold()))
    scores = {
        name: len(words & (table.passed_over | table.auxiliaries | table.negations))
        + sum(1 for ask, _ in table.asks if ask.search(question.casefold()))
        for name, table in _TABLES.items()
    }
    best = max(scores, key=lambda name: scores[name])
    others = max(score for name, score in scores.items() if name != best)
    return best if scores[best] > others else ""


_TABLES = {"en": ENGLISH, "de": GERMAN}


@lru_cache(maxsize=4096)
def meaning(question: str) -> Meaning:
    """What a question asks for."""
    text = unicodedata.normalize("NFKC", question).replace("’", "'").strip()
    language = language_of(text)
    table = _TABLES.get(language, ANY)
    shouted = set(_SHOUTED.findall(text)) if not text.isupper() else set()
    # An abbreviation is a name, even that of a pronoun: `US`, `IT`, `WHO`.
    text = _SHOUTED.sub(lambda m: f"{m[0].casefold()}_name" if m[0] in shouted else m[0], text)
    text = _THOUSANDS.sub("", text.casefold())
    if language == "en":
        for pattern, plain in _CONTRACTIONS:
            text = pattern.sub(plain, text)
    text = table.openings.sub("", text)
    asks = set()
    first = re.match(r"[^\W\d_]+", text)
    if first is not None and first[0] in table.auxiliaries:
        asks.add("_WHETHER")
    for pattern, sign in table.asks:
        text, found = pattern.subn(sign, text)
        if found:
            asks.add(sign.strip())
    if "_HOW" in asks:  # `how can I` is `how do I`
        asks.discard("_CAN")
    words: list[str] = []
    joints: set[int] = set()
    for token in _TOKEN.findall(text):
        if token in table.joints:
            joints.add(len(words))
        if token.startswith("_") or token in table.passed_over:
            continue
        if token in table.negations:
            words.append("_NOT")
        else:
            words.append(_plain(token, table, language))
    return Meaning(tuple(words), frozenset(joints), frozenset(asks), language)


def _plain(word: str, table: QuestionWords, language: str) -> str:
    """A word without what may differ: its number, and which of two words for one thing it is."""
    word = _NUMBERS.get(word, word)
    word = table.same.get(word, word)
    if language == "en":
        word = _singular(word)
    return table.same.get(word, word)


def _singular(word: str) -> str:
    if len(word) <= 3 or word.endswith(("ss", "us", "is", "_name")) or not word.endswith("s"):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    return word[:-1]


def _swapped(asked: Meaning, other: Meaning) -> bool:
    """Whether one noun stands before another in the other question that it is joined to in this.

    Where the other one joins them as well, the two have changed their roles.
    """
    words = asked.words
    if sorted(words) != sorted(other.words):
        return False
    for joint in asked.joints:
        for first in range(max(0, joint - LONGEST_SWAP), joint):
            for last in range(joint + 1, min(len(words), joint + LONGEST_SWAP) + 1):
                moved = words[joint:last] + words[first:joint]
                if (
                    words[:first] + moved + words[last:] == other.words
                    and first + last - joint not in other.joints
                    and "_NOT" not in moved
                ):
                    return True
    return False
