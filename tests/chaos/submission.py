"""Submits documents as a sensible client does: what may have failed is sent once more."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from flotilla.client import Flotilla
from flotilla.client.errors import ClientError, FlotillaAPIError
from flotilla.schemas import DocumentAccepted
from tests.chaos.documents import Planned

Value = TypeVar("Value")

CLIENTS = 3
PATIENCE = 180.0
"""Seconds for which a client tries to hand in one document."""


class Refused(Exception):
    """The gateway will not take it, however often it is sent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def persevere(
    call: Callable[[], Value], patience: float = PATIENCE, cut: list[str] | None = None
) -> Value:
    """The call's value, tried again while the gateway is away or out of order.

    Args:
        call: one request.
        patience: seconds for which it is tried.
        cut: takes a line for each request of which nobody knows what came of it.

    Raises:
        Refused: the request itself is at fault.
        ClientError: the patience is at its end.
    """
    deadline = time.monotonic() + patience
    pause = 0.2
    while True:
        try:
            return call()
        except FlotillaAPIError as error:
            if error.status < 500 and error.status != 429:
                raise Refused(error.code, error.message) from error
            _note(cut, error)
            if time.monotonic() > deadline:
                raise
            time.sleep(min(error.retry_after or pause, 5.0))
        except ClientError as error:
            _note(cut, error)
            if time.monotonic() > deadline:
                raise
            time.sleep(pause)
        pause = min(pause * 1.5, 2.0)


def _note(cut: list[str] | None, error: ClientError) -> None:
    if cut is not None:
        cut.append(str(error))


@dataclass
class Submitted:
    """A document and what the gateway said of it, once for each time it was handed in."""

    planned: Planned
    accepted: list[DocumentAccepted] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    """Requests that were sent once more, though they may have been carried out."""
    later: "Submitted | None" = None


class Submission:
    """Several clients that hand in all the documents of a row.

    Args:
        url: of the gateway.
        collection: where to.
        plan: the documents, handed in in this order.
        dice: for the pauses.
        pace: longest pause after a document of the second half, in seconds.
        served: web address of the folder in which the documents lie.
    """

    def __init__(
        self,
        url: str,
        collection: str,
        plan: Sequence[Planned],
        dice: random.Random,
        pace: float = 0.2,
        served: str = "",
    ) -> None:
        self._client = Flotilla(url, timeout=30.0, retries=0)
        self._collection = collection
        self._served = served
        self._pauses = [dice.uniform(0, pace) for _ in plan]
        self._next = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        self.submitted = [Submitted(planned) for planned in plan]
        self.interrupt: Callable[[], None] | None = None
        """Called once, amid the next upload, and forgotten."""

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    @property
    def handed_in(self) -> list[Submitted]:
        """Every state of every document."""
        later = [entry.later for entry in self.submitted if entry.later is not None]
        return [*self.submitted, *later]

    @property
    def over(self) -> bool:
        """Whether everything is handed in."""
        return not any(thread.is_alive() for thread in self._threads)

    def finish(self, seconds: float = 2 * PATIENCE) -> None:
        """Wait until everything is handed in."""
        for thread in self._threads:
            thread.join(timeout=seconds)

    def abandon(self) -> None:
        """Hand in nothing more."""
        self._stop.set()
        self.finish(10)
        self._client.close()

    def _take(self) -> int | None:
        with self._lock:
            if self._next == len(self.submitted) or self._stop.is_set():
                return None
            self._next += 1
            return self._next - 1

    def _run(self) -> None:
        while (number := self._take()) is not None:
            entry = self.submitted[number]
            if entry.planned.twice:
                other = threading.Thread(target=self._hand_in, args=(entry,), daemon=True)
                other.start()
                self._hand_in(entry)
                other.join(timeout=PATIENCE)
            else:
                self._hand_in(entry)
            if entry.planned.successor is not None and entry.accepted:
                entry.later = Submitted(entry.planned.successor)
                self._hand_in(entry.later)
            if number > len(self.submitted) // 2:
                self._stop.wait(self._pauses[number])

    def _hand_in(self, entry: Submitted) -> None:
        planned = entry.planned

        def upload() -> list[DocumentAccepted]:
            if planned.by_url:
                return [
                    self._client.ingest_url(
                        f"{self._served}/{planned.name}",
                        name=planned.name,
                        collection=self._collection,
                        metadata={"number": planned.number},
                    )
                ]
            return self._client.upload(
                planned.path,
                collection=self._collection,
                metadata={"number": planned.number},
                progress=self._amid,
            )

        try:
            entry.accepted += persevere(upload, cut=entry.cut)
        except Refused as refusal:
            entry.refused.append(refusal.code)
        except Exception as error:  # noqa: BLE001 - whatever it is, this was not handed in
            entry.trouble.append(repr(error))

    def _amid(self, _name: str, _sent: int, _size: int | None) -> None:
        with self._lock:
            interrupt, self.interrupt = self.interrupt, None
        if interrupt is not None:
            interrupt()
