"""A client that does one thing in the middle of a row, and what has to come of it."""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from flotilla.client import Flotilla
from flotilla.schemas import DocumentAccepted
from tests.chaos.documents import Planned
from tests.chaos.expected import Expected, Fate
from tests.chaos.ledger import JobState
from tests.chaos.stack import Stack, wait_for
from tests.chaos.submission import persevere
from tests.chaos.verdict import Verdict
from tests.chaos.verifier import Verifier

IN_WORK_SECONDS = 60.0
READY_SECONDS = 900.0


@dataclass
class Scene:
    """Where clients act.

    Args:
        stack: that they talk to.
        client: with which.
        collection: where their documents are.
        dice: decides when something is taken back.
        stop: is set when they are to do nothing more.
        tasks: beside the ingestions, which the watch sees by itself; all have to end.
    """

    stack: Stack
    client: Flotilla
    collection: str
    dice: random.Random
    stop: threading.Event = field(default_factory=threading.Event)
    tasks: list[str] = field(default_factory=list)


class Client(ABC):
    """One of them.

    Args:
        scene: where it acts.
    """

    title: str

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.trouble: list[str] = []
        self.has_acted = False
        self._sources: dict[str, Expected] = {}
        self._cut: Counter[str] = Counter()

    @abstractmethod
    def act(self) -> None:
        """Do it; may take as long as an ingestion."""

    @abstractmethod
    def judge(self, verdict: Verdict, verifier: Verifier) -> None:
        """Add to a verdict what has not come of it, once all is over."""

    def run(self) -> None:
        """Act; whatever goes wrong is trouble."""
        try:
            self.act()
            self.has_acted = True
        except Exception as error:  # noqa: BLE001 - a thread that dies in silence has proved nothing
            if not self.scene.stop.is_set():
                self.trouble.append(f"{self.title}: {error!r}")

    def expected(self) -> Mapping[str, Expected]:
        """What has to become of its sources, by their names."""
        return self._sources

    # --- handing in ------------------------------------------------------------------------

    def expect(self, planned: Planned, fate: Fate = Fate.ANSWERS) -> None:
        """Note what has to become of a source."""
        self._sources[planned.name] = Expected(planned, fate, cut=self._cut[planned.name])

    def hand_in(self, *files: Planned) -> tuple[str | None, Sequence[DocumentAccepted]]:
        """Hand documents in as one request; returns the batch's id and the replies."""
        cut: list[str] = []
        accepted = persevere(
            lambda: self.scene.client.upload_batch(
                *(planned.path for planned in files),
                collection=self.scene.collection,
                metadata={"number": files[0].number},
            ),
            cut=cut,
        )
        for planned in files:
            self._cut[planned.name] += len(cut)
            self.expect(planned, Fate.FAILS if planned.fails else Fate.ANSWERS)
        return accepted.batch_id, accepted.documents

    # --- the ledger, which may be away -----------------------------------------------------

    def job(self, task_id: str) -> JobState | None:
        """A job as the ledger has it, where it can be had."""
        try:
            return self.scene.stack.ledger.job(task_id)
        except SQLAlchemyError:
            return None

    def rows(self, statement: str, **values: Any) -> Sequence[Any] | None:
        """A statement's rows, where there are any."""
        try:
            return self.scene.stack.ledger.rows(statement, **values) or None
        except SQLAlchemyError:
            return None

    def versions(self, document_id: str) -> list[str]:
        """Ids of a document's versions.

        Raises:
            SQLAlchemyError: the ledger was away for too long.
        """
        deadline = time.monotonic() + IN_WORK_SECONDS
        while True:
            try:
                return self.scene.stack.ledger.versions(document_id)
            except SQLAlchemyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def await_end(self, task_id: str) -> None:
        """Wait until a task is over.

        Raises:
            TimeoutError: it is not in time.
        """

        def over() -> bool:
            job = self.job(task_id)
            return self.scene.stop.is_set() or (job is not None and job.final)

        wait_for(over, READY_SECONDS, f"{task_id} is over")

    def await_work(self, task_id: str, stage: str) -> None:
        """Wait until somebody works at a stage of the task, or it is over.

        Raises:
            TimeoutError: neither comes in time.
        """

        def works() -> bool:
            if self.scene.stop.is_set():
                return True
            try:
                job = self.scene.stack.ledger.job(task_id)
                running = self.scene.stack.ledger.running(self.scene.collection, [stage])
            except SQLAlchemyError:
                return False
            return (job is not None and job.final) or any(s.job_id == task_id for s in running)

        wait_for(works, READY_SECONDS, f"{stage} of {task_id} is worked on")
