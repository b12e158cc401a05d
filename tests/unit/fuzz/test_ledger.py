"""What the fuzz concludes from the ledger: whether anything moves, and which processes died."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, update

from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now, upgrade
from flotilla.ledger.tables import FAILURES, JOBS, STEPS
from flotilla.settings import Settings
from tests.fuzz.ledger import Ledger, Standstill


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A ledger where a stack has it, with the job `slow` at work."""
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    upgrade(settings)
    database = Database(settings.ledger_url)
    with database.writing() as connection:
        add_job(connection, "slow", "processing")
        connection.execute(
            insert(STEPS).values(
                job_id="slow",
                stage="document.convert",
                part=0,
                state="running",
                attempts=1,
                fence=1,
                units=0,
            )
        )
    yield database
    database.close()


def add_job(
    connection: Connection, job_id: str, status: str, error_code: str | None = None
) -> None:
    connection.execute(
        insert(JOBS).values(
            id=job_id,
            tenant_id=DEFAULT_TENANT,
            kind="ingest",
            status=status,
            queue="document",
            stage="document.convert",
            attempt=1,
            fence=1,
            payload={},
            error_code=error_code,
            created_at=now(),
        )
    )


def add_failure(connection: Connection, job_id: str, code: str) -> None:
    connection.execute(
        insert(FAILURES).values(
            id=f"{job_id} {code}",
            job_id=job_id,
            stage="document.convert",
            part=0,
            attempt=1,
            worker="document-1",
            code=code,
            message="It was lost.",
            retryable=True,
            failed_at=now(),
        )
    )


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("what", ["its step", "another job"])
def test_a_file_that_waits_while_anything_moves_does_not_stand_still(
    database: Database, tmp_path: Path, what: str
) -> None:
    clock = Clock()
    standstill = Standstill(Ledger(tmp_path).fingerprint, clock)
    clock.seconds = 100.0
    assert standstill.seconds() == 100.0
    with database.writing() as connection:
        if what == "its step":
            connection.execute(update(STEPS).values(attempts=2, fence=2))
        else:
            add_job(connection, "another", "completed")
    clock.seconds = 170.0
    assert standstill.seconds() == 0.0
    clock.seconds = 200.0
    assert standstill.seconds() == 30.0


def test_processes_that_died_are_told_also_where_the_job_went_on(
    database: Database, tmp_path: Path
) -> None:
    with database.writing() as connection:
        add_job(connection, "saved", "completed")
        add_job(connection, "poison", "failed", "quarantined")
        add_failure(connection, "saved", "worker_lost")
        add_failure(connection, "saved", "dependency_unavailable")
        add_failure(connection, "poison", "crashed")
    lost = Ledger(tmp_path).lost_processes()
    assert lost.codes == {"worker_lost": 1, "crashed": 1}
    assert lost.quarantined == 1
    assert len(lost.beyond) == 1
    assert "saved" in lost.beyond[0]


def test_none_that_died(database: Database, tmp_path: Path) -> None:
    lost = Ledger(tmp_path).lost_processes()
    assert (str(lost), lost.beyond) == ("0", [])
