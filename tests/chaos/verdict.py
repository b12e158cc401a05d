"""What became of every document of a row, by the API, by the ledger and by the points."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
from sqlalchemy.exc import SQLAlchemyError

from flotilla.client.errors import ClientError
from flotilla.schemas import Task, TaskStatus
from flotilla.settings import FLEETS
from tests.chaos.ledger import JobState
from tests.chaos.questions import Questioner
from tests.chaos.stack import Stack
from tests.chaos.submission import Refused, Submission, Submitted, persevere
from tests.chaos.watch import Watch

TIDY_SECONDS = 45.0
"""For what is cleaned up after the jobs' ends: superseded versions, failed ones."""

MOST_CHUNKS = 100  # of one document: what one search may return


@dataclass
class Verdict:
    """One line of the kill matrix; each entry of a list is one case and its evidence."""

    row: str
    seed: int
    submitted: int = 0
    completed: int = 0
    failed: int = 0
    unexpected: list[str] = field(default_factory=list)
    """Good documents that failed, by a reason that is no part of this row."""
    tolerated: list[str] = field(default_factory=list)
    """Good documents that failed as this row says they may, such as by quarantine."""
    lost: list[str] = field(default_factory=list)
    duplicated: int = 0
    duplicates: list[str] = field(default_factory=list)
    questions: int = 0
    unanswered: list[str] = field(default_factory=list)
    recovery: float = 0.0
    lease: float = 0.0
    """Of the recoveries, the longest time until the victim's lease was found to have run out."""
    slowest: str = ""
    victims: int = 0
    seconds: float = 0.0
    disturbances: Counter[str] = field(default_factory=Counter)
    idle: Counter[str] = field(default_factory=Counter)
    """Of the disturbances, those that met no open work: they prove nothing."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Attempts that failed, by stage and code, those of bad documents included."""
    skipped: str | None = None

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, nothing is there twice and nothing failed without a reason."""
        return not (self.lost or self.duplicated or self.unexpected or self.unanswered)


class Verifier:
    """Compares what was handed in with what is there.

    Args:
        stack: after the disturbance.
        collection: where the documents were handed in.
        tolerated: codes by which a good document may fail in this row.
    """

    def __init__(self, stack: Stack, collection: str, tolerated: frozenset[str]) -> None:
        self._stack = stack
        self._collection = collection
        self._tolerated = tolerated

    def judge(
        self,
        verdict: Verdict,
        submission: Submission,
        questioner: Questioner | None,
        watch: Watch,
    ) -> None:
        """Fill in the verdict."""
        jobs = {job.id: job for job in self._stack.ledger.jobs(self._collection)}
        for job in jobs.values():
            if not job.final:
                verdict.lost.append(self._stuck(job))
        self._await_quiet()
        for entry in submission.submitted:
            self._judge_source(verdict, entry, jobs)
        self._judge_points(verdict)
        if questioner is not None:
            self._judge_questions(verdict, questioner, jobs)
        verdict.lost += [f"never taken up again: {what}" for what in watch.unrecovered()]
        verdict.recovery, verdict.slowest = watch.longest, watch.slowest
        verdict.attempts = self._stack.ledger.failed_attempts(self._collection)
        verdict.victims, verdict.lease = watch.victims, watch.longest_lease

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
            waiting = [self._stack.redis.llen(fleet) for fleet in FLEETS]
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
        if not entry.accepted:
            self._judge_refusal(verdict, entry)
            return
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
                self._judge_answers(verdict, entry, task)
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
        why = f"{entry.planned.name} {task.task_id}: {code} at {job.stage}; attempts: {attempts}"
        (verdict.tolerated if code in self._tolerated else verdict.unexpected).append(why)

    def _judge_answers(self, verdict: Verdict, entry: Submitted, task: Task) -> None:
        """Its own sentences have to be found, and those of the version before have not."""
        planned = entry.planned
        missing = []
        for marker in planned.markers:
            found = self._search(marker, planned.number)
            word = marker.split()[3]
            if not any(
                word in passage["text"] and passage["document_id"] == task.document_id
                for passage in found
            ):
                missing.append(word)
            strays = {passage["version_id"] for passage in found}
            if len(strays) > 1:
                verdict.duplicated += 1
                verdict.duplicates.append(f"{planned.name} answers with {len(strays)} versions")
        if missing:
            verdict.lost.append(
                f"{planned.name} ({task.task_id}) is completed, but not found: {missing}"
            )

    def _task(self, task_id: str) -> Task | None:
        try:
            return persevere(lambda: self._stack.client.task(task_id), patience=60)
        except Refused:
            return None

    def _search(self, marker: str, number: int) -> list[dict[str, Any]]:
        def search() -> list[dict[str, Any]]:
            found = self._stack.client.search(
                marker,
                collections=[self._collection],
                filter={"number": number},
                top_k=MOST_CHUNKS,
            )
            return [passage.model_dump() for passage in found.passages]

        try:
            return persevere(search, patience=60)
        except (Refused, ClientError):
            return []

    # --- points ----------------------------------------------------------------------------

    def _judge_points(self, verdict: Verdict) -> None:
        deadline = time.monotonic() + TIDY_SECONDS
        while True:
            lost, duplicates, count = self._compare_points()
            if not (lost or duplicates) or time.monotonic() > deadline:
                break
            time.sleep(1.0)
        verdict.lost += lost
        verdict.duplicated += count
        verdict.duplicates += duplicates

    def _compare_points(self) -> tuple[list[str], list[str], int]:
        ledger = self._stack.ledger
        documents = ledger.rows(
            "SELECT d.id, d.source, d.status, d.live_version_id, v.chunks FROM documents d "
            "JOIN collections c ON c.id = d.collection_id "
            "LEFT JOIN versions v ON v.id = d.live_version_id "
            "WHERE c.name = :name AND d.deleted_at IS NULL",
            name=self._collection,
        )
        live = ledger.rows(
            "SELECT v.document_id, COUNT(*) FROM versions v "
            "JOIN documents d ON d.id = v.document_id JOIN collections c ON c.id = d.collection_id "
            "WHERE c.name = :name AND v.state = 'live' GROUP BY v.document_id HAVING COUNT(*) > 1",
            name=self._collection,
        )
        lost: list[str] = []
        duplicates = [f"document {row[0]} has {row[1]} live versions" for row in live]
        count = sum(row[1] - 1 for row in live)
        for source, times in Counter(row[1] for row in documents).items():
            if times > 1:
                count += times - 1
                duplicates.append(f"{source} is {times} documents")
        points = self._points()
        for document_id, source, status, version_id, chunks in documents:
            own = [point for point in points if point["document_id"] == document_id]
            strays = [point for point in own if point["version_id"] != version_id]
            kept = [point for point in own if point["version_id"] == version_id]
            seen = [point for point in kept if point["live"]]
            if strays:
                count += len(strays)
                shown = sum(point["live"] for point in strays)
                duplicates.append(
                    f"{source} ({document_id}, {status}): {len(strays)} points of versions that "
                    f"are not live, {shown} of which are shown"
                )
            if version_id is not None and len(kept) > chunks:
                count += len(kept) - chunks
                duplicates.append(f"{source} has {len(kept)} points of {chunks} chunks")
            if version_id is not None and len({p["position"] for p in seen}) != chunks:
                lost.append(
                    f"{source} ({document_id}): {len(seen)} shown points of {chunks} chunks, "
                    f"{len(kept)} in all"
                )
        known = {row[0] for row in documents}
        orphans = [point for point in points if point["document_id"] not in known]
        if orphans:
            count += len(orphans)
            duplicates.append(f"{len(orphans)} points of documents that are not there")
        return lost, duplicates, count

    def _points(self) -> list[dict[str, Any]]:
        from qdrant_client import models

        ids = self._stack.ledger.rows(
            "SELECT id FROM collections WHERE name = :name AND deleted_at IS NULL",
            name=self._collection,
        )
        chosen = models.Filter(
            must=[
                models.FieldCondition(
                    key="collection_id", match=models.MatchAny(any=[row[0] for row in ids])
                )
            ]
        )
        fields = ["document_id", "version_id", "position", "live"]
        found: list[dict[str, Any]] = []
        for collection in self._stack.qdrant.get_collections().collections:
            following: Any = None
            while True:
                page, following = self._stack.qdrant.scroll(
                    collection.name,
                    scroll_filter=chosen,
                    limit=1000,
                    offset=following,
                    with_payload=fields,
                )
                found += [point.payload or {} for point in page]
                if following is None:
                    break
        return found

    # --- questions -------------------------------------------------------------------------

    def _judge_questions(
        self, verdict: Verdict, questioner: Questioner, jobs: dict[str, JobState]
    ) -> None:
        asked: Sequence[JobState] = [job for job in jobs.values() if job.kind == "query"]
        verdict.questions = len(asked)
        verdict.unanswered += [
            f"question {job.id} {job.status}: {job.error_code} {job.error_message}"
            for job in asked
            if job.final and job.status != "completed"
        ]
        unknown = [task_id for task_id in questioner.task_ids if task_id not in jobs]
        verdict.lost += [f"question {task_id} was accepted and is unknown" for task_id in unknown]
