"""A client that hands a finished document in once more, and has it indexed anew."""

from tests.chaos.clients import Client, Scene
from tests.chaos.documents import Planned
from tests.chaos.submission import persevere
from tests.chaos.verdict import Verdict
from tests.chaos.verifier import Verifier


class Repetition(Client):
    """The same bytes are a duplicate and nothing is done for them; a re-indexing leaves all as it
    was.

    Args:
        scene: where it is.
        planned: the document.
    """

    title = "the re-indexing"

    def __init__(self, scene: Scene, planned: Planned) -> None:
        super().__init__(scene)
        self._planned = planned

    def act(self) -> None:
        _, [self._first] = self.hand_in(self._planned)
        self.await_end(self._first.task_id)
        _, [self._second] = self.hand_in(self._planned)
        document_id = self._first.document_id
        reindex = self.scene.client.reindex_document
        self._task_id = persevere(lambda: reindex(document_id)).task_id
        self.scene.tasks.append(self._task_id)

    def judge(self, verdict: Verdict, verifier: Verifier) -> None:
        name, document_id = self._planned.name, self._first.document_id
        told = self._second.duplicate_of, self._second.document_id, self._second.task_id
        if told != (document_id, document_id, self._first.task_id):
            verdict.broken.append(
                f"{name} was handed in again as {document_id} was ready: the reply names {told}"
            )
        job = self.scene.stack.ledger.job(self._task_id)
        if job is None or job.status != "completed":
            state = f"{job.status} {job.error_code}" if job else "unknown"
            verdict.lost.append(f"the re-indexing {self._task_id} of {name} is {state}")
        verifier.judge_answers(verdict, self._planned, self._first.task_id, document_id)
