"""A row's jobs, judged one by one: each has ended as it must, and nothing was ingested twice."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.expected import Expected, Fate
from tests.chaos.ledger import FINAL, LedgerView
from tests.chaos.submission import Submitted
from tests.chaos.verdict import Verdict

MEMBER_STAGE = "gateway.submit"
"""Where a batch notes a member that is a duplicate: nothing is ingested for it."""

OBJECTS = ("payload", "result")


@dataclass(frozen=True)
class Job:
    """A job that is no question."""

    id: str
    kind: str
    status: str
    stage: str
    code: str | None
    message: str | None
    parent_id: str | None
    payload: Mapping[str, Any]
    result: Mapping[str, Any]

    @property
    def name(self) -> str | None:
        """Its source's."""
        return self.payload.get("name")

    @property
    def is_duplicate(self) -> bool:
        """Whether it had nothing to do, since the same bytes are there."""
        return self.stage == MEMBER_STAGE or "duplicate_of" in self.result


def read_jobs(ledger: LedgerView, collection: str) -> list[Job]:
    """A collection's jobs without its questions."""
    rows = ledger.rows(
        "SELECT id, kind, status, stage, error_code AS code, error_message AS message, "
        "parent_id, payload, result FROM jobs "
        "WHERE collection = :collection AND kind NOT IN ('query', 'search') ORDER BY id",
        collection=collection,
    )
    return [
        Job(**dict(row._mapping) | {key: _object(row._mapping[key]) for key in OBJECTS})
        for row in rows
    ]


def _object(value: Any) -> Mapping[str, Any]:
    # SQLite gives its text, PostgreSQL what it stands for.
    read = json.loads(value) if isinstance(value, str) else value
    return read if isinstance(read, dict) else {}


def judge_jobs(
    verdict: Verdict,
    jobs: Sequence[Job],
    expected: Mapping[str, Expected],
    told: frozenset[str] = frozenset(),
) -> None:
    """Add to a verdict which jobs have not ended as they must, and what was ingested twice.

    Args:
        verdict: that is added to.
        jobs: all of a collection.
        expected: what has to become of each source, by its name.
        told: ids of jobs of which the verdict tells already.
    """
    for job in jobs:
        if job.status not in FINAL or job.id in told:
            continue
        source = expected.get(job.name or "")
        if job.kind != "ingest":
            right = job.status == "completed"
        else:
            right = source is not None and source.may_end(job.status, job.code)
        if not right:
            verdict.broken.append(
                f"{job.kind} {job.id} of {job.name} is {job.status} at {job.stage}: {job.code} "
                f"{job.message}"
            )
    for name, source in expected.items():
        own = [job for job in jobs if job.kind == "ingest" and job.name == name]
        _judge_ingestions(verdict, name, source, [job for job in own if not job.is_duplicate])


def _judge_ingestions(
    verdict: Verdict, name: str, source: Expected, ingestions: Sequence[Job]
) -> None:
    """What fails is ingested anew whenever it is handed in; anything else once in each state."""
    most = source.states + (source.cut if source.fate is Fate.FAILS else 0)
    if len(ingestions) > most:
        verdict.duplicated += len(ingestions) - most
        verdict.duplicates.append(
            f"{name} was ingested {len(ingestions)} times: {', '.join(j.id for j in ingestions)}"
        )
    elif len(ingestions) < source.states:
        verdict.lost.append(f"{name}: {len(ingestions)} ingestions of {source.states} are known")


def judge_replies(verdict: Verdict, entry: Submitted) -> None:
    """Add to a verdict what is wrong with the replies to those who handed in one document.

    Of the same bytes one reply at most says that they are new, and all name one document. Where no
    request was cut off, one does.
    """
    name, replies = entry.planned.name, entry.accepted
    times = 2 if entry.planned.twice else 1
    if len(replies) + len(entry.refused) + len(entry.trouble) < times:
        verdict.lost.append(f"{name}: a client that handed it in never came to its end")
    if replies and (entry.trouble or set(entry.refused) - entry.planned.fails):
        verdict.lost.append(
            f"{name} was taken from one client, not from another: {entry.refused or entry.trouble}"
        )
    new = [reply for reply in replies if reply.duplicate_of is None]
    if len(new) > 1:
        tasks = ", ".join(reply.task_id for reply in new)
        verdict.duplicated += len(new) - 1
        verdict.duplicates.append(f"{name} was taken for new by the tasks {tasks}")
    if replies and not new and not entry.cut:
        verdict.broken.append(f"{name} is called a duplicate, though nobody has sent it before")
    for reply in replies:
        named = reply.duplicate_of in (None, reply.document_id)
        if not named or reply.document_id != replies[0].document_id:
            verdict.broken.append(
                f"{name}: {reply.duplicate_of} is called its original, {reply.document_id} its "
                f"document, and {replies[0].document_id} in another reply"
            )
