"""Two transactions at once, the second of which begins in the middle of the first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, text

from flotilla.ledger.database import Database
from tests.conftest import PATIENCE, wait_until

Value = TypeVar("Value")


def in_the_middle(
    ledger: Database,
    first: Callable[[Connection], object],
    second: Callable[[], Value],
    rest: Callable[[Connection], object] = lambda _connection: None,
) -> Value:
    """What `second` returns, which begins when a transaction has done `first`.

    The transaction goes on with `rest`, and is committed, once the second waits for it or is over.
    On SQLite, which has one writer at a time, a second one that writes waits in any case.
    """
    with ThreadPoolExecutor(1) as threads:
        with ledger.writing() as connection:
            first(connection)
            running = threads.submit(second)
            wait_until(lambda: ledger.sqlite or running.done() or waits(ledger))
            rest(connection)
        return running.result(PATIENCE)


def waits(ledger: Database) -> bool:
    """Whether a transaction of PostgreSQL waits for another one."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with ledger.reading() as connection:
        return bool(connection.scalar(text(waiting)))
