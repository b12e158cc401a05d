"""Which ends are noted for whom, and what is sent of them."""

import pytest
from sqlalchemy import event, update

from flotilla.ledger import job_ends, webhooks
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.tables import JOBS
from flotilla.schemas import DeliveryState
from tests.integration.ledger.operations import ERROR, add, new_job
from tests.integration.ledger.webhook_operations import (
    URL,
    claimed,
    end,
    of_job,
    register,
)


def test_an_end_is_noted_for_those_who_asked_for_it(ledger: Database) -> None:
    everything, failures = register(ledger), register(ledger, events=["task.failed"])
    own = {"callback_url": "https://own.example/"}

    completed, failed = end(ledger, payload=own), end(ledger, status="failed")

    assert {d.webhook_id for d in of_job(ledger, completed)} == {None, everything.webhook_id}
    assert {d.webhook_id for d in of_job(ledger, failed)} == {
        everything.webhook_id,
        failures.webhook_id,
    }
    [called_back] = [d for d in of_job(ledger, completed) if d.webhook_id is None]
    assert (called_back.url, called_back.event) == ("https://own.example/", "task.completed")
    assert called_back.state is DeliveryState.PENDING


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_whatever_ends_a_job_notes_it(ledger: Database, status: str) -> None:
    webhook = register(ledger)
    own = {"callback_url": "https://own.example/"}
    [job_id] = add(ledger, new_job(kind="ingest", payload=own))
    with ledger.writing() as connection:
        if status == "completed":
            job_ends.complete(connection, job_id, {"chunks": 3})
        elif status == "failed":
            job_ends.fail(connection, job_id, ERROR)
        else:
            job_ends.cancel(connection, job_id)
        assert job_ends.cancel(connection, job_id) is None  # nothing ends twice

    found = of_job(ledger, job_id)
    assert {d.event for d in found} == {f"task.{status}"}
    assert sorted(str(d.webhook_id) for d in found) == sorted([webhook.webhook_id, "None"])


def test_questions_are_told_to_their_own_address_alone(ledger: Database) -> None:
    register(ledger)
    own = {"callback_url": URL}

    assert [end(ledger, kind=kind) for kind in ("query", "search", "demo")]
    assert of_job(ledger, end(ledger, kind="query")) == []
    [delivery] = of_job(ledger, end(ledger, kind="query", payload=own))
    assert delivery.webhook_id is None


def test_no_text_of_documents_and_nothing_long_is_sent(ledger: Database) -> None:
    own = {"callback_url": URL}
    small = {"chunks": 3}
    results = [
        ("query", {"text": "An answer."}),
        ("ingest", {"x": "y" * 70_000}),
        ("ingest", small),
    ]
    for kind, result in results:
        end(ledger, kind=kind, payload=own, result=result)

    tasks = [claimed(ledger).task for _ in results]
    assert [task["result"] for task in tasks if task is not None] == [None, None, small]
    assert all("payload" not in (task or {}) for task in tasks)


def test_what_is_sent_is_the_task_as_it_ended(ledger: Database) -> None:
    job_id = end(
        ledger,
        status="failed",
        payload={"callback_url": URL},
        error_stage="document.convert",
        error_code="no_text",
        error_message="None.",
        error_retryable=False,
    )
    with ledger.writing() as connection:  # it is tried again meanwhile
        connection.execute(
            update(JOBS).where(JOBS.c.id == job_id).values(status="pending", error_code=None)
        )

    task = claimed(ledger).task
    assert task is not None
    assert (task["task_id"], task["status"]) == (job_id, "failed")
    assert task["error"]["code"] == "no_text"


def test_an_end_that_nobody_is_told_of_costs_one_look(ledger: Database) -> None:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    [job_id] = add(ledger, new_job())
    with ledger.writing() as connection:
        event.listen(ledger.engine, "before_cursor_execute", note)
        for kind in ("ingest", "query"):
            webhooks.note_end(
                connection,
                tenant_id=DEFAULT_TENANT,
                job_id=job_id,
                kind=kind,
                status="completed",
                payload={},
            )
    event.remove(ledger.engine, "before_cursor_execute", note)
    assert len([each for each in statements if each.startswith("SELECT")]) == 1


def test_an_end_that_is_taken_back_is_told_to_nobody(ledger: Database) -> None:
    [job_id] = add(ledger, new_job(kind="ingest"))

    def note() -> None:
        with ledger.writing() as connection:
            webhooks.note_end(
                connection,
                tenant_id=DEFAULT_TENANT,
                job_id=job_id,
                kind="ingest",
                status="completed",
                payload={"callback_url": URL},
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        note()
    assert of_job(ledger, job_id) == []
