"""A listener that keeps what it is told, and what a reader has of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from flotilla.answer_streams import Entry, Kind, Written, fold
from flotilla.answer_streams.entries import token
from flotilla.models import Citation, ModelCall, Step


@dataclass
class Heard:
    """What was told, in its order; `written` is what it comes to, earlier attempts included."""

    written: Written = field(default_factory=Written)
    events: list[tuple[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._text_end, self._raw_end = len(self.written.text), len(self.written.raw)

    @property
    def tokens(self) -> list[str]:
        """The pieces of the text."""
        return [str(told) for name, told in self.events if name == "token"]

    @property
    def taken_back(self) -> bool:
        """Whether something that was told did not stand."""
        return any(name == "back" for name, _ in self.events)

    def sources(self, chunk_ids: Sequence[str]) -> None:
        self._note(Kind.SOURCES, tuple(chunk_ids), str(list(chunk_ids)).replace("'", '"'))

    def reply(self, raw: str, call: ModelCall) -> None:
        self._note(Kind.REPLY, raw, call.model_dump_json(), raw)

    def trace(self, step: Step) -> None:
        self._note(Kind.TRACE, step.name, step.model_dump_json())

    def citation(self, citation: Citation) -> None:
        self._note(Kind.CITATION, citation.number, citation.model_dump_json())

    def token(self, text: str, raw: str) -> None:
        if text or raw:
            at, start = self._raw_end, self._text_end
            self._text_end, self._raw_end = start + len(text), at + len(raw)
            self._note(Kind.TOKEN, text, token(text, start), raw, at)

    def take_back(self, text: int, raw: int) -> None:
        self.events.append(("back", text))
        self._text_end, self._raw_end = text, min(raw, self._raw_end)

    def _note(self, kind: Kind, told: object, data: str, raw: str = "", at: int = 0) -> None:
        self.events.append((kind.value, told))
        self.written = fold([Entry(0, kind, data, 1, raw, at)], self.written)
