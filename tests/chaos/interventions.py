"""What other clients do in the middle of it: a batch, two deletions, a cancellation, a document
that is handed in again and re-indexed."""

import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from flotilla.client import Flotilla
from tests.chaos import documents
from tests.chaos.batch import Batch
from tests.chaos.clients import Client, Scene
from tests.chaos.documents import write_document
from tests.chaos.expected import Expected
from tests.chaos.ledger import JobState
from tests.chaos.repetition import Repetition
from tests.chaos.stack import Stack
from tests.chaos.verdict import Verdict
from tests.chaos.verifier import Verifier
from tests.chaos.withdrawals import Cancellation, Deletion, DeletionOfReady

FIRST_NUMBER = 10_000  # far above those of the documents that are handed in one by one
BATCH = (documents.markdown, documents.web_page, documents.corrupt, documents.word_file)
CANDIDATES = 3
"""Documents of which one is to be cancelled: one may be published before it can be."""


class Interventions:
    """Five clients, each of which does one thing, and what has to come of it.

    Args:
        stack: that they talk to.
        collection: where their documents are.
        folder: for these documents.
        seed: of the documents.
        dice: decides at which stage something is taken back.
    """

    def __init__(
        self, stack: Stack, collection: str, folder: Path, seed: int, dice: random.Random
    ) -> None:
        client = Flotilla(stack.url, timeout=30.0, retries=0)
        self._scene = Scene(stack, client, collection, dice)
        self._clients = _clients(self._scene, folder, seed)
        self._threads = [
            threading.Thread(target=client.run, name=client.title, daemon=True)
            for client in self._clients
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def abandon(self) -> None:
        """Do nothing more."""
        self._scene.stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
        self._scene.client.close()

    def finish(self, patience: float, longest: float) -> None:
        """Wait until all is done and its tasks are over, or nothing of them moves any more."""
        deadline = time.monotonic() + longest
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        seen: list[JobState | None] | None = None
        since = time.monotonic()
        while time.monotonic() < min(deadline, since + patience):
            with suppress(SQLAlchemyError):
                now = [self._scene.stack.ledger.job(task_id) for task_id in self._scene.tasks]
                if now != seen:
                    seen, since = now, time.monotonic()
                if all(job is not None and job.final for job in now):
                    return
            time.sleep(0.2)

    def expected(self) -> dict[str, Expected]:
        """What has to become of all that they have handed in, by the names."""
        return {name: e for client in self._clients for name, e in client.expected().items()}

    def judge(self, verdict: Verdict, verifier: Verifier) -> None:
        """Add to a verdict what has not come of it."""
        judge(self._clients, verdict, verifier)


def judge(clients: Sequence[Client], verdict: Verdict, verifier: Verifier) -> None:
    """Add to a verdict what clients have not done, and what has not come of the rest."""
    for client in clients:
        verdict.lost += client.trouble
        if not client.has_acted:
            verdict.lost += [] if client.trouble else [f"{client.title} never came to its end"]
            continue
        try:
            client.judge(verdict, verifier)
        except Exception as error:  # noqa: BLE001 - what cannot be judged is not right
            verdict.broken.append(f"{client.title} cannot be judged: {error!r}")


def _clients(scene: Scene, folder: Path, seed: int) -> list[Client]:
    """The clients with their documents, which are written here."""
    folder.mkdir(parents=True, exist_ok=True)
    alone = (documents.long_pdf,) * (1 + CANDIDATES) + (documents.markdown, documents.web_page)
    written = [
        write_document(folder, maker, FIRST_NUMBER + at, seed)
        for at, maker in enumerate((*BATCH, *alone))
    ]
    members, single = written[: len(BATCH)], written[len(BATCH) :]
    doomed, candidates, (again, ready) = single[0], single[1:-2], single[-2:]
    return [
        Batch(scene, [replace(member, number=FIRST_NUMBER) for member in members]),
        Deletion(scene, doomed),
        DeletionOfReady(scene, ready),
        Cancellation(scene, candidates),
        Repetition(scene, again),
    ]
