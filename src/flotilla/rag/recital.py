"""Telling what is there as a whole: a text piece by piece, as one reads it, and steps."""

import re
from collections.abc import Sequence
from threading import Lock
from typing import Any

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


class ToldSteps:
    """Tells the steps of a run, each once, however many attempts the run takes; safe between
    threads.

    What an earlier attempt has told and this one takes again, because it was lost before it was
    kept, stays as it was told.

    Args:
        listener: who is told; what earlier attempts have told is known from it.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._lock = Lock()
        self._before = list(listener.written.trace)  # what this attempt has not come to yet
        self._known: list[dict[str, Any]] = []

    def tell(self, step: Step, *, among_others: bool = False) -> None:
        """Tell of a step, unless an earlier attempt has told of it.

        `among_others` says that further steps of its name may be taken at the same time, so that
        it takes what it saw to know it again.
        """
        fresh = step.model_dump(mode="json")
        with self._lock:
            self._known.append(fresh)
            of_name = [each for each in self._before if each["name"] == step.name]
            told = [each for each in of_name if each == fresh]
            told += [each for each in of_name if each["saw"] == fresh["saw"]]
            told += of_name if not among_others else []
            if told:
                self._before.remove(told[0])
                return
        self._listener.trace(step)

    def complete(self, steps: Sequence[Step]) -> None:
        """Tell what was not told of steps that stand as they were taken, by whichever attempt."""
        for step in steps:
            kept = step.model_dump(mode="json")
            with self._lock:
                if kept in self._known:
                    continue
                self._known.append(kept)
                if kept in self._before:
                    self._before.remove(kept)
                    continue
            self._listener.trace(step)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in _NUMBER.findall(text)]
