"""What other clients do in the middle of it: a batch, a deletion, a cancellation, a re-indexing."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from flotilla.client import Flotilla
from flotilla.client.errors import ClientError
from tests.chaos import documents
from tests.chaos.documents import Planned, write_document
from tests.chaos.stack import Stack, wait_for
from tests.chaos.stored import vanished
from tests.chaos.submission import Refused, persevere
from tests.chaos.verdict import Verdict
from tests.chaos.verifier import Verifier

FIRST_NUMBER = 10_000  # far above those of the documents that are handed in one by one
BATCH = (documents.markdown, documents.web_page, documents.corrupt, documents.word_file)
CANDIDATES = 3
"""Documents of which one is to be cancelled: one may be published before it can be."""

IN_WORK_SECONDS = 60.0
READY_SECONDS = 900.0
STAGES = ("document.convert_range", "document.split", "vectorstore.index")
"""At one of which a document is deleted or cancelled."""


class Interventions:
    """Four clients, each of which does one thing, and what has to come of it.

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
        self._stack = stack
        self._client = Flotilla(stack.url, timeout=30.0, retries=0)
        self._collection = collection
        self._dice = dice
        makers = (*BATCH, *(documents.long_pdf,) * (1 + CANDIDATES), documents.markdown)
        folder.mkdir(parents=True, exist_ok=True)
        written = [
            write_document(folder, maker, FIRST_NUMBER + at, seed)
            for at, maker in enumerate(makers)
        ]
        self._members, self._doomed = written[: len(BATCH)], written[len(BATCH)]
        self._candidates, self._again = written[len(BATCH) + 1 : -1], written[-1]
        self._stop = threading.Event()
        self._tasks: list[str] = []  # beside the ingestions, which the watch sees by itself
        self._trouble: list[str] = []
        self._checks: list[Callable[[Verdict, Verifier], None]] = []
        self._threads = [
            threading.Thread(target=self._do, args=(what,), daemon=True)
            for what in (self._hand_in_batch, self._delete, self._cancel, self._reindex)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def abandon(self) -> None:
        """Do nothing more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
        self._client.close()

    def finish(self, patience: float, longest: float) -> None:
        """Wait until all is done and its tasks are over, or nothing of them moves any more."""
        deadline = time.monotonic() + longest
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        seen, since = None, time.monotonic()
        while time.monotonic() < min(deadline, since + patience):
            try:
                now = [self._stack.ledger.job(task_id) for task_id in self._tasks]
            except SQLAlchemyError:
                now = []
            if now != seen:
                seen, since = now, time.monotonic()
            if all(job is not None and job.final for job in now):
                return
            time.sleep(0.2)

    def judge(self, verdict: Verdict, verifier: Verifier) -> None:
        """Add to a verdict what has not come of it."""
        alive = [thread.name for thread in self._threads if thread.is_alive()]
        verdict.lost += self._trouble + [f"{name} never came to its end" for name in alive]
        for check in self._checks:
            check(verdict, verifier)

    def _do(self, what: Callable[[], None]) -> None:
        try:
            what()
        except (Refused, ClientError, TimeoutError, OSError, SQLAlchemyError) as error:
            if not self._stop.is_set():
                self._trouble.append(f"{what.__name__.strip('_')}: {error}")

    # --- a batch ---------------------------------------------------------------------------

    def _hand_in_batch(self) -> None:
        """Several files in one request, one of which cannot be read."""
        accepted = persevere(
            lambda: self._client.upload_batch(
                *(member.path for member in self._members),
                collection=self._collection,
                metadata={"number": FIRST_NUMBER},
            )
        )
        batch_id = accepted.batch_id
        assert batch_id is not None
        self._tasks.append(batch_id)

        def check(verdict: Verdict, verifier: Verifier) -> None:
            task = persevere(lambda: self._client.task(batch_id), patience=60)
            if not task.status.final:
                verdict.lost.append(f"batch {batch_id} is still {task.status}")
                return
            members = self._stack.ledger.rows(
                "SELECT status, COUNT(*) FROM jobs WHERE parent_id = :id GROUP BY status",
                id=batch_id,
            )
            fault = false_count(task.status.value, task.result or {}, dict(map(tuple, members)))
            if fault is not None:
                verdict.broken.append(f"batch {batch_id}: {fault}")
            for planned, entry in zip(self._members, accepted.documents, strict=True):
                if planned.fails:
                    continue
                # The number is the batch's: one request, one metadata.
                found = verifier.search(planned.markers[0], FIRST_NUMBER)
                if not any(planned.words[0] in passage["text"] for passage in found):
                    verdict.lost.append(f"{planned.name} of batch {batch_id} is not found")
                if entry.name != planned.name:
                    verdict.broken.append(f"batch {batch_id}: {entry.name} for {planned.name}")

        self._checks.append(check)

    # --- taken back ------------------------------------------------------------------------

    def _hand_in(self, planned: Planned) -> tuple[str, str]:
        """Hand a document in; returns its id and its task's."""
        entry = persevere(
            lambda: self._client.upload(
                planned.path, collection=self._collection, metadata={"number": planned.number}
            )
        )[-1]
        return entry.document_id, entry.task_id

    def _await_work(self, task_id: str, stage: str) -> None:
        """Wait until somebody works at a stage of the task, or it is over."""

        def works() -> bool:
            if self._stop.is_set():
                return True
            try:
                job = self._stack.ledger.job(task_id)
                running = self._stack.ledger.running(self._collection, [stage])
            except SQLAlchemyError:
                return False
            return (job is not None and job.final) or any(s.job_id == task_id for s in running)

        wait_for(works, READY_SECONDS, f"{stage} of {task_id} is worked on")

    def _delete(self) -> None:
        planned = self._doomed
        document_id, task_id = self._hand_in(planned)
        self._await_work(task_id, self._dice.choice(STAGES))
        version_ids = self._versions(document_id)
        try:
            persevere(lambda: self._client.delete_document(document_id))
        except Refused as refusal:
            if refusal.code != "document_not_found":  # deleted, and the answer did not arrive
                raise
        passages = Verifier(self._stack, self._collection).search(
            planned.markers[0], planned.number
        )
        if passages:
            self._trouble.append(f"{planned.name} answers after its deletion was accepted")
        deletions = wait_for(
            lambda: self._rows(
                "SELECT id FROM jobs WHERE kind = 'delete' AND CAST(payload AS TEXT) LIKE :part",
                part=f"%{document_id}%",
            ),
            IN_WORK_SECONDS,
            f"the ledger has the deletion of {document_id}",
        )
        self._tasks += [row[0] for row in deletions]

        def check(verdict: Verdict, verifier: Verifier) -> None:
            for row in deletions:
                job = self._stack.ledger.job(row[0])
                if job is None or job.status != "completed":
                    state = job.status if job else "unknown"
                    verdict.lost.append(f"the deletion {row[0]} of {planned.name} is {state}")
            left = verifier.stored.remains(document_id, version_ids)
            left += vanished(
                lambda: [f"version {each} in the ledger" for each in self._versions(document_id)]
            )
            verdict.broken += [
                f"{planned.name} was deleted; there is still {what}" for what in left
            ]

        self._checks.append(check)

    def _cancel(self) -> None:
        """What is published already cannot be cancelled; the last one is cancelled unseen."""
        for planned in self._candidates:
            document_id, task_id = self._hand_in(planned)
            if planned is not self._candidates[-1]:
                self._await_work(task_id, self._dice.choice(STAGES))
            if self._cancelled(task_id):
                break
        else:
            self._trouble.append("every document was over before it could be cancelled")
            return
        version_ids = self._versions(document_id)

        def check(verdict: Verdict, verifier: Verifier) -> None:
            job = self._stack.ledger.job(task_id)
            if job is None or job.status != "cancelled":
                state = job.status if job else "unknown"
                verdict.broken.append(f"{planned.name} was cancelled, and its task is {state}")
            if verifier.search(planned.markers[0], planned.number):
                verdict.broken.append(f"{planned.name} was cancelled, and answers")
            left = verifier.stored.remains(document_id, version_ids)
            verdict.broken += [f"{planned.name} was cancelled; there is still {w}" for w in left]

        self._checks.append(check)

    def _cancelled(self, task_id: str) -> bool:
        try:
            return persevere(lambda: self._client.cancel(task_id)).status.value == "cancelled"
        except Refused:  # over: by this very request, or before it
            job = wait_for(lambda: self._job(task_id), IN_WORK_SECONDS, "the ledger answers")
            return bool(job.status == "cancelled")

    # --- indexed anew ----------------------------------------------------------------------

    def _reindex(self) -> None:
        planned = self._again
        document_id, ingestion = self._hand_in(planned)

        def ready() -> bool:
            job = self._job(ingestion)
            return self._stop.is_set() or (job is not None and job.final)

        wait_for(ready, READY_SECONDS, f"{planned.name} is ingested")
        task_id = persevere(lambda: self._client.reindex_document(document_id)).task_id
        self._tasks.append(task_id)

        def check(verdict: Verdict, verifier: Verifier) -> None:
            job = self._stack.ledger.job(task_id)
            if job is None or job.status != "completed":
                state = f"{job.status} {job.error_code}" if job else "unknown"
                verdict.lost.append(f"the re-indexing {task_id} of {planned.name} is {state}")
            verifier.judge_answers(verdict, planned, task_id, document_id)

        self._checks.append(check)

    # --- the ledger, which may be away -----------------------------------------------------

    def _job(self, task_id: str) -> Any:
        try:
            return self._stack.ledger.job(task_id)
        except SQLAlchemyError:
            return None

    def _rows(self, statement: str, **values: Any) -> Any:
        try:
            return self._stack.ledger.rows(statement, **values) or None
        except SQLAlchemyError:
            return None

    def _versions(self, document_id: str) -> list[str]:
        deadline = time.monotonic() + IN_WORK_SECONDS
        while True:
            try:
                return self._stack.ledger.versions(document_id)
            except SQLAlchemyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def false_count(status: str, result: dict[str, Any], members: dict[str, int]) -> str | None:
    """What is not true of how a batch of BATCH ended, by its members in the ledger."""
    told = {name: result.get(name) for name in ("completed", "failed", "cancelled")}
    true = {name: members.get(name, 0) for name in told}
    if told != true or result.get("documents") != sum(members.values()):
        return f"it tells {result.get('documents')} documents, {told}; its members are {members}"
    if sum(members.values()) != len(BATCH):
        return f"it has {sum(members.values())} members of {len(BATCH)}"
    # The unreadable one is a duplicate where the same request came before and is not over yet.
    if true["cancelled"] or true["completed"] < len(BATCH) - 1:
        return f"its members are {members}, though all but one are good"
    expected = "partial" if true["failed"] else "completed"
    return None if status == expected else f"it is {status} with {members}"
