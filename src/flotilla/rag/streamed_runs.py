"""The stream of a run: whoever asked for one is told of the answer while it is being written."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from flotilla.answer_streams import UNHEARD, AnswerStream, Listener, Written
from flotilla.errors import Cancelled, FlotillaError, LeaseLost
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.models import Citation, ModelCall, Step

ATTEMPT_FAILED = "attempt_failed"
"""The step of an attempt that failed; it is told, and in no answer's `trace`."""


@contextmanager
def listening(run: ReplyRun) -> Iterator[Listener]:
    """Who listens to a run: its stream where it was submitted as one, else nobody.

    An attempt that fails and may be made again is told of as a step of its own. What earlier
    attempts have told is in the listener's `written`. The block's end waits a moment
    until all is written: the run's result is to be told after that. A run whose end somebody is to
    be told of at another address goes on without readers.

    Raises:
        LeaseLost: another worker has taken the run over.
        Cancelled: nobody reads the stream.
    """
    if not run.job.payload.get("stream"):
        yield UNHEARD
        return
    watched = "callback_url" not in run.job.payload
    began = time.monotonic()
    with AnswerStream.open(run.job.id, run.leased.fence, watched=watched) as stream:
        listener = StreamedRun(run, stream)
        listener.check()
        try:
            yield listener
        except FlotillaError as error:
            if error.retryable:
                with suppress(LeaseLost):
                    stream.trace(_failed(error, run.spent, time.monotonic() - began))
            raise


def _failed(error: FlotillaError, before: float, took: float) -> Step:
    """What readers are told of an attempt that failed and may be made again: without it they would
    hear nothing until that is."""
    saw: dict[str, Any] = {"error": error.code, "detail": error.message}
    if error.retry_after is not None:
        saw["retry_after"] = error.retry_after
    return Step(
        name=ATTEMPT_FAILED,
        started=round(1000 * before, 2),
        took=round(1000 * took, 2),
        saw=saw,
    )


class StreamedRun:
    """A run's stream as its listener, which ends the run once nobody reads."""

    def __init__(self, run: ReplyRun, stream: AnswerStream) -> None:
        self._run = run
        self._stream = stream

    @property
    def written(self) -> Written:
        """What was told so far, by earlier attempts too."""
        return self._stream.written

    def check(self) -> None:
        """To be called now and then.

        Raises:
            LeaseLost: another worker has taken the run over.
            Cancelled: the run was cancelled, or nobody has been reading for the grace period.
        """
        wanted = self._stream.wanted()
        if self._run.lost or not wanted:
            self._run.checkpoint()  # a late worker must not cancel what is another's
        if not wanted:
            raise Cancelled("Nobody was reading the answer any more.")

    def sources(self, chunk_ids: Sequence[str]) -> None:
        """Note what the text is written from."""
        self._stream.sources(chunk_ids)

    def reply(self, raw: str, call: ModelCall) -> None:
        """Note that the model's reply has ended."""
        self._stream.reply(raw, call)

    def trace(self, step: Step) -> None:
        """Tell of a step."""
        self.check()
        self._stream.trace(step)

    def token(self, text: str, raw: str) -> None:
        """Tell a piece of the text."""
        self.check()
        self._stream.token(text, raw)

    def citation(self, citation: Citation) -> None:
        """Tell what a number in the text stands for."""
        self._stream.citation(citation)

    def take_back(self, text: int, raw: int) -> None:
        """Have the next token go on after what stands."""
        self._stream.take_back(text, raw)
