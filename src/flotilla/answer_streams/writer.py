"""Writing a run's stream: what its worker tells, numbered, fenced, and never in the run's way.

What is told is kept in memory and handed to the process's sender (`sender.py`), which writes it. So
a Redis that is slow or away holds up no run; when it is back, what it lacks is written, and what it
has lost is written again.
"""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from flotilla.answer_streams.entries import Entry, Kind, Written, fold, token
from flotilla.answer_streams.presence import Interest
from flotilla.answer_streams.sender import Sender, get_sender
from flotilla.errors import LeaseLost
from flotilla.logging import get_logger
from flotilla.models import Citation, ModelCall, Step
from flotilla.settings import get_settings

logger = get_logger(__name__)

OPEN_SECONDS = 7200  # for which a stream is kept after the last entry of a run that goes on
ENDED_SECONDS = 3600  # for which it is kept after the run's end
CLOSING_SECONDS = 1.0  # for which the end of a run waits until all is written
LARGEST_STREAM = 4 * 1024 * 1024  # characters; past that, readers get the rest with the end


class AnswerStream:
    """The writer of one run's stream; safe to share between threads, and a context manager.

    Args:
        job_id: the run.
        fence: the fence of the worker's lease; a higher one ends what a lower one may write.
        sender: what writes to Redis.
        pause: seconds between two writes, while tokens come faster. The first is never delayed.
        interest: who counts how long nobody reads; None where nobody needs to.
    """

    def __init__(
        self,
        job_id: str,
        fence: int,
        sender: Sender,
        *,
        pause: float = 0.0,
        interest: Interest | None = None,
    ) -> None:
        self.job_id = job_id
        self.fence = fence
        self.interest = interest
        self._sender = sender
        self._pause = pause
        self._lock = threading.RLock()
        self._numbered: list[Entry] = []  # in their order from 1; what was sent once never changes
        self._pending: list[Entry] = []  # without a number yet
        self._acknowledged = 0
        self._claimed = False
        self._lost = False
        self._closed = False
        self._sent_at = float("-inf")
        self._written = Written()
        self._text_end = self._raw_end = self._size = 0
        self._all_sent = threading.Event()
        self._all_sent.set()

    @classmethod
    def open(cls, job_id: str, fence: int, *, watched: bool = False) -> "AnswerStream":
        """The stream of a run that a worker has just begun or taken over, with what earlier workers
        wrote. A Redis that does not answer is done without for now.

        Args:
            job_id: the run.
            fence: the fence of the worker's lease.
            watched: whether the run is to end when nobody reads it any more (`wanted`).

        Raises:
            LeaseLost: another worker has taken the run over.
        """
        settings = get_settings()
        interest = Interest(settings.gateway.stream_grace) if watched else None
        stream = cls(
            job_id, fence, get_sender(), pause=settings.rag.stream_pause, interest=interest
        )
        stream.start()
        return stream

    def start(self) -> None:
        """Claim the stream, and read what earlier workers wrote. Raises LeaseLost."""
        self._sender.claim(self)
        self._raise_if_lost()
        self._sender.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def written(self) -> Written:
        """What was told so far, earlier attempts included."""
        with self._lock:
            return self._written

    def wanted(self) -> bool:
        """False once nobody has been reading for the whole grace period; always True where the
        stream is not watched."""
        return self.interest is None or self.interest.wanted

    def trace(self, step: Step) -> None:
        """Tell that a step is finished. Raises LeaseLost."""
        self._add(Entry(0, Kind.TRACE, step.model_dump_json(), self.fence))

    def citation(self, citation: Citation) -> None:
        """Tell what a number in the text stands for. Raises LeaseLost."""
        self._add(Entry(0, Kind.CITATION, citation.model_dump_json(), self.fence))

    def sources(self, chunk_ids: Sequence[str]) -> None:
        """Note what the text is written from, for whoever goes on with it. Raises LeaseLost."""
        self._add(Entry(0, Kind.SOURCES, json.dumps(list(chunk_ids)), self.fence))

    def reply(self, raw: str, call: ModelCall) -> None:
        """Note that the model's reply has ended, for whoever goes on with it. Raises LeaseLost."""
        self._add(Entry(0, Kind.REPLY, call.model_dump_json(), self.fence, raw))

    def token(self, text: str, raw: str) -> None:
        """Tell that the text goes on with `text`, for which the model wrote `raw`.

        Raises LeaseLost.
        """
        with self._lock:
            if not text and not raw:
                self._raise_if_lost()
                return
            start, at = self._text_end, self._raw_end
            self._text_end += len(text)
            self._raw_end += len(raw)
            self._add(Entry(0, Kind.TOKEN, token(text, start), self.fence, raw, at))

    def take_back(self, text: int, raw: int) -> None:
        """Have the next token go on after the first `text` characters of what was told, and `raw`
        of what the model wrote."""
        with self._lock:
            self._text_end = min(text, self._text_end)
            self._raw_end = min(raw, self._raw_end)
            so_far = self._written
            self._written = replace(
                so_far, text=so_far.text[: self._text_end], raw=so_far.raw[: self._raw_end]
            )

    def _add(self, entry: Entry) -> None:
        with self._lock:
            self._raise_if_lost()
            if self._closed or self._size > LARGEST_STREAM:
                return
            self._size += len(entry.data) + len(entry.raw)
            is_first = entry.kind == Kind.TOKEN and not self._written.text
            self._written = fold([entry], self._written)
            joined = _joined(self._pending[-1], entry) if self._pending else None
            if joined is not None:
                self._pending[-1] = joined
                return
            self._pending.append(entry)
            self._all_sent.clear()
            if is_first:
                self._sent_at = float("-inf")
            wake = is_first or len(self._pending) == 1
        if wake:
            self._sender.wake()

    def _raise_if_lost(self) -> None:
        if self._lost:
            raise LeaseLost("Another worker has taken this over.")

    def close(self) -> None:
        """Tell no more. What is left is written first, as long as Redis answers."""
        with self._lock:
            self._closed = True
            unsent = bool(self._pending) or self._acknowledged < len(self._numbered)
        self._sender.wake()
        if unsent and not self._lost and self._sender.reachable:
            self._all_sent.wait(CLOSING_SECONDS)
        self._sender.remove(self)

    # --- what the sender asks of it ----------------------------------------------------------

    @property
    def claimed(self) -> bool:
        """Whether Redis knows the fence, and the writer what earlier ones have written."""
        return self._claimed

    @property
    def keep_seconds(self) -> int:
        """For how long Redis is to keep the stream from now on."""
        return ENDED_SECONDS if self._closed else OPEN_SECONDS

    def due_at(self) -> float | None:
        """When there is something to be sent, on the monotonic clock; None while there is not."""
        with self._lock:
            if self._lost or not (self._pending or self._acknowledged < len(self._numbered)):
                return None
            return 0.0 if self._closed else self._sent_at + self._pause

    def cut(self) -> Sequence[Entry]:
        """What is to be sent now: all that Redis is not known to have."""
        with self._lock:
            for entry in self._pending:
                self._numbered.append(entry._replace(number=len(self._numbered) + 1))
            self._pending.clear()
            self._sent_at = time.monotonic()
            return self._numbered[self._acknowledged :]

    def acknowledge(self, last: int) -> None:
        """Redis has the entries up to this number, and none after that."""
        with self._lock:
            self._acknowledged = min(last, len(self._numbered))
            if not self._pending and self._acknowledged == len(self._numbered):
                self._all_sent.set()

    def adopt(self, found: Sequence[Entry]) -> None:
        """Go on after what Redis has, now that it is known. What readers have been told stands;
        what this worker has to tell gets the next numbers."""
        with self._lock:
            known = {entry.data for entry in found if entry.fence == self.fence}
            own = [e for e in self._numbered if e.fence == self.fence and e.data not in known]
            begun = bool(own or self._pending or self._text_end)
            self._numbered = list(found)
            self._acknowledged = len(found)
            self._pending = [*own, *self._pending]
            if not begun:
                self._written = fold(found)
                self._text_end, self._raw_end = len(self._written.text), len(self._written.raw)
            elif found and not self._claimed:
                logger.warning("answer.told_anew", task_id=self.job_id, entries=len(found))
            self._claimed = True

    def lose(self) -> None:
        """Another worker has taken the run over: nothing more is written."""
        with self._lock:
            self._lost = True
            self._pending.clear()
            self._all_sent.set()


def _joined(before: Entry, after: Entry) -> Entry | None:
    """Two tokens as one, where the second goes on where the first has ended."""
    if before.kind != Kind.TOKEN or after.kind != Kind.TOKEN:
        return None
    first, second = json.loads(before.data), json.loads(after.data)
    if second["start"] != first["start"] + len(first["text"]):
        return None
    if after.at != before.at + len(before.raw):
        return None
    return before._replace(
        data=token(first["text"] + second["text"], first["start"]), raw=before.raw + after.raw
    )
