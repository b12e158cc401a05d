"""A ledger of its own for each test, on SQLite and on PostgreSQL."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import event

from flotilla.ledger import endings, removals
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, upgrade
from flotilla.ledger.submissions import NewSource
from flotilla.schemas import Task
from flotilla.settings import Settings
from tests.doubles.ledger_rows import lay_ledger

_numbers = itertools.count()

LARGE = 200_000
"""Bytes from which on a table is made anew, since rows that are deleted are still passed over."""


@pytest.fixture(scope="session")
def sqlite_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger")


@pytest.fixture(scope="session")
def databases() -> dict[str, Database]:
    """The databases by their addresses. They outlast the tests, without their connections: a
    statement is compiled once for all tests on a kind of database."""
    return {}


@pytest.fixture(scope="session")
def postgresql_ledger(postgresql_url: str) -> str:
    """The address of a database with the newest tables, and what is in them at first aside."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE ledger")
    url = postgresql_url.replace("/postgres", "/ledger")
    upgrade(Settings(database_url=url))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA first")
        for name in _tables(connection, "public"):
            own, first = Identifier("public", name), Identifier("first", name)
            if connection.execute(SQL("SELECT FROM {} LIMIT 1").format(own)).fetchone() is not None:
                connection.execute(SQL("CREATE TABLE {} AS TABLE {}").format(first, own))
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    else:
        server: str = request.getfixturevalue("postgresql_url")
        name = f"test_{next(_numbers)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
            yield server.replace("/postgres", f"/{name}")
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """The address of a ledger that holds the first tenant and the first collection alone."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgresql_ledger")
        _as_at_first(url)
        return url
    folder: Path = request.getfixturevalue("sqlite_folder")
    return lay_ledger(folder / "ledger.sqlite")


def _as_at_first(url: str) -> None:
    """Undo what the test before has done; a new database for each would take ten times as long."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        statements = [SQL("SET session_replication_role = replica")]  # in whatever order
        for name, size in _tables(connection, "public").items():
            clear = "TRUNCATE {} CASCADE" if size > LARGE else "DELETE FROM {}"
            statements.append(SQL(clear).format(Identifier("public", name)))
        for name in _tables(connection, "first"):
            own, first = Identifier("public", name), Identifier("first", name)
            statements.append(SQL("INSERT INTO {} SELECT * FROM {}").format(own, first))
        connection.execute(SQL("; ").join(statements))


def _tables(connection: "psycopg.Connection[tuple[str, int]]", schema: str) -> dict[str, int]:
    """A schema's tables with their size in bytes."""
    query = "SELECT relname, pg_relation_size(oid) FROM pg_class "
    query += "WHERE relkind = 'r' AND relnamespace = %s::regnamespace"
    return dict(connection.execute(query, [schema]).fetchall())


@pytest.fixture
def ledger(ledger_url: str, databases: dict[str, Database]) -> Iterator[Database]:
    url = Settings(database_url=ledger_url).ledger_url
    if url not in databases:
        databases[url] = Database(url)
    database = databases[url]
    yield database
    database.close()


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Redis is needed to end a job."""
    for module in (endings, removals):
        monkeypatch.setattr(module, "announce", lambda _task: None)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """What was announced."""
    told: list[Task] = []
    monkeypatch.setattr(endings, "announce", told.append)
    return told


@pytest.fixture
def source() -> Callable[..., NewSource]:
    """Makes an upload: `source("terms.pdf", b"...")`."""
    import hashlib

    def make(name: str = "terms.pdf", data: bytes = b"bytes", **values: object) -> NewSource:
        version_id = new_id()
        given: dict[str, object] = {
            "version_id": version_id,
            "source": name,
            "name": name,
            "metadata": {},
            "first_stage": "document.convert",
            "blob": f"{DEFAULT_TENANT}/{version_id}/source",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
        return NewSource(**(given | values))  # type: ignore[arg-type]

    return make


@pytest.fixture
def plans(ledger: Database) -> Iterator[list[str]]:
    """How SQLite carries out each statement of this test that names jobs or steps."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, sql: str, given: Any, *_: Any) -> None:
        if sql.startswith(("SELECT", "UPDATE")):
            seen.append((sql, given))

    told: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", note)
    yield told
    event.remove(ledger.engine, "before_cursor_execute", note)
    with ledger.reading() as connection:
        for sql, given in seen:
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given):
                told.append(str(row[-1]))
                # An index of few rows may be read from end to end, a table may not.
                assert not str(row[-1]).startswith(("SCAN jobs", "SCAN steps")) or any(
                    name in str(row[-1])
                    for name in ("ix_jobs_uncleaned", "ix_jobs_sent", "ix_jobs_migrations")
                ), f"{row[-1]}: {sql}"
                assert "ix_jobs_open" not in str(row[-1]), f"reads all that waits: {sql}"
    assert told
