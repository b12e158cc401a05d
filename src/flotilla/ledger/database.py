"""The ledger's database: connections, transactions and migrations.

On PostgreSQL a transaction holds the rows that it has locked or changed until its end. So that no
two of them wait for one another, each takes them in this order, those of one kind by their ids:

1. collections, 2. documents, 3. jobs, 4. the jobs' steps, and versions, 5. batches,
6. conversations.

A document comes before its jobs: whoever holds it can be sure that it gets no other ingestions. A
batch, which is a job, comes last: its members' ends are counted when all else is done. A row that
is new, which nobody else can know of yet, may be written at any time; and the job that removes
documents is none of theirs, and comes before them. See `ledger.locks`, and `StageRun.writing` for
what a worker takes.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

import uuid_utils
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from flotilla.errors import ConfigurationError, DependencyUnavailable, InvalidRequest
from flotilla.ledger.clock import TOLERANCE, now, skew
from flotilla.settings import Settings, get_settings

__all__ = ["Database", "RawJSON", "get_database", "is_current", "new_id", "now", "upgrade"]

SQLITE_BUSY_SECONDS = 15
# PostgreSQL's codes: a transaction that would wait in a ring, or came too late; and the classes of
# what the server cannot carry out whoever asks, such as an index entry that is too large.
COLLISIONS = ("40001", "40P01")
FAULTS = ("22", "42", "54")
MIGRATION_LOCK = 0x0F107111A  # the number of PostgreSQL's advisory lock, any constant


def new_id() -> str:
    """A UUID7: ordered by time, so that the newest has the greatest id."""
    if abs(skew()) < TOLERANCE:
        return str(uuid_utils.uuid7())
    moment = now().timestamp()
    return str(uuid_utils.uuid7(int(moment), int(moment % 1 * 1e9)))


class RawJSON(str):
    """A JSON value that is text already, and goes into a JSON column as it is."""

    __slots__ = ()


def _dump_json(value: Any) -> str:
    return value if isinstance(value, RawJSON) else json.dumps(value, ensure_ascii=False)


class Database:
    """Connections to the ledger; safe to share between threads, not between processes.

    Raises:
        DependencyUnavailable: from its transactions, when the database is out of reach.
    """

    def __init__(self, url: str, pool_size: int = 20) -> None:
        # SQLite has one writer at a time, and whoever finds it busy sleeps, for up to 100 ms, and
        # asks again: threads of one process had better wait for one another.
        self._turn = threading.Lock() if url.startswith("sqlite") else nullcontext()
        self.sqlite = url.startswith("sqlite")
        if self.sqlite:
            _make_folder(Path(url.removeprefix("sqlite:///")).parent)
        arguments: dict[str, Any] = (
            {"check_same_thread": False, "timeout": SQLITE_BUSY_SECONDS}
            if self.sqlite
            else {"connect_timeout": 5}
        )
        try:
            self.engine: Engine = create_engine(
                url,
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_pre_ping=not self.sqlite,
                connect_args=arguments,
                json_serializer=_dump_json,
            )
        except Exception as error:
            raise ConfigurationError(f"DATABASE_URL: not a database's address ({error})") from error
        if self.sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with _translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes, committed at the end unless an exception leaves it."""
        with (
            _translated(),
            self._turn,
            self.engine.connect().execution_options(flotilla_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    def ping(self) -> None:
        """Raises DependencyUnavailable when the database does not answer."""
        with self.reading() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The ledger's folder {folder} cannot be made ({error.strerror}): set FLOTILLA_DATA to "
            "a folder that can be written, or DATABASE_URL."
        ) from error


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        told = str(error.orig)
        # SQLite's words, and the code that PostgreSQL gives a table that is not there.
        if "no such table" in told or getattr(error.orig, "sqlstate", None) == "42P01":
            raise DependencyUnavailable(
                "The ledger has no tables yet: run `flotilla db upgrade`."
            ) from error
        if getattr(error.orig, "sqlstate", None) in COLLISIONS:
            raise DependencyUnavailable(
                "The ledger was asked to change the same rows twice at once: try again.",
                retry_after=1,
            ) from error
        if isinstance(error, DataError):
            raise InvalidRequest(
                "A value cannot be stored: it is too long for the ledger, or holds a NUL character."
            ) from error
        if isinstance(error, OperationalError | InterfaceError) and not _is_fault(error.orig):
            raise DependencyUnavailable(
                "The ledger's database does not answer: check DATABASE_URL and the server."
            ) from error
        raise
    except PoolTimeout as error:
        raise DependencyUnavailable(
            "All connections to the ledger's database are in use: try again.", retry_after=1
        ) from error


def _is_fault(error: object) -> bool:
    """Whether a driver's "operational" error is one of the statement, which the next attempt has
    as well."""
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode == sqlite3.SQLITE_ERROR
    return str(getattr(error, "sqlstate", None)).startswith(FAULTS)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # SQLAlchemy's begin event issues BEGIN itself; the driver must not do it as well.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # In WAL mode NORMAL survives the death of any process; only a power cut may lose the tail.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer in mid-transaction fails at once when another has written
    # meanwhile, whatever the busy timeout: writers say so at the beginning.
    write = connection.get_execution_options().get("flotilla_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


_lock = threading.Lock()


@lru_cache(maxsize=2)
def _database(_pid: int, url: str) -> Database:
    return Database(url)


def get_database() -> Database:
    """The process's database. A forked child gets its own: connections do not survive a fork."""
    with _lock:
        return _database(os.getpid(), get_settings().ledger_url)


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Bring the ledger's tables to the newest form; several callers at once wait in line."""
    from alembic import command

    database = Database(settings.ledger_url)
    try:
        with database.writing() as connection:
            if not database.sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            config = _alembic_config(connection)
            command.upgrade(config, revision)
    finally:
        database.close()


def is_current(database: Database) -> bool:
    """Whether the ledger's tables have the newest form."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with database.reading() as connection:
        script = ScriptDirectory.from_config(_alembic_config(connection))
        return set(MigrationContext.configure(connection).get_current_heads()) == set(
            script.get_heads()
        )


def _alembic_config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
