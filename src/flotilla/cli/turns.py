"""One turn of a conversation: asked, printed while it is written, and cancelled by Ctrl-C."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flotilla.client import AnswerEvent, AnswerStream, Flotilla
    from flotilla.schemas import ChatResponse

TAKEN_SECONDS = 5.0
"""How long whoever interrupts a turn waits for the gateway to say which task it is."""

ENDED_SECONDS = 5.0
"""How long the stream of a cancelled turn may take to end."""

LOOK_SECONDS = 0.05


@dataclass(slots=True)
class Turn:
    """A question in a conversation, and what has come of it.

    `asked` are the arguments of the client's `chat_stream`.
    """

    flotilla: "Flotilla"
    asked: dict[str, Any]
    answer: "ChatResponse | None" = None
    _stream: "AnswerStream | None" = None
    _silent: Event = field(default_factory=Event)
    _ended: Event = field(default_factory=Event)

    def show(self, *, as_json: bool = False, trace: bool = False) -> None:
        """Ask, and print the answer while it is written, or as one JSON document once it is there.

        Raises:
            KeyboardInterrupt: by Ctrl-C; the turn is cancelled then, and leaves nothing in its
                conversation unless it had just ended.
            FlotillaAPIError, GatewayUnreachable: as by the client's `chat_stream`.
        """
        from flotilla.cli.interrupts import in_thread

        try:
            in_thread(lambda: self._print(as_json, trace))
        except KeyboardInterrupt:
            self._silent.set()
            in_thread(self._cancel)
            raise

    def _print(self, as_json: bool, trace: bool) -> None:
        from flotilla.cli.questions import print_stream
        from flotilla.cli.terminal import print_json

        try:
            self._stream = self.flotilla.chat_stream(**self.asked)
            if not as_json:
                print_stream(self._heard(self._stream), as_json=False, trace=trace)
                return
            for _ in self._heard(self._stream):
                pass
            print_json(self.answer)
        finally:
            self._ended.set()

    def _heard(self, events: "Iterator[AnswerEvent]") -> "Iterator[AnswerEvent]":
        """The events, none of them once the turn is interrupted."""
        from flotilla.client import DoneEvent
        from flotilla.schemas import ChatResponse

        for event in events:
            if isinstance(event, DoneEvent) and isinstance(event.answer, ChatResponse):
                self.answer = event.answer
            if not self._silent.is_set():
                yield event

    def _cancel(self) -> None:
        from flotilla.client import ClientError

        waited_until = time.monotonic() + TAKEN_SECONDS
        while not self._ended.is_set() and time.monotonic() < waited_until:
            task_id = self._stream.task_id if self._stream is not None else None
            if task_id is not None:
                with suppress(ClientError):  # it has ended, or nobody reads it any more
                    self.flotilla.cancel(task_id)
                break
            self._ended.wait(LOOK_SECONDS)
        self._ended.wait(ENDED_SECONDS)
