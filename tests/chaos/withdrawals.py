"""Clients that take a document back: in the middle of its ingestion, or once it answers."""

from collections.abc import Sequence

from tests.chaos.clients import IN_WORK_SECONDS, Client, Scene
from tests.chaos.documents import Planned
from tests.chaos.expected import Fate
from tests.chaos.stack import wait_for
from tests.chaos.stored import vanished
from tests.chaos.submission import Refused, persevere
from tests.chaos.verdict import Verdict
from tests.chaos.verifier import Verifier

STAGES = ("document.convert_range", "document.split", "vectorstore.index")
"""At one of which a document is deleted or cancelled."""


class Deletion(Client):
    """Deletes a document while somebody works on it: from the reply on nothing of it is found.

    Args:
        scene: where it is.
        doomed: is handed in to be deleted.
    """

    title = "the deletion"

    def __init__(self, scene: Scene, doomed: Planned) -> None:
        super().__init__(scene)
        self._doomed = doomed
        self._verifier = Verifier(scene.stack, scene.collection)

    def act(self) -> None:
        _, [reply] = self.hand_in(self._doomed)
        self._document_id = reply.document_id
        self.await_moment(reply.task_id)
        self._version_ids = self.versions(self._document_id)
        self._delete()
        if found := self._answers():
            self.trouble.append(f"{self._doomed.name} answers after its deletion: {found}")
        deletions = wait_for(
            lambda: self.rows(
                "SELECT id FROM jobs WHERE kind = 'delete' AND CAST(payload AS TEXT) LIKE :part",
                part=f"%{self._document_id}%",
            ),
            IN_WORK_SECONDS,
            f"the ledger has the deletion of {self._document_id}",
        )
        self._deletions = [row[0] for row in deletions]
        self.scene.tasks += self._deletions

    def await_moment(self, task_id: str) -> None:
        """Wait until it is to be deleted."""
        self.await_work(task_id, self.scene.dice.choice(STAGES))

    def _delete(self) -> None:
        try:
            persevere(lambda: self.scene.client.delete_document(self._document_id))
        except Refused as refusal:
            if refusal.code != "document_not_found":  # deleted, and the answer did not arrive
                raise
        self.expect(self._doomed, Fate.DELETED)

    def _answers(self) -> list[str]:
        """The passages that are found of it."""
        found = self._verifier.search(self._doomed.markers[0], self._doomed.number)
        return [passage["chunk_id"] for passage in found]

    def judge(self, verdict: Verdict, verifier: Verifier) -> None:
        for task_id in self._deletions:
            job = self.scene.stack.ledger.job(task_id)
            if job is None or job.status != "completed":
                state = job.status if job else "unknown"
                verdict.lost.append(f"the deletion {task_id} of {self._doomed.name} is {state}")
        left = verifier.stored.remains(self._document_id, self._version_ids)
        left += vanished(
            lambda: [f"version {v} in the ledger" for v in self.versions(self._document_id)]
        )
        left += [f"a passage {found} in the answers" for found in self._answers()]
        verdict.broken += [
            f"{self._doomed.name} was deleted; there is still {what}" for what in left
        ]


class DeletionOfReady(Deletion):
    """Deletes a document that answers."""

    title = "the deletion of what answers"

    def await_moment(self, task_id: str) -> None:
        """Wait until it answers.

        Raises:
            AssertionError: it is completed and does not.
        """
        self.await_end(task_id)
        assert self.scene.stop.is_set() or self._answers(), (
            f"{self._doomed.name} is over, and not found: its deletion would prove nothing"
        )


class Cancellation(Client):
    """Cancels an ingestion while somebody works on it.

    What is published already cannot be cancelled; of several documents the last one is cancelled
    unseen.

    Args:
        scene: where it is.
        candidates: are handed in one by one, until one is cancelled.
    """

    title = "the cancellation"

    def __init__(self, scene: Scene, candidates: Sequence[Planned]) -> None:
        super().__init__(scene)
        self._candidates = candidates

    def act(self) -> None:
        for planned in self._candidates:
            _, [reply] = self.hand_in(planned)
            if planned is not self._candidates[-1]:
                self.await_work(reply.task_id, self.scene.dice.choice(STAGES))
            if self._is_cancelled(reply.task_id):
                break
        else:
            raise AssertionError("every document was over before it could be cancelled")
        self._planned, self._task_id, self._document_id = planned, reply.task_id, reply.document_id
        self.expect(planned, Fate.CANCELLED)
        self._version_ids = self.versions(self._document_id)

    def _is_cancelled(self, task_id: str) -> bool:
        try:
            task = persevere(lambda: self.scene.client.cancel(task_id))
        except Refused:  # over: by this very request, or before it
            job = wait_for(lambda: self.job(task_id), IN_WORK_SECONDS, "the ledger answers")
            return job.status == "cancelled"
        return task.status.value == "cancelled"

    def judge(self, verdict: Verdict, verifier: Verifier) -> None:
        name = self._planned.name
        job = self.scene.stack.ledger.job(self._task_id)
        if job is None or job.status != "cancelled":
            state = job.status if job else "unknown"
            verdict.broken.append(f"{name} was cancelled, and its task is {state}")
        if verifier.search(self._planned.markers[0], self._planned.number):
            verdict.broken.append(f"{name} was cancelled, and answers")
        left = verifier.stored.remains(self._document_id, self._version_ids)
        verdict.broken += [f"{name} was cancelled; there is still {what}" for what in left]
