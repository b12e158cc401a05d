"""What became of every document of a row, by the API, by the ledger and by what is stored."""

import time
from collections.abc import Mapping
from typing import Any

import redis
from sqlalchemy.exc import SQLAlchemyError

from flotilla.client.errors import ClientError
from flotilla.priorities import lanes
from flotilla.schemas import Task, TaskStatus
from flotilla.settings import FLEETS
from tests.chaos.documents import Planned
from tests.chaos.expected import Expected, expected, uploads_cut
from tests.chaos.ingestions import judge_jobs, judge_replies, read_jobs
from tests.chaos.ledger import JobState
from tests.chaos.questions import Questioner
from tests.chaos.replies import judge_questions
from tests.chaos.stack import Stack
from tests.chaos.stored import Stored
from tests.chaos.submission import PATIENCE, Refused, Submission, Submitted, persevere
from tests.chaos.verdict import Verdict
from tests.chaos.watch import Watch

MOST_CHUNKS = 100  # of one document: what one search may return


class Verifier:
    """Compares what was handed in with what is there.

    Args:
        stack: after the disturbance.
        collection: where the documents were handed in.
    """

    def __init__(self, stack: Stack, collection: str) -> None:
        self._stack = stack
        self._collection = collection
        self.stored = Stored(stack, collection)

    def judge(
        self,
        verdict: Verdict,
        submission: Submission,
        questioner: Questioner | None,
        watch: Watch,
        others: Mapping[str, Expected],
    ) -> None:
        """Fill in the verdict.

        Args:
            verdict: that is filled in.
            submission: of the documents that were handed in one by one.
            questioner: who has asked about them, if anybody has.
            watch: what has timed the recoveries.
            others: what has to become of the collection's further sources, by their names.
        """
        jobs = {job.id: job for job in self._stack.ledger.jobs(self._collection)}
        for job in jobs.values():
            if not job.final:
                verdict.lost.append(self._stuck(job))
        self._await_quiet()
        for entry in submission.submitted:
            self._judge_source(verdict, entry, jobs)
        sources = {**expected(submission), **others}
        told = frozenset(e.accepted[-1].task_id for e in submission.handed_in if e.accepted)
        judge_jobs(verdict, read_jobs(self._stack.ledger, self._collection), sources, told)
        self.stored.judge(verdict, sources, uploads_cut(submission, others))
        if questioner is not None:
            judge_questions(verdict, questioner, jobs, watch.troubles, self._task)
        watch.judge(verdict)
        verdict.attempts = self._stack.ledger.failed_attempts(self._collection)

    def _stuck(self, job: JobState) -> str:
        steps = [
            f"{s.stage}/{s.part}={s.state} attempts={s.attempts} owner={s.owner}"
            for s in self._stack.ledger.steps(self._collection)
            if s.job_id == job.id and s.state != "done"
        ]
        return f"{job.kind} {job.id} is still {job.status} at {job.stage}: {'; '.join(steps)}"

    def _await_quiet(self) -> None:
        """Let what is delivered late be delivered before points are counted."""
        deadline = time.monotonic() + 15
        quiet = 0
        while quiet < 4 and time.monotonic() < deadline:
            quiet = 0 if self._stirs() else quiet + 1
            time.sleep(0.25)

    def _stirs(self) -> bool:
        try:
            waiting = [self._stack.redis.llen(lane) for fleet in FLEETS for lane in lanes(fleet)]
            return any(waiting) or bool(self._stack.ledger.running(self._collection, [""]))
        except (redis.RedisError, SQLAlchemyError):
            return True  # not back yet

    # --- one source ------------------------------------------------------------------------

    def _judge_source(self, verdict: Verdict, entry: Submitted, jobs: dict[str, JobState]) -> None:
        superseded = entry.later is not None and bool(entry.later.accepted)
        self._judge_entry(verdict, entry, jobs, superseded)
        documents = {accepted.document_id for accepted in entry.accepted}
        if entry.later is not None:
            self._judge_entry(verdict, entry.later, jobs, superseded=False)
            documents |= {accepted.document_id for accepted in entry.later.accepted}
        if len(documents) > 1:
            verdict.duplicated += len(documents) - 1
            verdict.duplicates.append(f"{entry.planned.name} is {len(documents)} documents")

    def _judge_entry(
        self, verdict: Verdict, entry: Submitted, jobs: dict[str, JobState], superseded: bool
    ) -> None:
        planned, verdict.submitted = entry.planned, verdict.submitted + 1
        judge_replies(verdict, entry)
        if not entry.accepted:
            self._judge_refusal(verdict, entry)
            return
        unknown = {reply.task_id for reply in entry.accepted[:-1]} - jobs.keys()
        verdict.lost += [
            f"{planned.name}: task {each} was accepted and is unknown" for each in unknown
        ]
        task_id = entry.accepted[-1].task_id
        job = jobs.get(task_id)
        task = self._task(task_id)
        if job is None or task is None:
            verdict.lost.append(f"{planned.name}: task {task_id} was accepted and is unknown now")
            return
        if not job.final:
            return  # told already
        if task.status.value != job.status:
            verdict.lost.append(f"{planned.name}: API says {task.status}, ledger {job.status}")
        elif task.status is TaskStatus.COMPLETED:
            verdict.completed += 1
            if planned.fails:
                verdict.lost.append(f"{planned.name} should have failed and is completed")
            elif not superseded:
                self.judge_answers(verdict, planned, task_id, task.document_id)
        elif superseded and task.status is TaskStatus.CANCELLED:
            verdict.completed += 1  # its successor was sooner
        else:
            self._judge_failure(verdict, entry, task, job)

    def _judge_refusal(self, verdict: Verdict, entry: Submitted) -> None:
        if set(entry.refused) & entry.planned.fails:
            verdict.failed += 1
        else:
            verdict.lost.append(
                f"{entry.planned.name} was never accepted: {entry.refused or entry.trouble}"
            )

    def _judge_failure(self, verdict: Verdict, entry: Submitted, task: Task, job: JobState) -> None:
        verdict.failed += 1
        code = task.error.code if task.error else str(task.status)
        if code in entry.planned.fails:
            return
        attempts = " | ".join(self._stack.ledger.failures(task.task_id)[-3:])
        verdict.unexpected.append(
            f"{entry.planned.name} {task.task_id}: {code} at {job.stage}; attempts: {attempts}"
        )

    def judge_answers(
        self, verdict: Verdict, planned: Planned, task_id: str, document_id: str | None
    ) -> None:
        """Its own sentences have to be found, and those of the version before have not."""
        missing = []
        for marker, word in zip(planned.markers, planned.words, strict=True):
            try:
                found = self.search(marker, planned.number)
            except (Refused, ClientError) as error:
                verdict.lost.append(f"{planned.name} ({task_id}) cannot be searched: {error}")
                return
            if not any(
                word in passage["text"] and passage["document_id"] == document_id
                for passage in found
            ):
                missing.append(word)
            own = [passage for passage in found if passage["document_id"] == document_id]
            strays = {passage["version_id"] for passage in own}
            if len(strays) > 1:
                verdict.duplicated += 1
                verdict.duplicates.append(f"{planned.name} answers with {len(strays)} versions")
        if missing:
            verdict.lost.append(
                f"{planned.name} ({task_id}) is completed, but not found: {missing}"
            )

    def _task(self, task_id: str) -> Task | None:
        try:
            return persevere(lambda: self._stack.client.task(task_id), patience=60)
        except (Refused, ClientError):
            return None

    def search(self, marker: str, number: int, patience: float = PATIENCE) -> list[dict[str, Any]]:
        """The passages that are found for a sentence among the documents of a number.

        Raises:
            Refused, ClientError: no search was answered, for as long as a client tries.
        """

        def search() -> list[dict[str, Any]]:
            found = self._stack.client.search(
                marker,
                collections=[self._collection],
                filter={"number": number},
                top_k=MOST_CHUNKS,
            )
            return [passage.model_dump() for passage in found.passages]

        return persevere(search, patience)
