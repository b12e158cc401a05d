"""A ledger and a folder of blobs with one collection in them, as a row leaves them."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from tests.chaos.ledger import LedgerView

COLLECTION = "chaos-rag"
BEGAN = 1_700_000_000_000
"""When the collection was made, in milliseconds since 1970."""

TABLES = """
CREATE TABLE collections (id, name, deleted_at);
CREATE TABLE documents (id, collection_id, name, status, live_version_id, deleted_at);
CREATE TABLE versions (id, document_id, number, state, blob, sha256, chunks);
CREATE TABLE jobs (id, kind, status, version_id);
CREATE TABLE steps (job_id, fence);
"""


def uuid7(number: int, moment: int = BEGAN) -> str:
    """An id that was made at this moment, in milliseconds since 1970."""
    return str(UUID(int=(moment << 80) | (7 << 76) | (2 << 62) | number))


class StoredCollection:
    """What a test puts into it; `stack` has its ledger and its blobs.

    Args:
        folder: for both.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ledger.sqlite"
        self.blobs = folder / "blobs"
        self.write(TABLES)
        self.row("collections", id=uuid7(0), name=COLLECTION, deleted_at=None)
        ledger = LedgerView(f"sqlite:///{self._path}")
        self.stack: Any = SimpleNamespace(ledger=ledger, blobs=self.blobs)

    def write(self, statement: str, *values: object) -> None:
        """Carry a statement out, or several without values."""
        connection = sqlite3.connect(self._path)
        try:
            if values:
                connection.execute(statement, values)
            else:
                connection.executescript(statement)
            connection.commit()
        finally:
            connection.close()

    def row(self, table: str, **values: object) -> None:
        """Add a row."""
        marks = ", ".join("?" * len(values))
        columns = ", ".join(values)
        statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - a test's own
        self.write(statement, *values.values())

    def version(
        self,
        *files: str,
        state: str = "live",
        is_live: bool | None = None,
        job: str = "completed",
        fence: int = 1,
        deleted: bool = False,
        number: int = 1,
        **known: object,
    ) -> str:
        """Add a document with one version and these blobs; returns the version's id."""
        version_id, document_id, job_id = (uuid7(number, BEGAN + at) for at in (1, 2, 3))
        live = version_id if (state == "live" if is_live is None else is_live) else None
        self.row(
            "documents",
            id=document_id,
            collection_id=uuid7(0),
            name=known.pop("name", "paper-007.md"),
            status=known.pop("status", "ready"),
            live_version_id=live,
            deleted_at="2026-11-21" if deleted else None,
        )
        self.row("versions", id=version_id, document_id=document_id, number=1, state=state, **known)
        self.row("jobs", id=job_id, kind="ingest", status=job, version_id=version_id)
        self.row("steps", job_id=job_id, fence=fence)
        self.blob(version_id, *files)
        return version_id

    def blob(self, version_id: str, *files: str, data: bytes = b"x") -> None:
        """Write blobs of a version."""
        for file in files:
            path = self.blobs / "tenant" / version_id / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
