"""Rows of a ledger in whatever state and of whatever age a test wants them."""

import atexit
import shutil
import tempfile
import time
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import uuid_utils
from sqlalchemy import insert, update

from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now, upgrade
from flotilla.ledger.tables import DOCUMENTS, JOBS, TENANTS, VERSIONS
from flotilla.settings import Settings

OLD = timedelta(hours=3)
YEAR = timedelta(days=365)


def aged_id(age: timedelta = OLD) -> str:
    """An id that was made that long ago."""
    moment = time.time() - age.total_seconds()
    return str(uuid_utils.uuid7(int(moment), int(moment % 1 * 1e9)))


def lay_ledger(path: Path) -> str:
    """Lay a new ledger at a path, in place of what is there; returns its address."""
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        file.unlink(missing_ok=True)
    path.write_bytes(_new_ledger())
    return f"sqlite:///{path}"


@cache
def _new_ledger() -> bytes:
    """The tables take their time to make, and are the same for all."""
    with tempfile.TemporaryDirectory(prefix="flotilla-ledger-") as folder:
        path = Path(folder) / "ledger.sqlite"
        upgrade(Settings(database_url=f"sqlite:///{path}"))
        return path.read_bytes()


def make_ledger() -> Database:
    """A ledger in SQLite that has been there for a year, in place of the one before.

    It is to be closed, and is given again: it compiles a statement once for all tests.
    """
    database, path = _process_ledger()
    lay_ledger(path)
    backdate(database)
    return database


@cache
def _process_ledger() -> tuple[Database, Path]:
    folder = tempfile.mkdtemp(prefix="flotilla-ledger-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "ledger.sqlite"
    return Database(f"sqlite:///{path}"), path


def backdate(database: Database, age: timedelta = YEAR) -> None:
    """Make the ledger that old."""
    with database.writing() as connection:
        connection.execute(update(TENANTS).values(created_at=now() - age))


def add_document(database: Database, **values: Any) -> str:
    """A document of the default collection; returns its id."""
    moment = now() - OLD
    row: dict[str, Any] = {
        "id": aged_id(),
        "tenant_id": DEFAULT_TENANT,
        "collection_id": DEFAULT_TENANT,
        "source": uuid4().hex,
        "name": "terms.pdf",
        "metadata": {},
        "status": "ready",
        "created_at": moment,
        "updated_at": moment,
    }
    row |= values
    with database.writing() as connection:
        connection.execute(insert(DOCUMENTS).values(row))
    return str(row["id"])


def add_version(
    database: Database,
    document_id: str,
    state: str,
    *,
    number: int = 1,
    chunks: int = 3,
    age: timedelta = OLD,
) -> str:
    """A version of a document, which is what answers when its state is `live`; returns its id."""
    version_id = aged_id(age)
    row = {
        "id": version_id,
        "tenant_id": DEFAULT_TENANT,
        "document_id": document_id,
        "number": number,
        "state": state,
        "chunks": chunks,
        "created_at": now() - age,
    }
    with database.writing() as connection:
        connection.execute(insert(VERSIONS).values(row))
        if state == "live":
            connection.execute(
                update(DOCUMENTS)
                .where(DOCUMENTS.c.id == document_id)
                .values(live_version_id=version_id)
            )
    return version_id


def add_job(database: Database, kind: str, status: str, **values: Any) -> str:
    """A job; its id."""
    moment = now() - OLD
    ended = status not in ("pending", "processing")
    row: dict[str, Any] = {
        "id": aged_id(),
        "tenant_id": DEFAULT_TENANT,
        "kind": kind,
        "status": status,
        "queue": "document",
        "stage": "document.convert",
        "attempt": 1,
        "fence": 0,
        "payload": {},
        "created_at": moment,
        "finished_at": moment if ended else None,
        "cleaned_at": moment if ended else None,
    }
    row |= values
    with database.writing() as connection:
        connection.execute(insert(JOBS).values(row))
    return str(row["id"])


def set_document(database: Database, document_id: str, **values: Any) -> None:
    with database.writing() as connection:
        connection.execute(update(DOCUMENTS).where(DOCUMENTS.c.id == document_id).values(**values))


def set_version(database: Database, version_id: str, **values: Any) -> None:
    with database.writing() as connection:
        connection.execute(update(VERSIONS).where(VERSIONS.c.id == version_id).values(**values))
