"""Telling what is there as a whole: a text piece by piece, as one reads it, and a step."""

import re
from collections.abc import Sequence

from flotilla.answer_streams import Listener
from flotilla.answer_streams.entries import common_length
from flotilla.models import Citation, Step

# A piece ends with a sentence, with the numbers behind it, or with a line.
_PIECE = re.compile(r".+?(?:[.!?…:](?:\s*\[\d+\])*\s+|\]\s+(?=\S)|\n+|\Z)", re.DOTALL)
_NUMBER = re.compile(r"\[(\d+)\]")


def recite(text: str, citations: Sequence[Citation], listener: Listener) -> None:
    """Tell the listener an answer's text by sentences, each citation behind the piece in which its
    number stands first.

    What the listener has of it already is not told again; what differs from that is told anew.

    Args:
        text: the answer's text, with numbers in square brackets.
        citations: what the numbers stand for.
        listener: who is told.
    """
    told = listener.written
    common = common_length(told.text, text)
    if common < len(told.text):
        listener.take_back(common, 0)
    by_number = {citation.number: citation for citation in citations}
    known = {each["number"]: Citation.model_validate(each) for each in told.citations}

    def cite(piece: str) -> None:
        for number in _numbers(piece):
            citation = by_number.pop(number, None)
            if citation is not None and known.get(number) != citation:
                listener.citation(citation)

    cite(text[:common])
    for piece in _PIECE.findall(text[common:]):
        listener.token(piece, "")
        cite(piece)


def tell_step(listener: Listener, step: Step, place: int) -> None:
    """Tell of the trace's step at this place, unless an earlier attempt has told of it there."""
    told = listener.written.trace
    if place >= len(told) or told[place]["name"] != step.name:
        listener.trace(step)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in _NUMBER.findall(text)]
