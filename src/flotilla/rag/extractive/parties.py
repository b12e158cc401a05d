"""Who does what is asked about: who asks is "you" in the documents, and "you" is "we" there."""

import re
from functools import lru_cache

from flotilla.rag.text.terms import stem, terms

ANOTHER = 0.8
"""Factor of the score of a sentence that holds if the other party does something else than what the
question says of the one: it may be the best, and stands beside no other."""

_IF = r"\b(?:if|when|in case|wenn|falls)\s+"
_REST = r"(?P<deed>[^,;.?!]*)"
_CUSTOMER = r"you|sie|the (?:customer|buyer|tenant|guest|client)"
_ASKED_IF = re.compile(
    rf"{_IF}(?:(?P<mine>i|we|ich|wir)|(?P<yours>you|sie))\s+{_REST}", re.IGNORECASE
)
_SAID_IF = re.compile(rf"{_IF}(?:(?P<ours>we|wir)|{_CUSTOMER})\s+{_REST}", re.IGNORECASE)
_ME = re.compile(r"\b(?:i|me|my|mine|ich|mich|mir|mein\w*)\b", re.IGNORECASE)

_AUXILIARY = (
    r"can|may|could|do|did|must|shall|should|will|would|might|have to|need to|want to|wish to|am|"
    r"have|only|also|still|then|not|never|just|simply|ever|already|no longer"
)
_ASKED_DEED = re.compile(
    rf"\b(?:can|may|could|do|did|must|shall|should|will|would|might|if|when)\s+i\s+"
    rf"(?:(?:{_AUXILIARY})\s+)*(?P<verb>[^\W\d_]+)",
    re.IGNORECASE,
)
_OUR_DEED = re.compile(
    rf"\b(?:(?:if|when|in case)\s+we|we\s+(?:may|can|could))\s+(?:(?:{_AUXILIARY})\s+)*"
    rf"(?P<verb>[^\W\d_]+)(?!\s+you\b)",
    re.IGNORECASE,
)
_YOUR_DEED = re.compile(
    rf"\b(?:you|{_CUSTOMER})\s+(?:(?:{_AUXILIARY})\s+)*(?P<verb>[^\W\d_]+)", re.IGNORECASE
)
# What the one takes the other gives: with these words both tell of one deed.
_MUTUAL_WORDS = """
agree arrange be buy fail find get go hire insure lease lend rent reach sell
"""
_MUTUAL = frozenset(map(stem, _MUTUAL_WORDS.split()))

_FIRM_SELLS = re.compile(
    r"\b(?:(?:do|can|will|would|are|did) you (?:\w+ ){0,2}?(?:sell|selling)|"
    r"(?:can|may|could|do|should|must|will) i (?:\w+ ){0,2}?(?:buy|purchase)|if i (?:buy|purchase)|"
    r"we (?:\w+ ){0,2}?(?:sell|sold)|(?:buy|bought|purchased?|buying) (?:[^.,;]{0,40} )?from us|"
    r"(?:sold|sell) (?:\w+ ){0,3}to you)\b",
    re.IGNORECASE,
)
_FIRM_BUYS = re.compile(
    r"\b(?:(?:do|can|will|would|are|did) you (?:\w+ ){0,2}?(?:buy|purchase|buying)|"
    r"(?:can|may|could|do|should|must|will) i (?:\w+ ){0,2}?sell|if i sell|"
    r"we (?:\w+ ){0,2}?(?:buy|bought|purchase)|(?:sell|selling|sold) (?:[^.,;]{0,40} )?to us|"
    r"selling your|(?:if|when) you (?:only )?sell)\b",
    re.IGNORECASE,
)


def done_by_another(question: str, sentence: str) -> bool:
    """Whether a sentence tells what follows if the one party does what the question says of the
    other, what the other may do, or who buys where it is asked who sells."""
    return (
        _if_excludes(question, sentence)
        or _ours_not_mine(question, sentence)
        or _trades_otherwise(question, sentence)
    )


def other_party_fit(question: str, sentence: str) -> float:
    """`ANOTHER` where the question says what one party does and the sentence what follows if the
    other does something, else 1."""
    asked, said = _ASKED_IF.search(question), _SAID_IF.search(sentence)
    if asked is None or said is None or not (asked["mine"] and said["ours"]):
        return 1.0
    return 1.0 if _YOUR_DEED.search(sentence[: said.start()]) else ANOTHER


def _if_excludes(question: str, sentence: str) -> bool:
    asked, said = _ASKED_IF.search(question), _SAID_IF.search(sentence)
    if asked is None or said is None:
        return False
    same = set(terms(asked["deed"])) & set(terms(said["deed"]))
    return bool(same) and bool(asked["mine"]) == bool(said["ours"])


def _ours_not_mine(question: str, sentence: str) -> bool:
    """Whether a sentence says of "us" alone what the question asks of "me"."""
    mine = _verbs(_ASKED_DEED, question) - _MUTUAL
    ours = mine & _verbs(_OUR_DEED, sentence) if mine else mine
    return bool(ours - _verbs(_YOUR_DEED, sentence))


def _trades_otherwise(question: str, sentence: str) -> bool:
    asked = bool(_FIRM_SELLS.search(question)), bool(_FIRM_BUYS.search(question))
    if asked[0] is asked[1]:
        return False
    told = bool(_FIRM_SELLS.search(sentence)), bool(_FIRM_BUYS.search(sentence))
    return told == (asked[1], asked[0])


@lru_cache(maxsize=4096)
def _verbs(pattern: re.Pattern[str], text: str) -> frozenset[str]:
    return frozenset(stem(match["verb"]) for match in pattern.finditer(text))


def is_certain(question: str) -> bool:
    """Whether a question tells who does it for certain: "if you lose it" may mean anybody."""
    asked = _ASKED_IF.search(question)
    return asked is None or asked["yours"] is None or bool(_ME.search(question))
