"""A client that hands in several files in one request, one of which cannot be read."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from tests.chaos.clients import Client, Scene
from tests.chaos.documents import Planned
from tests.chaos.ingestions import Job, read_jobs
from tests.chaos.stored import vanished
from tests.chaos.submission import persevere
from tests.chaos.verdict import Verdict
from tests.chaos.verifier import Verifier


class Batch(Client):
    """One request.

    Args:
        scene: where it is sent.
        members: its files. They bear one number, since a request has one metadata.
    """

    title = "the batch"

    def __init__(self, scene: Scene, members: Sequence[Planned]) -> None:
        super().__init__(scene)
        self._members = members

    def act(self) -> None:
        batch_id, self._replies = self.hand_in(*self._members)
        assert batch_id is not None
        self._batch_id = batch_id
        self.scene.tasks.append(batch_id)

    def judge(self, verdict: Verdict, verifier: Verifier) -> None:
        """Judge it, and what came of requests that were cut off and sent once more."""
        batches = {self._batch_id} | {job.parent_id for job in self._jobs() if job.parent_id}
        for batch_id in batches:
            # One that was cut off is waited for by nobody else.
            verdict.broken += vanished(partial(self._faults, batch_id))
        for planned, reply in zip(self._members, self._replies, strict=True):
            if reply.name != planned.name:
                verdict.broken.append(f"batch {self._batch_id}: {reply.name} for {planned.name}")
            if not planned.fails:
                verifier.judge_answers(verdict, planned, reply.task_id, reply.document_id)

    def _jobs(self) -> list[Job]:
        names = {planned.name for planned in self._members}
        jobs = read_jobs(self.scene.stack.ledger, self.scene.collection)
        return [job for job in jobs if job.name in names]

    def _faults(self, batch_id: str) -> list[str]:
        task = persevere(lambda: self.scene.client.task(batch_id), patience=60)
        own = [job for job in self._jobs() if job.parent_id == batch_id]
        fault = false_report(self._members, task.status.value, task.result or {}, own)
        return [] if fault is None else [f"batch {batch_id}: {fault}"]


def false_report(
    files: Sequence[Planned], status: str, result: Mapping[str, Any], members: Sequence[Job]
) -> str | None:
    """What is not true of how a batch ended, by its members in the ledger.

    A member that is a duplicate, since the same request came before, ends as its original does:
    what cannot be read is never completed.
    """
    is_ = sorted((job.name or "", job.status, job.code) for job in members)
    must = sorted((f.name, "failed" if f.fails else "completed") for f in files)
    if [each[:2] for each in is_] != must:
        return f"its members are {is_}"
    bad = {planned.name: planned.fails for planned in files if planned.fails}
    if any(job.code not in bad[job.name or ""] for job in members if job.status == "failed"):
        return f"its members are {is_}"
    failures = sorted((each["name"], each["code"]) for each in result.get("failures", ()))
    if failures != [(name, code) for name, state, code in is_ if state == "failed"]:
        return f"it names {failures} as failed, and its members are {is_}"
    told = [result.get(name) for name in ("documents", "completed", "failed", "cancelled")]
    if told != [len(files), len(files) - len(bad), len(bad), 0]:
        return f"it tells {told} documents, completed, failed and cancelled; its members are {is_}"
    return None if status == "partial" else f"it is {status}, and its members are {is_}"
