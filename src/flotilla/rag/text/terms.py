"""Terms of a text and how much each of them tells: the lexical half of choosing a sentence."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py_rust_stemmers import SnowballStemmer

# A code such as "SL-2021" is one word, and so is 7:30, of which neither number stands alone.
_WORD = re.compile(r"\b[A-Z]{1,5}-\d+(?:[-.]\d+)*\b|\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_FULL_HOUR = re.compile(r"^(\d{1,2}):00$")

# Words that ask or join and name nothing, those of `how long` and `how far` among them.
# Of other languages the inverse frequency takes care.
_FUNCTION_WORDS = """
a about after all also am an and any are as at be been before big but by can could did do does
doing far for from get give had happen happens has have having he her here him his how i if in
into is it its just like long many may me might mine more most much must my no not of off on one
only or our out over own please quickly shall she should so some soon such tell than that the
their them then there these they this those to under up us was we were what when where whether
which while who whom whose why will with would you your i'm i've i'd i'll you're you've we're
we've they're aren't can't couldn't didn't doesn't don't hasn't haven't isn't shouldn't wasn't
weren't won't wouldn't
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())


@lru_cache(maxsize=1)
def _stemmer() -> "SnowballStemmer":
    from py_rust_stemmers import SnowballStemmer

    return SnowballStemmer("english")


def stem(word: str) -> str:
    """A word without its endings, for comparison; English ones, and others as they are."""
    return str(_stemmer().stem_word(_plain(word)))


def terms(text: str) -> list[str]:
    """The stemmed words and the numbers of a text, function words left out, in order."""
    return [word if word[0].isdigit() else stem(word) for word in _words(text)]


def content_words(text: str) -> list[str]:
    """The words of a text as they are written, function words and numbers left out, in order."""
    return [word for word in _words(text) if not word[0].isdigit()]


def _words(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        word = _plain(_FULL_HOUR.sub(r"\1", match.group()))
        if word not in FUNCTION_WORDS:
            yield word


def _plain(word: str) -> str:
    return word.casefold().replace("’", "'").removesuffix("'s")


def weights(texts: Iterable[Iterable[str]]) -> dict[str, float]:
    """The inverse document frequency of every term, `ln(1 + (N - n + 0.5) / (n + 0.5))`.

    The form is that of BM25 (Robertson and Zaragoza, 2009), which stays above zero. The empty
    string holds the weight of a term that no text has.
    """
    frequency: Counter[str] = Counter()
    number = 0
    for words in texts:
        frequency.update(set(words))
        number += 1
    found = {term: math.log(1 + (number - n + 0.5) / (n + 0.5)) for term, n in frequency.items()}
    found[""] = math.log(1 + (number + 0.5) / 0.5)
    return found


def coverage(
    question: Iterable[str],
    text: Iterable[str],
    weight: Mapping[str, float],
    context: Iterable[str] = (),
) -> float:
    """How much of a question's terms, by weight, a text holds: 0 none, 1 all.

    A term that only the text's `context` holds, its headings, counts half. A question without
    terms covers nothing.
    """
    here, around = set(text), set(context)
    total = gained = 0.0
    for term in set(question):
        worth = weight.get(term, weight[""])
        total += worth
        gained += worth if term in here else worth / 2 if term in around else 0.0
    return gained / total if total else 0.0
