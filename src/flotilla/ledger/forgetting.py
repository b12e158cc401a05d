"""What deleted conversations leave: their jobs, points, messages and rows are removed by a job.

The job is of kind `forget`. From the deletion on nobody adds a job to the conversation
(`conversations.hold`), and none of those that run writes a turn (`turns.append`), so that what is
found after it is all that there is.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, func, select

from flotilla.errors import SweepRefused
from flotilla.ledger import jobs
from flotilla.ledger.database import now
from flotilla.ledger.endings import cancel_in
from flotilla.ledger.jobs import OPEN, NewJob
from flotilla.ledger.sweep import MOST_UNKNOWN, made_at
from flotilla.ledger.tables import CONVERSATIONS, JOBS, MESSAGES, TENANTS
from flotilla.schemas import Task

KIND = "forget"
# As `pipelines`, which stands above, names it.
STAGE = "vectorstore.forget"

GRACE = timedelta(hours=1)
"""After which a deleted conversation that no job is about to remove was left over."""

conversations = CONVERSATIONS.c
messages = MESSAGES.c
columns = JOBS.c


def add(connection: Connection, tenant_id: str, conversation_id: str) -> str:
    """Write the job that removes what a conversation has left which this transaction has deleted;
    returns its id. It counts as sent."""
    job = NewJob(
        tenant_id=tenant_id,
        kind=KIND,
        queue="vectorstore",
        stage=STAGE,
        payload={"conversation_id": conversation_id},
        sent=True,
    )
    jobs.add(connection, [job])
    return job.id


def cancel_turns(connection: Connection, conversation_id: str) -> list[Task]:
    """Cancel the turns of a deleted conversation that are not answered yet; the caller tells of
    them."""
    open_ones = select(columns.id).where(
        columns.conversation_id == conversation_id, columns.status.in_(OPEN)
    )
    return cancel_in(connection, list(connection.scalars(open_ones)))


def purge(connection: Connection, conversation_ids: Collection[str]) -> int:
    """Remove deleted conversations with their messages, and the jobs that hold the questions and
    the answers once more; returns how many messages there were."""
    deleted = set(
        connection.scalars(
            select(conversations.id).where(
                conversations.id.in_(set(conversation_ids)), conversations.deleted_at.is_not(None)
            )
        )
    )
    connection.execute(
        delete(JOBS).where(columns.conversation_id.in_(deleted), columns.finished_at.is_not(None))
    )
    removed = connection.execute(delete(MESSAGES).where(messages.conversation_id.in_(deleted)))
    connection.execute(delete(CONVERSATIONS).where(conversations.id.in_(deleted)))
    return removed.rowcount


def leftovers(connection: Connection, after: str = "", limit: int = 500) -> list[str]:
    """Ids of conversations that were deleted a while ago, and that no job is going to remove, in
    their order, from behind `after` on."""
    leaving = {
        payload["conversation_id"]
        for payload in connection.scalars(
            select(columns.payload).where(columns.kind == KIND, columns.finished_at.is_(None))
        )
    }
    query = select(conversations.id).where(
        conversations.deleted_at.is_not(None),  # as the index says it
        conversations.deleted_at < now() - GRACE,
        conversations.id > after,
    )
    if leaving:
        query = query.where(conversations.id.not_in(leaving))
    return list(connection.scalars(query.order_by(conversations.id).limit(limit)))


@dataclass(slots=True)
class Judge:
    """Tells conversations that are gone from all others, for a sweep over their points.

    A turn's point is written after its row. So a conversation without a row, or that is deleted,
    is gone for ever, and so is whatever a late worker still writes of it.
    """

    _known: int = 0
    _unknown: int = 0

    def orphaned(self, connection: Connection, conversation_ids: Collection[str]) -> set[str]:
        """Which of the conversations are gone; those that are older than this ledger, or have ids
        that it does not make, are another's and left alone.

        Raises:
            SweepRefused: the ledger knows so few of them that it cannot be the one that they were
                written under.
        """
        rows = connection.execute(
            select(conversations.id, conversations.deleted_at).where(
                conversations.id.in_(set(conversation_ids))
            )
        )
        deleted = {row.id: row.deleted_at is not None for row in rows}
        birth = connection.scalar(select(func.min(TENANTS.c.created_at)))
        unknown = {
            one
            for one in set(conversation_ids) - deleted.keys()
            if birth is not None and (made := made_at(one)) is not None and made >= birth
        }
        self._known += len(deleted)
        self._unknown += len(unknown)
        if self._unknown > max(MOST_UNKNOWN, self._known):
            raise SweepRefused(
                f"Of {self._known + self._unknown:,} remembered conversations the ledger does not "
                f"know {self._unknown:,}: it seems to be another ledger than the one they were "
                "written under, so nothing more is removed. Check DATABASE_URL and QDRANT_URL."
            )
        return unknown | {one for one, gone in deleted.items() if gone}
