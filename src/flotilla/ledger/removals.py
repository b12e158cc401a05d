"""Removals: what deleted documents have left is taken away piece by piece.

A removal is a job of kind `delete`. Its payload names its documents by their ids, or, where they
may be any number, by their collection and the moment at which all of them were deleted. How far
each of its stages has come stands there too, with what it has found: a piece is counted before it
is removed, so that whoever goes on after a kill neither counts it again nor forgets it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from flotilla.ledger import endings, jobs
from flotilla.ledger.announce import announce
from flotilla.ledger.database import Database
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.runs import StageRun
from flotilla.ledger.tables import DOCUMENTS, JOBS

documents = DOCUMENTS.c
columns = JOBS.c

KIND = "delete"
# As `pipelines`, which stands above, names it.
STAGE = "vectorstore.remove"

PIECE = 500
"""Documents that are looked at, and of which everything is removed, at once."""

Counts = dict[str, int]


def add(
    connection: Connection, tenant_id: str, callback_url: str | None = None, **which: Any
) -> str:
    """Write the job that removes what documents have left which this transaction has deleted.

    It counts as sent.

    Args:
        connection: a writing transaction.
        tenant_id: whose they are.
        callback_url: who is told of its end.
        which: as `of_ids` or `of_collection` gives it.

    Returns:
        its id.
    """
    job = NewJob(
        tenant_id=tenant_id,
        kind=KIND,
        queue="vectorstore",
        stage=STAGE,
        payload=which,
        sent=True,
        callback_url=callback_url,
    )
    jobs.add(connection, [job])
    return job.id


def of_ids(*document_ids: str) -> dict[str, Any]:
    """A payload that names a few documents."""
    return {"document_ids": list(document_ids)}


def of_collection(collection_id: str, deleted_at: datetime) -> dict[str, Any]:
    """A payload that names the documents of a collection that were deleted at this moment."""
    return {"collection_id": collection_id, "deleted_at": deleted_at.isoformat()}


def document_ids(
    connection: Connection,
    payload: dict[str, Any],
    *,
    after: str = "",
    until: str | None = None,
    limit: int | None = None,
) -> list[str]:
    """A removal's documents in the order of their ids, from behind `after` on, up to `until`."""
    if "document_ids" in payload:
        named = sorted(set(payload["document_ids"]))
        return [one for one in named if one > after and (until is None or one <= until)][:limit]
    query = select(documents.id).where(
        documents.collection_id == payload["collection_id"],
        documents.deleted_at == datetime.fromisoformat(payload["deleted_at"]),
        documents.id > after,
    )
    if until is not None:
        query = query.where(documents.id <= until)
    return list(connection.scalars(query.order_by(documents.id).limit(limit)))


def cancel_work(
    database: Database,
    job_id: str,
    seconds: float | None = None,
    checkpoint: Callable[[], object] = lambda: None,
) -> bool:
    """Cancel what is still being done for a removal's documents, for about so long.

    Returns whether nothing is left; the removal's first stage goes on with the rest.

    Args:
        database: the ledger.
        job_id: the removal's.
        seconds: None for as long as it takes.
        checkpoint: called between pieces; raises when somebody else is to go on.

    Raises:
        DependencyUnavailable: the ledger is out of reach.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    after = ""
    while True:
        with database.reading() as connection:
            job = jobs.get(connection, job_id)
            if job is None:
                return True
            piece = document_ids(connection, job.payload, after=after, limit=PIECE)
            left = jobs.open_of_documents(connection, piece)
        for first in range(0, len(left), endings.PIECE):
            checkpoint()
            with database.writing() as connection:
                ended = endings.cancel_in(connection, left[first : first + endings.PIECE])
            for task in ended:
                announce(task)
            for batch_id in {task.parent_id for task in ended if task.parent_id is not None}:
                endings.tell_batch(database, batch_id)
            if deadline is not None and time.monotonic() >= deadline:
                return False
        if len(piece) < PIECE:
            return True
        after = piece[-1]
        checkpoint()


# --- one of its stages ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Piece:
    """Documents that are removed at once, and whether they have been counted already."""

    document_ids: list[str]
    counted: bool


def carry_out(
    run: StageRun,
    count: Callable[[list[str]], Counts],
    remove: Callable[[list[str]], object],
    forget: Callable[[Connection, list[str]], object] | None = None,
) -> Counts:
    """Remove one kind of thing of a removal's documents, from where the last attempt came to.

    Args:
        run: the attempt at the stage.
        count: what there is of some documents, by name.
        remove: takes it away; it may be done twice.
        forget: removes their rows, in the transaction that notes that they are done.

    Returns:
        the sums over all documents and all attempts.

    Raises:
        LeaseLost: another worker has taken this step over.
        Cancelled: the job is over.
    """
    while True:
        with run.database.reading() as connection:
            piece = _next(connection, run)
        if not piece.document_ids:
            with run.database.reading() as connection:
                return dict(_state(connection, run).get("found", {}))
        if not piece.counted:
            found = count(piece.document_ids)
            with run.writing() as connection:
                _note(connection, run, found, counted_to=piece.document_ids[-1])
        remove(piece.document_ids)
        with run.writing() as connection:
            if forget is not None:
                forget(connection, piece.document_ids)
            _note(connection, run, {}, removed_to=piece.document_ids[-1])


def _state(connection: Connection, run: StageRun) -> dict[str, Any]:
    job = jobs.get(connection, run.job.id)
    return job.payload.get("removed", {}).get(run.stage, {}) if job is not None else {}


def _next(connection: Connection, run: StageRun) -> _Piece:
    state = _state(connection, run)
    counted, removed = state.get("counted_to", ""), state.get("removed_to", "")
    payload = run.job.payload
    if counted > removed:  # the attempt before was ended in between
        begun = document_ids(connection, payload, after=removed, until=counted)
        if begun:
            return _Piece(begun, counted=True)
    return _Piece(document_ids(connection, payload, after=counted, limit=PIECE), counted=False)


def _note(connection: Connection, run: StageRun, found: Counts, **reached: str) -> None:
    payload = connection.scalar(select(columns.payload).where(columns.id == run.job.id)) or {}
    stages = payload.get("removed", {})
    state = stages.get(run.stage, {})
    sums = state.get("found", {})
    sums = sums | {name: sums.get(name, 0) + number for name, number in found.items()}
    state = state | reached | {"found": sums}
    connection.execute(
        update(JOBS)
        .where(columns.id == run.job.id)
        .values(payload=payload | {"removed": stages | {run.stage: state}})
    )


# --- who else asks -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leaving:
    """The documents that a removal which is not over is going to remove."""

    ids: frozenset[str]
    marks: frozenset[tuple[str, datetime]]

    def __contains__(self, row: Any) -> bool:
        """Of a document's row with `document_id`, `collection_id` and `deleted_at`."""
        return row.document_id in self.ids or (row.collection_id, row.deleted_at) in self.marks


def leaving(connection: Connection) -> Leaving:
    """What the removals that are not over are going to remove."""
    payloads = connection.scalars(
        select(columns.payload).where(columns.kind == KIND, columns.finished_at.is_(None))
    ).all()
    return Leaving(
        frozenset(one for payload in payloads for one in payload.get("document_ids", ())),
        frozenset(
            (payload["collection_id"], datetime.fromisoformat(payload["deleted_at"]))
            for payload in payloads
            if "collection_id" in payload
        ),
    )
