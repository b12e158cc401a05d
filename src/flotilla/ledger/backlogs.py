"""How much of each kind waits or is worked on, found by indexes: it is asked every second."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from flotilla.ledger import batches
from flotilla.ledger.jobs import OPEN
from flotilla.ledger.tables import JOBS

jobs = JOBS.c

INGESTION_QUEUES = ("document", "vectorstore")
QUESTION_QUEUES = ("rag",)
SMOKE_TEST = "demo"


def ingestions(connection: Connection) -> int:
    """Jobs of the fleets that ingest, without the members of collections' re-indexings.

    Of those there are as many at once as a collection has documents, and none of them is in
    anybody's way: they wait in the ledger for their turn.
    """
    return max(0, _open_in(connection, INGESTION_QUEUES) - _reindex_members(connection))


def questions(connection: Connection) -> int:
    """Questions and searches."""
    return _open_in(connection, QUESTION_QUEUES)


def smoke_tests(connection: Connection) -> int:
    """Smoke tests. The queue `default` has batches as well, which are no work of any fleet."""
    found = select(func.count()).where(
        # As the index of sent jobs says it.
        jobs.finished_at.is_(None),
        jobs.sent_at.is_not(None),
        jobs.kind == SMOKE_TEST,
        jobs.status.in_(OPEN),
    )
    return int(connection.scalar(found) or 0)


def _open_in(connection: Connection, queues: Sequence[str]) -> int:
    found = select(func.count()).where(
        jobs.finished_at.is_(None), jobs.status.in_(OPEN), jobs.queue.in_(queues)
    )
    return int(connection.scalar(found) or 0)


def _reindex_members(connection: Connection) -> int:
    reindexings = connection.scalars(
        select(jobs.id).where(
            jobs.finished_at.is_(None),
            jobs.status.in_(OPEN),
            jobs.queue == batches.QUEUE,
            jobs.kind == batches.KIND,
            jobs.collection_id.is_not(None),
        )
    ).all()
    found = select(func.count()).where(jobs.parent_id.in_(reindexings), jobs.status.in_(OPEN))
    return int(connection.scalar(found) or 0) if reindexings else 0
