"""Removals: piece by piece, and a receipt that is true whatever was killed in between."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select

from flotilla.ledger import collections, documents, endings, jobs, removals, steps
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.jobs import Job
from flotilla.ledger.leases import Lease
from flotilla.ledger.runs import StageRun
from flotilla.ledger.submissions import NewSource
from flotilla.ledger.tables import DOCUMENTS, JOBS, STEPS, VERSIONS
from tests.integration.ledger.operations import shown_document, submit

Source = Callable[..., NewSource]
POINTS_EACH = 3


class Killed(BaseException):
    """Nobody catches it, as nobody catches a SIGKILL."""


class Points:
    """What a vector store has of each document, and how many it is asked to remove at once."""

    def __init__(self, document_ids: list[str]) -> None:
        self.left = dict.fromkeys(document_ids, POINTS_EACH)
        self.pieces: list[int] = []

    def count(self, document_ids: list[str]) -> removals.Counts:
        return {"points": sum(self.left.get(one, 0) for one in document_ids)}

    def remove(self, document_ids: list[str]) -> None:
        self.pieces.append(len(document_ids))
        for one in document_ids:
            self.left.pop(one, None)


def delete_collection(ledger: Database, name: str = "default") -> str:
    """The id of the job that removes what was in it."""
    with ledger.writing() as connection:
        moment = now()
        collection_id = collections.delete(connection, DEFAULT_TENANT, name, moment)
        which = removals.of_collection(collection_id, moment)
        return removals.add(connection, DEFAULT_TENANT, **which)


def attempt(ledger: Database, job_id: str, stage: str = removals.STAGE) -> StageRun:
    """The next attempt at a stage, whose worker before is dead."""
    key = steps.Key(job_id, stage)
    with ledger.writing() as connection:
        connection.execute(STEPS.update().where(key.matches()).values(state="waiting", due_at=None))
        held = steps.begin(connection, key, "worker")
        job = jobs.claim(connection, job_id, stage, "vectorstore")
    assert isinstance(held, steps.Held)
    assert isinstance(job, Job)
    lease = Lease(ledger, lambda connection: steps.still_held(connection, held))
    return StageRun(job, held, ledger, lease)


def fill(ledger: Database, number: int, collection_id: str = DEFAULT_TENANT) -> list[str]:
    """So many documents with a version each; their ids."""
    ids = sorted(str(uuid.uuid4()) for _ in range(number))
    moment = now()
    shared = {"tenant_id": DEFAULT_TENANT, "created_at": moment}
    given = {"collection_id": collection_id, "name": "a", "metadata": {}, "updated_at": moment}
    with ledger.writing() as connection:
        connection.execute(
            insert(DOCUMENTS),
            [shared | given | {"id": one, "source": one, "status": "ready"} for one in ids],
        )
        connection.execute(
            insert(VERSIONS),
            [
                shared | {"id": new_id(), "document_id": one, "number": 1, "state": "live"}
                for one in ids
            ],
        )
    return ids


def left(ledger: Database) -> tuple[int, int]:
    with ledger.reading() as connection:
        return tuple(  # type: ignore[return-value]
            connection.scalar(select(func.count()).select_from(table))
            for table in (DOCUMENTS, VERSIONS)
        )


@pytest.fixture
def pieces_of_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removals, "PIECE", 4)


@pytest.mark.usefixtures("pieces_of_4")
@pytest.mark.parametrize("moment", ["counted", "noted", "half removed", "removed", "forgotten"])
def test_the_receipt_is_true_whenever_the_worker_was_killed(ledger: Database, moment: str) -> None:
    points = Points(fill(ledger, 10))
    job_id = delete_collection(ledger)
    killed = False

    def kill_once(at: str, second_piece: bool) -> None:
        nonlocal killed
        if at == moment and second_piece and not killed:
            killed = True
            raise Killed

    def count(ids: list[str]) -> removals.Counts:
        found = points.count(ids)
        kill_once("counted", len(points.left) < 10 * POINTS_EACH)
        return found

    def remove(ids: list[str]) -> None:
        second = len(points.pieces) == 1
        kill_once("noted", second)
        if second and not killed:
            points.remove(ids[:2])
            kill_once("half removed", second)
        points.remove(ids)
        kill_once("removed", second)

    def forget(connection: Any, ids: list[str]) -> None:
        documents.purge(connection, ids)
        kill_once("forgotten", len(points.pieces) > 1)

    with pytest.raises(Killed):
        removals.carry_out(attempt(ledger, job_id), count, remove, forget)
    found = removals.carry_out(attempt(ledger, job_id), count, remove, forget)

    assert found == {"points": 10 * POINTS_EACH}
    assert points.left == {}
    assert left(ledger) == (0, 0)


@pytest.mark.usefixtures("pieces_of_4")
def test_a_second_attempt_passes_over_what_the_first_has_done(ledger: Database) -> None:
    points = Points(fill(ledger, 10))
    job_id = delete_collection(ledger)
    removals.carry_out(attempt(ledger, job_id), points.count, points.remove)

    assert points.pieces == [4, 4, 2]
    found = removals.carry_out(attempt(ledger, job_id), points.count, points.remove)
    assert (found, points.pieces) == ({"points": 30}, [4, 4, 2])


@pytest.mark.usefixtures("pieces_of_4")
def test_a_removal_takes_what_its_own_deletion_has_deleted(
    ledger: Database, source: Source
) -> None:
    """The default collection is emptied and stays: it may be emptied again before that is over."""
    before = fill(ledger, 5)
    first = delete_collection(ledger)
    after = fill(ledger, 6)
    [kept] = submit(ledger, source())
    with ledger.writing() as connection:
        for document_id in after:
            documents.mark_deleted(connection, DEFAULT_TENANT, document_id)
        second = removals.add(connection, DEFAULT_TENANT, **removals.of_ids(*after))
    points = Points([*before, *after, kept.document_id])

    for job_id, number in ((first, 5), (second, 6)):
        run = attempt(ledger, job_id)
        found = removals.carry_out(run, points.count, points.remove, documents.purge)
        assert found == {"points": number * POINTS_EACH}
    assert list(points.left) == [kept.document_id]
    assert shown_document(ledger, kept.document_id)


@pytest.mark.usefixtures("pieces_of_4")
def test_what_is_being_done_for_a_collection_is_cancelled_in_pieces(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "PIECE", 3)
    accepted = submit(ledger, *(source(f"{n}", b"%d" % n) for n in range(10)))
    job_id = delete_collection(ledger)
    cancel_in, sizes = endings.cancel_in, []

    def note(connection: Any, job_ids: list[str]) -> Any:
        sizes.append(len(job_ids))
        return cancel_in(connection, job_ids)

    monkeypatch.setattr(endings, "cancel_in", note)
    assert not removals.cancel_work(ledger, job_id, seconds=0)
    assert sizes == [3]
    assert removals.cancel_work(ledger, job_id)
    assert (sum(sizes), max(sizes)) == (10, 3)
    with ledger.reading() as connection:
        states = set(
            connection.scalars(
                select(JOBS.c.status).where(JOBS.c.id.in_([one.task_id for one in accepted]))
            )
        )
    assert states == {"cancelled"}


def test_thousands_of_documents_are_never_all_in_one_statement(ledger: Database) -> None:
    """PostgreSQL takes 65,535 parameters, and SQLite 32,766."""
    number = 3_000
    fill(ledger, number)
    most = 0

    def note(_connection: Any, _cursor: Any, _statement: str, parameters: Any, *_: Any) -> None:
        nonlocal most
        most = max(most, len(parameters))

    event.listen(ledger.engine, "before_cursor_execute", note)
    try:
        job_id = delete_collection(ledger)
        assert removals.cancel_work(ledger, job_id)
        run = attempt(ledger, job_id)
        found = removals.carry_out(
            run, lambda ids: {"documents": len(ids)}, lambda _: None, documents.purge
        )
    finally:
        event.remove(ledger.engine, "before_cursor_execute", note)
    assert found == {"documents": number}
    assert left(ledger) == (0, 0)
    assert most < 2 * removals.PIECE
