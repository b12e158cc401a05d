"""Telling a model's reply while it is being written, and going on with one that was cut off."""

from collections.abc import Sequence

from flotilla.answer_streams import Listener
from flotilla.answer_streams.entries import Reply, common_length
from flotilla.models import ModelCall, Passage
from flotilla.rag.reading import Reading


class Telling:
    """Tells a listener what is to be read of a reply, each citation behind its number's first use.

    Args:
        passages: what the reply refers to.
        listener: who is told; what earlier attempts have told is known from it.
    """

    def __init__(self, passages: Sequence[Passage], listener: Listener) -> None:
        self._listener = listener
        self._reading = Reading(passages)
        self._sources = tuple(passage.chunk_id for passage in passages)
        self._raw = ""  # what the model wrote since the last text that was told
        self._cited = 0

    def ended(self) -> Reply | None:
        """The whole reply, where an earlier attempt's model came to its end; None where it did not,
        or wrote from other passages."""
        written = self._listener.written
        return written.reply if written.sources == self._sources else None

    def resume(self) -> str:
        """What an earlier attempt's model wrote, for this one's to go on from; empty where there
        is none, or where it was written from other passages.

        What was told and does not follow from it is taken back.
        """
        written = self._listener.written
        raw = written.raw if written.sources == self._sources else ""
        text = self._reading.feed(raw)
        common = common_length(written.text, text)
        if common < len(written.text) or len(raw) < len(written.raw):
            self._listener.take_back(common, len(raw))
        if written.sources != self._sources:
            self._listener.sources(self._sources)
        self._listener.token(text[common:], "")
        self._cite()
        return raw

    def hear(self, raw: str) -> None:
        """The reply goes on."""
        self._raw += raw
        self._tell(self._reading.feed(raw))

    def finish(self, reply: str, call: ModelCall) -> None:
        """The reply has ended: tell what was held back, and note which call it came from. One that
        says nothing is as good as none."""
        self._tell(self._reading.finish())
        if reply.strip():
            self._listener.reply(reply, call)

    def _tell(self, text: str) -> None:
        raw = ""
        if text:  # what the model wrote is told with the text that came of it
            raw, self._raw = self._raw, ""
        self._listener.token(text, raw)
        self._cite()

    def _cite(self) -> None:
        fresh = self._reading.citations[self._cited :]
        self._cited += len(fresh)
        for citation in fresh:
            if citation.model_dump(mode="json") not in self._listener.written.citations:
                self._listener.citation(citation)
