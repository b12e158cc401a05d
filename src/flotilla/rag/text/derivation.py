"""English words that are derived from one another: "complaint" from "complain".

Their stems differ, and single words' embeddings are near only for some. What is taken off here is
taken off both words, so that a root need not be a word; it is only ever compared with another.
"""

import re
from functools import lru_cache

from flotilla.rag.refusals import ENGLISH, tongue_of
from flotilla.rag.text.terms import content_words, stem

SHORTEST = 4
"""Letters that a root keeps, but for `_OF_THREE`."""

_ENDINGS = (
    r"i(?:fi)?cations?|at(?:e[ds]?|ing)|[ai]tions?|ions?|ments?|[ae]nc(?:es?|y|ies)|(?:er|or)(?:y|ies)|ers?|ors?|"
    r"(?<=[vws])als?|(?<=rent)als?|ures?|ships?|hoods?|ness(?:es)?|ings?|e[ds]|i?es|s|i?ed|[yei]"
)
_ENDING = re.compile(rf"(?:{_ENDINGS})$")
_OF_THREE = re.compile(r"(own|buy|use|sue|tax|fly|end)(?:ments?|ers?|ing|s|ed)$")
_DOUBLED = re.compile(r"([bdglmnprt])\1$")
# What ends like a derived word and is none, so that it has nothing to do with "corn" and the like.
_WHOLE_WORDS = """
banker better butter center centre charter chapter corner counter former later latter letter
master matter minister member mother number order other paper partner party poster quarter
remember sister summer tender their water weather winter major minor doctor motor station nation
mission passion pension portion section session version region religion million season reason
person comment moment cement document element segment apartment department fragment garment
pigment figure nature picture feature future gesture lecture literature measure temperature king
ring spring string thing wing sibling ceiling evening morning building wedding during something
nothing everything shower tower power flower cover recover discover answer proper error mirror
"""
_WHOLE = frozenset(_WHOLE_WORDS.split())
# Each a family that no ending tells.
_FAMILIES = """
complain complaint
pay paid payment payer
move movement moved mover
decide decision
extend extension extent
expand expansion
admit admission
permit permission
submit submission
describe description
subscribe subscription
receive receipt reception
lose loss lost
choose choice chose chosen
sell sale sold seller
buy buyer bought
weigh weight
die death dead
prove proof
advise advice
succeed success
depart departure
speak speech
fly flight
grow growth
think thought
know knowledge
believe belief
life live alive
serve service
respond response
defend defence defense
divide division
explain explanation
pronounce pronunciation
maintain maintenance
high height
long length
wide width
deep depth
strong strength
hot heat
warm warmth
free freedom
safe safety
able ability
difficult difficulty
ill illness
sick sickness
dentist dental
nation national
profession professional
teach teacher taught
drive driver drove driven
register registration registrar
enter entry entrance
enrol enroll enrolment enrollment
apologise apology
analyse analysis
compare comparison
import importation
"""


@lru_cache(maxsize=1)
def _roots() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _FAMILIES.strip().split("\n"):
        words = line.split()
        found.update(dict.fromkeys(words, f"{words[0]}*"))
    return found


@lru_cache(maxsize=20_000)
def family(word: str) -> str:
    """What the words that are derived from one another have in common, of an English word written
    small."""
    word = word.replace("’", "'").removesuffix("'s")
    families = _roots()
    place = word
    while True:
        if place in families:
            return families[place]
        if place.removesuffix("s") in _WHOLE or place in _WHOLE:
            return place.removesuffix("s")
        short = _OF_THREE.match(place)
        if short is not None:
            return short[1]
        ending = _ENDING.search(place, SHORTEST)
        if ending is None:
            break
        place = place[: ending.start()]
        for whole in (place, f"{place}e"):
            if whole in families:
                return families[whole]
    return _DOUBLED.sub(r"\1", place)


def derived_terms(question: str) -> dict[str, str]:
    """Of an English question the terms by the families of their words; empty where it is in
    another language."""
    if tongue_of(question) != ENGLISH:
        return {}
    return {family(word): stem(word) for word in content_words(question)}
