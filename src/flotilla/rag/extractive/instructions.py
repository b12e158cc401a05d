"""Questions for what is to be done, and sentences that tell somebody to do something."""

import re

from flotilla.rag.text.contacts import asked_contact
from flotilla.rag.text.sentences import Kind, Sentence

INSTRUCTION, NONE = 1.15, 0.7
"""Factors of a sentence's score that tells to do something, and that does not, where it is asked
what is to be done."""

_ASKED_DEED = (
    r"\bwhat (?:(?:should|must|can|shall|could) (?:i|we|you|one)|do (?:i|we))\s+"
    r"(?:(?:have|need|supposed|required)\s+to\s+)?do\b|"
    r"\bwhat (?:is |needs )?to (?:be )?do(?:ne)?\b|\bwhat (?:now|next)\b|"
    r"\bwas (?:muss|soll|kann|sollte) (?:ich|man|wir)\s[^?.]*\b(?:tun|machen|unternehmen)\W*$|"
    r"\bwas (?:nun|tun)\b|\bwas (?:mache|tue) (?:ich|wir)\b"
)
_ASKS_WHAT_TO_DO = re.compile(_ASKED_DEED, re.IGNORECASE)
_ASKS_HOW_TO = re.compile(
    rf"{_ASKED_DEED}|\bwhat (?:should|must|can|shall|could) (?:i|we|you|one)\b|"
    r"\bwhat replaces?\b|\bhow (?:should|can|could|do) (?:i|we|you|one)\b|\binstead\b|"
    r"\bwas (?:muss|soll|kann|sollte) (?:ich|man)\b|\bwie (?:kann|muss|soll) (?:ich|man)\b",
    re.IGNORECASE,
)
_ASKS_HOW = re.compile(
    r"\bhow (?:should|can|could|do|must) (?:i|we|one)\b|"
    r"\bwie (?:kann|muss|soll) (?:ich|man)\b|\bwie \w+ (?:ich|man)\b",
    re.IGNORECASE,
)
_IMPERATIVES = """
add agree allow always apply arrange ask attach avoid bring call check choose click close collect
complete confirm contact copy cut deliver disconnect drain dry email empty enter fetch fill follow
give go hand hold inform insert install keep leave let lift lock look make measure mix note notify
obtain open order park pay phone place plug post present press pull push put read register remove
repeat replace report request rest return ring rinse save scan see select send set show shut sign
sit speak stay stop submit supply switch take talk tell tick turn type unplug update upload use
visit wait wash wear wipe write
"""
_INSTRUCTS = re.compile(
    r"^\W*(?:\d+[.)]\s*)?(?:(?:then|first|next|please|now|also|afterwards|finally|instead|bitte|"
    r"zuerst|dann|never|always)\b,?\s+)*"
    rf"(?:do not|don['’]t|never|{'|'.join(_IMPERATIVES.split())}|[^\W\d_]+en Sie)\b|"
    r"\b(?:may|must|should|have to|has to|need to|needs to|please|(?:is|are) to be|you (?:may|can)|"
    r"(?:is|are) (?:reported|sent|handed|entered|told|returned)|bitte|müssen|muss|soll(?:en|te)?|"
    rf"können Sie|kann man)\b|[,;:] (?:then |please )?(?:{'|'.join(_IMPERATIVES.split())})\b|"
    r"\b(?:whoever|wer)\b[^.]*\b(?:reports?|tells?|gives?|meldet|gibt|informiert)\b",
    re.IGNORECASE,
)


def asks_what_to_do(question: str) -> bool:
    """Whether a question asks what is to be done, whatever happened: "What should I do?"."""
    return bool(_ASKS_WHAT_TO_DO.search(question))


def asks_how_to(question: str) -> bool:
    """The same, or how something is done: the next step belongs to the answer."""
    return bool(_ASKS_HOW_TO.search(question))


def instructs(sentence: str) -> bool:
    """Whether a sentence tells to do something, or what may be done."""
    return bool(_INSTRUCTS.search(sentence))


def instruction_fit(question: str, sentence: Sentence) -> float:
    """`INSTRUCTION` where it is asked what is to be done and told, `NONE` where it is not told, nor
    by a row of a table how something is done; else 1."""
    if asks_what_to_do(question):
        return INSTRUCTION if instructs(sentence.shown) else NONE
    if not _ASKS_HOW.search(question) or asked_contact(question) is not None:
        return 1.0
    if sentence.kind is Kind.ROW:
        return NONE
    return INSTRUCTION if instructs(sentence.shown) else 1.0
