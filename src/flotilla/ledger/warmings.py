"""Warmings: jobs that ask a list of questions, so that the answers are cached when somebody does.

How far one has come stands in its payload, with what came of it: whoever goes on after a kill asks
a few questions again, which are cached by then.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from flotilla.ledger import collections, jobs
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.tables import JOBS
from flotilla.models import Metadata

KIND = "warm"
# As `pipelines`, which stands above, names it.
STAGE = "rag.warm"

columns = JOBS.c


@dataclass(frozen=True, slots=True)
class Warmed:
    """What a warming has done: questions asked, and of those how many were answered, were not
    answerable, failed for good, or were in the caches already."""

    done: int = 0
    answered: int = 0
    refused: int = 0
    failed: int = 0
    cached: int = 0


def submit(
    connection: Connection,
    tenant_id: str,
    collection: str,
    questions: Sequence[str],
    *,
    top_k: int,
    filter: Metadata,  # noqa: A002 - as a query has it
    callback_url: str | None = None,
) -> str:
    """Write the job; returns its id. It counts as sent, since it does not wait for admission.

    Raises:
        CollectionNotFound: there is no such collection.
    """
    collection_id = collections.resolve(connection, tenant_id, [collection], field=None)[collection]
    job = NewJob(
        tenant_id=tenant_id,
        kind=KIND,
        queue="rag",
        stage=STAGE,
        payload={"questions": list(questions), "top_k": top_k, "filter": filter},
        sent=True,
        collection_id=collection_id,
        collection=collection,
        callback_url=callback_url,
    )
    jobs.add(connection, [job])
    return job.id


def warmed(payload: dict[str, Any]) -> Warmed:
    """How far a warming has come."""
    return Warmed(**payload.get("warmed", {}))


def note(connection: Connection, job_id: str, state: Warmed, questions: int) -> None:
    """Keep how far a warming has come, and show it."""
    payload = connection.scalar(select(columns.payload).where(columns.id == job_id)) or {}
    connection.execute(
        update(JOBS).where(columns.id == job_id).values(payload=payload | {"warmed": asdict(state)})
    )
    jobs.progress(connection, job_id, state.done, questions, "questions")
