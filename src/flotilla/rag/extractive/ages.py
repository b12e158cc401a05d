"""An age in a question against a bound: "from the age of 7" answers for a child of 6.

The number differs, and so it should: it is the bound that tells whether one of that age may.
"""

import re
from functools import lru_cache

from flotilla.rag.text.numerals import numbers
from flotilla.rag.text.terms import terms

_FEW = (
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    r"sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
)
_N = rf"(?:\d{{1,3}}(?![\d.,]\d)|(?:{_FEW})(?:-(?:{_FEW}))?)"
_SPAN = r"(?:years?|yrs?|months?|weeks?|jahren?|jahre|monaten?|monate|wochen?)"
# An age by itself, as whoever asks gives it.
_AGED = re.compile(
    rf"\b{_N}[- ]{_SPAN}[- ]olds?\b|\b(?:aged|age of|age)\s+{_N}\b|\b{_N}\s*yo\b|"
    rf"\b{_N} (?:years|jahre) (?:of age|alt)\b|\b{_N}[- ]?jährig\w*|\bmit {_N}(?: jahren)?\b|"
    rf"\b(?:i|he|she|we|they)(?: am| is| are|['’](?:m|s|re)) (?:only )?{_N}"
    rf"(?= *(?:[,.;?!]|$|and\b|now\b|years old\b|can\b|may\b))|"
    rf"\b(?:ich bin|er ist|sie ist) (?:erst )?{_N}\b",
    re.IGNORECASE,
)
_OF_AGE = re.compile(
    r"\b(?:ages?|aged|old|older|young|younger|alt|älter|jung|jünger|alter)\b", re.IGNORECASE
)
_AT = re.compile(rf"\b(?:at|with|mit|ab|over|under|über|unter) {_N}(?=\W*$|[,;?] )", re.IGNORECASE)
_BOUND = (
    r"at least|from|over|above|under|below|up to|until|minimum|no more than|not more than|"
    r"(?:not |no )?(?:younger|older|less|more) than|mindestens|höchstens|ab|über|unter|bis(?: zu)?|"
    r"(?:jünger|älter) als"
)
_SAYS_BOUND = re.compile(
    rf"\b(?:{_BOUND})\s+(?:(?:the |an? |dem )?(?:age|alter) (?:of |von )?)?{_N}"
    rf"(?P<told>(?:th)?s?(?:[- ]{_SPAN})?(?:[- ](?:of age|old|alt))?)|"
    rf"\b(?:aged?|ages) {_N}\b|\b{_N}[- ]year[- ]olds\b|\b{_N}-jährige\w*|"
    rf"\b(?:age|aged)\b[^.;]{{0,20}}\bbetween {_N} and {_N}|"
    rf"\b{_N} (?:and|or) (?:over|above|older)\b",
    re.IGNORECASE,
)
_SAYS_AGE = re.compile(
    r"\bage[ds]?\b|\byears? old\b|\byear-olds?\b|\b(?:younger|older) than\b|"
    r"\b(?:under|over) \d+s\b|\b(?:children|juniors?|adults?|minors|kinder|jugendliche)\b|"
    r"\b(?:jahre alt|jünger als|älter als|jährig\w*|alter)\b",
    re.IGNORECASE,
)
_SPENT = frozenset(terms("age aged old older young younger year years yo jahr jahre alt alter"))


@lru_cache(maxsize=256)
def age_terms(question: str) -> frozenset[str]:
    """The terms of a question that are spent on an age which somebody or something has; empty
    where it gives none: "6", "year" and "old" of "my 6 year old"."""
    found = [match.group() for match in _AGED.finditer(question)]
    if not found and _OF_AGE.search(question):
        found = [match.group() for match in _AT.finditer(question)]
    if not found:
        return frozenset()
    told = {number for text in found for number in numbers(text)}
    # "6-year-old" would be taken for a name.
    written = {word for text in found for word in (*terms(text), text.casefold())}
    return frozenset({*told, *written, *(_SPENT & {*terms(question)})})


def bounds_age(sentence: str) -> bool:
    """Whether a sentence sets a bound on an age."""
    return bool(_SAYS_BOUND.search(sentence) and _SAYS_AGE.search(sentence))
