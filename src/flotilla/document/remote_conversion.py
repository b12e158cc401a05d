"""Having LlamaParse read a document: step by step, with no process held while the service reads.

What has come of it so far lies in the job's payload. Between two looks the task gives its step
back and is begun again, by any worker; one that dies in between costs no second upload. When the
service fails, the reason is kept, and the usual converter stands in.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from flotilla.document.converters.llamaparse import LlamaParse, Parsed, ParseFailed, RemoteParse
from flotilla.ledger.database import now
from flotilla.ledger.runs import Postponed, StageRun
from flotilla.models import Note
from flotilla.settings import LlamaParseSettings

KEY = "llamaparse"
"""Of the payload: `file` and `job` are the service's ids, `since` when the document was sent,
`tries` how many requests have failed one after another, `failed` why the service is given up."""

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds between two looks at a document that is being read."""


def failure(run: StageRun) -> str | None:
    """Why the service is given up for this document, if it is."""
    reason = (run.job.payload.get(KEY) or {}).get("failed")
    return None if reason is None else str(reason)


def is_sent(run: StageRun) -> bool:
    """Whether the service has the document and may be reading it."""
    state = run.job.payload.get(KEY) or {}
    return "job" in state and "failed" not in state


def forget(run: StageRun) -> None:
    """Let a retry of the task begin with the service again."""
    if KEY in run.job.payload:
        run.remember(KEY, {})


def notes_of(parsed: Parsed) -> list[Note]:
    """What there is to say of what the service has read."""
    if not parsed.failed:
        return []
    message = "LlamaParse could not read these pages, and they have no text."
    return [Note(code="pages_not_parsed", message=message, pages=parsed.failed)]


class RemoteConversion:
    """The service's work on the document of a job; a context manager, as its client is.

    Args:
        run: of the stage that converts.
        settings: the service's.
    """

    def __init__(self, run: StageRun, settings: LlamaParseSettings) -> None:
        self._run = run
        self._settings = settings
        self._service = LlamaParse(settings)
        self._state: dict[str, Any] = dict(run.job.payload.get(KEY) or {})

    def __enter__(self) -> "RemoteConversion":
        return self

    def __exit__(self, *_: object) -> None:
        self._service.__exit__()

    def result(
        self, source: Callable[[], AbstractContextManager[Path]], name: str
    ) -> Parsed | None:
        """What the service has read; None where the service has failed, whose reason is kept.

        Args:
            source: opens the file, should it have to be sent.
            name: of the document.

        Raises:
            Postponed: the service is reading, or is to be asked again a little later.
            Cancelled, LeaseLost: the work is not wanted any more.
        """
        try:
            if "job" not in self._state:
                self._send(source, name)
                raise Postponed(SHORTEST_PAUSE)
            parsed = self._service.result(self._parse)
        except ParseFailed as error:
            self._failed(error)
            return None
        if self._state.get("tries"):
            self._remember(tries=0)
        if parsed is None:
            age = self._age()
            if age > self._settings.timeout:
                self._give_up(f"it was not done within {self._settings.timeout:g} seconds")
                return None
            raise Postponed(min(max(SHORTEST_PAUSE, age / 5), LONGEST_PAUSE))
        return parsed

    def finish(self) -> None:
        """Remove the document there, once its pages are safe here."""
        self._service.tidy(self._parse, running=False)

    @property
    def _parse(self) -> RemoteParse:
        return RemoteParse(job=self._state["job"], file=self._state["file"])

    def _send(self, source: Callable[[], AbstractContextManager[Path]], name: str) -> None:
        if "since" not in self._state:
            self._remember(since=now().timestamp())
        if "file" not in self._state:
            with source() as path:
                self._remember(file=self._service.upload(path, name))
        # Nobody else may have had it read meanwhile, and been billed for it.
        self._run.checkpoint()
        self._remember(job=self._service.begin(self._state["file"]).job, tries=0)

    def _failed(self, error: ParseFailed) -> None:
        """Ask again a little later where that may help; else give the service up."""
        tries = int(self._state.get("tries", 0)) + 1
        pause = error.retry_after if error.retry_after is not None else float(2**tries)
        again = (
            error.passing
            and tries < self._settings.attempts
            and pause <= self._settings.retry_after_cap
            and self._age() + pause <= self._settings.timeout
        )
        if again:
            self._remember(tries=tries)
            raise Postponed(pause) from None
        self._give_up(error.message)

    def _give_up(self, reason: str) -> None:
        if "job" in self._state:
            self._service.tidy(self._parse, running=True)
        self._remember(failed=reason)

    def _age(self) -> float:
        """Seconds since the document was sent."""
        moment = now().timestamp()
        return moment - float(self._state.get("since", moment))

    def _remember(self, **values: Any) -> None:
        self._state |= values
        self._run.remember(KEY, self._state)
