"""Deliveries are found by an index, however long their address is and however many wait."""

import random
import string
from typing import Any

import pytest
from sqlalchemy import event, text

from flotilla.ledger import deliveries, job_ends
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now, upgrade
from flotilla.ledger.webhooks import receiver_of
from flotilla.schemas import DeliveryState
from flotilla.settings import Settings
from tests.integration.ledger.operations import add, new_job
from tests.integration.ledger.webhook_operations import (
    LEASE,
    URL,
    claim,
    claimed,
    end,
    of_job,
    register,
    shown,
    succeed,
)

# What has no pattern is not compressed, and so needs all of its room.
LONG = URL + "?" + "".join(random.Random(1).choices(string.ascii_letters, k=30_000))


@pytest.mark.parametrize("told", ["callback", "webhook"])
def test_a_job_ends_however_long_the_address_is_that_it_is_told_to(
    ledger: Database, told: str
) -> None:
    payload = {"callback_url": LONG} if told == "callback" else {}
    if told == "webhook":
        register(ledger, LONG)
    [job_id] = add(ledger, new_job(kind="ingest", payload=payload))
    with ledger.writing() as connection:
        job_ends.complete(connection, job_id, {"chunks": 3})

    with ledger.reading() as connection:
        assert deliveries.due_receivers(connection, 9) == {receiver_of(LONG): 1}
    assert succeed(ledger, claimed(ledger, LONG))
    assert [each.state for each in of_job(ledger, job_id)] == [DeliveryState.SUCCEEDED]


def test_what_waits_for_its_time_is_not_read_to_find_what_is_due(ledger: Database) -> None:
    end(ledger, payload={"callback_url": URL})
    statements: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "FROM webhook_deliveries" in statement and "due_at <=" in statement:
            statements.append((statement, values))

    event.listen(ledger.engine, "before_cursor_execute", keep)
    assert claim(ledger) is not None
    event.remove(ledger.engine, "before_cursor_execute", keep)

    [(statement, values)] = statements
    explain = "EXPLAIN QUERY PLAN " if ledger.sqlite else "EXPLAIN "
    with ledger.writing() as connection:
        if not ledger.sqlite:  # of a table with one row it would read all
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        rows = connection.exec_driver_sql(explain + statement, values)
        plan = "\n".join(str(row[-1]) for row in rows)
    looked_up = "(receiver=? AND due_at<?)" if ledger.sqlite else "Index Cond: (((receiver)"
    [line] = [line for line in plan.splitlines() if looked_up in line]
    assert "due_at" in line


def test_what_was_written_before_there_was_a_hash_is_sent(empty_url: str) -> None:
    settings = Settings(database_url=empty_url)
    upgrade(settings, "0006")
    database = Database(settings.ledger_url)
    moment = now()
    # SQLAlchemy's own form, which SQLite keeps as a text.
    form = "%Y-%m-%d %H:%M:%S.%f"
    soon = moment + LEASE

    def write(**given: Any) -> str:
        values = {"id": new_id(), "tenant_id": DEFAULT_TENANT, "event": "task.failed"}
        values |= {"state": "pending", "attempt": 1, "attempts": "[]", "fence": 1, "url": URL}
        values |= {"created_at": moment, "due_at": moment, "give_up_at": moment + 9 * LEASE}
        values |= given
        values = {
            name: value.strftime(form) if hasattr(value, "strftime") else value
            for name, value in values.items()
        }
        names = ", ".join(values)
        places = ", ".join(f":{name}" for name in values)
        with database.writing() as connection:
            connection.execute(
                text(f"INSERT INTO webhook_deliveries ({names}) VALUES ({places})"),  # noqa: S608
                values,
            )
        return str(values["id"])

    sending = write(state="sending", lease_owner="another", lease_until=soon, started_at=moment)
    waiting = [write() for _ in range(2)]
    over = write(state="failed", finished_at=moment, url="https://gone.example/")
    upgrade(settings)

    try:
        assert [claimed(database).id for _ in waiting] == waiting
        assert claim(database) is None
        assert shown(database, sending).state is DeliveryState.SENDING
        with database.writing() as connection:
            deliveries.redeliver(connection, DEFAULT_TENANT, over, 60)
        assert claimed(database, "https://gone.example/").id == over
    finally:
        database.close()
