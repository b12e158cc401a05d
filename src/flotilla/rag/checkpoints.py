"""LangGraph's checkpoints: a run that lost its worker goes on behind its last finished step.

Each run is a thread of its own, whose id is the task's. On PostgreSQL its checkpoints are tables
beside the ledger's, so that any machine goes on with it; with SQLite they are a file beside the
ledger's, since that has one writer at a time. They are dropped with the end of their run.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flotilla import __version__
from flotilla.errors import DependencyUnavailable
from flotilla.ledger import jobs
from flotilla.ledger.database import Database
from flotilla.logging import get_logger
from flotilla.models import (
    ChatContextUsed,
    Citation,
    ModelCall,
    Passage,
    Query,
    Step,
    Turn,
    Unsupported,
)
from flotilla.rag.generate import Draft

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from psycopg import Connection

    from flotilla.rag.graphs.state import State

logger = get_logger(__name__)

FILE = "checkpoints.sqlite"
"""Beside the ledger's file."""

BUSY_SECONDS = 5.0
SETUP_SECONDS = 60.0
LOCKED_PAUSE = 0.05  # seconds until a lock is asked for again
CONNECTIONS = 2  # LangGraph's saver uses one at a time
SETUP_LOCK = 0x0F107111C  # PostgreSQL's advisory lock while the tables are made, any constant

VALUES = (ChatContextUsed, Citation, Draft, ModelCall, Passage, Query, Step, Turn, Unsupported)
"""What a checkpoint may hold beside plain values and messages; nothing else is read back."""

LOOK_SECONDS = 600.0
"""After which a process looks again for checkpoints of runs that are over."""

AT_ONCE = 500
"""Threads that are looked up in the ledger at once."""


class Checkpoints:
    """The checkpoints of the fleet's runs; safe to share between threads.

    Every method raises DependencyUnavailable where they are out of reach.

    Args:
        ledger_url: of the ledger's database, in SQLAlchemy's form.
    """

    def __init__(self, ledger_url: str) -> None:
        self._url = ledger_url
        self._lock = threading.Lock()
        self._opened: BaseCheckpointSaver[Any] | None = None
        self._rows: Callable[[str], list[str]] = lambda _sql: []
        self._tidy: Callable[[], object] = lambda: None
        self._next_look = float("-inf")

    @property
    def saver(self) -> "BaseCheckpointSaver[Any]":
        """What a graph is run with."""
        with self._lock:
            if self._opened is None:
                sqlite = self._url.startswith("sqlite")
                with translated():
                    self._opened = self._open_sqlite() if sqlite else self._open_postgresql()
            return self._opened

    def config(self, thread: str, mode: str, ground: str = "") -> dict[str, Any]:
        """How a graph is run so that its checkpoints are the thread's.

        `ground` names what the answer rests on: the collections' generations, and the space.
        """
        return {
            "configurable": {"thread_id": thread},
            # What another version of the code has written, or another graph, is not gone on with;
            # nor are passages that the documents may not hold any more.
            "metadata": {"written_by": f"{__version__} {mode} {ground}"},
        }

    def saved(self, thread: str, mode: str, ground: str = "") -> "State | None":
        """The state with which a run goes on; None where it has to begin."""
        config = self.config(thread, mode, ground)
        with translated():
            found = self.saver.get_tuple({"configurable": config["configurable"]})
            if found is None:
                return None
            values = cast("State", found.checkpoint["channel_values"])
            written_by = dict(found.metadata).get("written_by")
            if written_by == config["metadata"]["written_by"] and values.get("steps"):
                return values
            self.saver.delete_thread(thread)
        return None

    def conversation(self, thread: str) -> "list[BaseMessage]":
        """What an agent of the run has said and found, as far as it came; empty without one."""
        with translated():
            for found in self.saver.list({"configurable": {"thread_id": thread}}):
                if found.config["configurable"]["checkpoint_ns"]:
                    return list(found.checkpoint["channel_values"].get("messages", ()))
        return []

    def drop(self, thread: str) -> None:
        """Drop a run's checkpoints."""
        with translated():
            self.saver.delete_thread(thread)

    def drop_ended_now_and_then(self, database: Database) -> None:
        """Drop those of runs that are over, if nobody in this process has for a while."""
        with self._lock:
            if time.monotonic() < self._next_look:
                return
            self._next_look = time.monotonic() + LOOK_SECONDS
        dropped = self.drop_ended(database)
        if dropped:
            logger.info("checkpoints.dropped", runs=dropped)

    def drop_ended(self, database: Database) -> int:
        """Drop those of runs that have ended otherwise than by an answer, or whose worker died
        behind that; returns how many there were."""
        saver = self.saver
        with translated():
            threads = self._rows("SELECT DISTINCT thread_id FROM checkpoints")
        dropped = 0
        for first in range(0, len(threads), AT_ONCE):
            some = threads[first : first + AT_ONCE]
            with database.reading() as connection:
                over = set(some) - jobs.open_among(connection, some)
            for thread in over:
                with translated():
                    saver.delete_thread(thread)
            dropped += len(over)
        self._tidy()
        return dropped

    def _open_sqlite(self) -> "BaseCheckpointSaver[Any]":
        from langgraph.checkpoint.sqlite import SqliteSaver

        path = Path(self._url.removeprefix("sqlite:///")).with_name(FILE)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
        # A checkpoint that is lost with the machine costs a step, and nothing else.
        connection.execute("PRAGMA synchronous = NORMAL")
        # What was dropped may be of a document that was deleted.
        connection.execute("PRAGMA secure_delete = ON")
        saver = SqliteSaver(connection, serde=_serializer())
        # Of several that make the file's tables at once, all but one find it locked.
        _until_free(saver.setup)

        def rows(sql: str) -> list[str]:
            with saver.cursor(transaction=False) as cursor:
                return [row[0] for row in cursor.execute(sql)]

        def tidy() -> None:
            with saver.cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        self._rows, self._tidy = rows, tidy
        return saver

    def _open_postgresql(self) -> "BaseCheckpointSaver[Any]":
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg.rows import DictRow, dict_row
        from psycopg_pool import ConnectionPool

        _, _, rest = self._url.partition("://")
        pool: ConnectionPool[Any] = ConnectionPool(
            f"postgresql://{rest}",
            min_size=0,
            max_size=CONNECTIONS,
            timeout=BUSY_SECONDS,
            open=True,
            check=ConnectionPool.check_connection,
            kwargs={
                "autocommit": True,
                "prepare_threshold": 0,
                "row_factory": dict_row,
                "connect_timeout": 5,
            },
        )
        try:
            saver = PostgresSaver(pool, serde=_serializer())
            # Workers that start at once would make the tables at once. None may wait for the lock
            # within a statement: an index that is built concurrently waits for all of them.
            with pool.connection() as connection, _advisory_lock(connection):
                PostgresSaver(connection).setup()
        except BaseException:
            pool.close()
            raise

        def rows(sql: str) -> list[str]:
            with pool.connection() as connection:
                found: Sequence[DictRow] = connection.execute(sql).fetchall()
                return [row["thread_id"] for row in found]

        self._rows = rows
        return saver


def _until_free(work: Callable[[], object]) -> None:
    """Do it, again while the file is locked, for `BUSY_SECONDS` at most."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            work()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(LOCKED_PAUSE)
        else:
            return


@contextmanager
def _advisory_lock(connection: "Connection[Any]") -> Iterator[None]:
    """PostgreSQL's lock for the tables' making.

    Raises:
        DependencyUnavailable: somebody else has held it for too long.
    """
    deadline = time.monotonic() + SETUP_SECONDS

    def taken() -> bool:
        row = connection.execute(
            "SELECT pg_try_advisory_lock(%s) AS taken", (SETUP_LOCK,)
        ).fetchone()
        return bool(row and row["taken"])

    while not taken():
        if time.monotonic() > deadline:
            raise _away()
        time.sleep(LOCKED_PAUSE)
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (SETUP_LOCK,))


def _serializer() -> Any:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    return JsonPlusSerializer(
        allowed_msgpack_modules=[(each.__module__, each.__name__) for each in VALUES]
    )


@contextmanager
def translated() -> Iterator[None]:
    """Where the checkpoints are out of reach, say so as Flotilla does."""
    try:
        yield
    except sqlite3.Error as error:
        raise _away() from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("psycopg", "psycopg_pool"):
            raise
        raise _away() from error


def _away() -> DependencyUnavailable:
    return DependencyUnavailable(
        "The checkpoints of answers cannot be written: check the ledger's database and its disk."
    )
