"""Asks questions all the while: each must be answered, or end with a reason."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from flotilla.client import Flotilla
from flotilla.client.errors import ClientError, FlotillaAPIError
from tests.chaos.documents import Planned
from tests.chaos.submission import Refused, persevere


@dataclass
class Asked:
    """What became of the questions that were asked and waited for."""

    asked: int = 0
    answered: int = 0
    told_why: int = 0
    """Ended with a problem document, such as 504 with the id of the task that goes on."""
    broken: int = 0
    """The connection broke off, as it does when the gateway is killed."""


class Questioner:
    """Two threads: one asks and waits, the other asks for a task id.

    Args:
        url: of the gateway.
        collection: where to look.
        plan: whose markers are asked for.
        pause: seconds between two questions of a thread.
    """

    def __init__(
        self, url: str, collection: str, plan: Sequence[Planned], pause: float = 0.3
    ) -> None:
        self._client = Flotilla(url, timeout=30.0, retries=0)
        self._collection = collection
        self._questions = [marker for planned in plan for marker in planned.markers]
        self._pause = pause
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=ask, daemon=True) for ask in (self._wait_for, self._poll_for)
        ]
        self.waited_for = Asked()
        self.task_ids: list[str] = []
        """Of the questions that are to be read from their tasks."""

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Ask nothing more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=90)
        self._client.close()

    def _wait_for(self) -> None:
        for question in self._turn():
            self.waited_for.asked += 1
            try:
                self._client.ask(question, collections=[self._collection], timeout=20)
                self.waited_for.answered += 1
            except FlotillaAPIError as error:
                self.waited_for.told_why += 1
                if error.task_id:
                    self.task_ids.append(error.task_id)
            except ClientError:
                self.waited_for.broken += 1

    def _poll_for(self) -> None:
        for question in self._turn():
            try:
                accepted = persevere(
                    lambda q=question: self._client.ask_async(q, collections=[self._collection]),
                    patience=30,
                )
            except (Refused, ClientError):
                continue
            self.task_ids.append(accepted.task_id)

    def _turn(self):  # type: ignore[no-untyped-def]
        number = 0
        while not self._stop.wait(self._pause):
            yield self._questions[number % len(self._questions)]
            number += 1
