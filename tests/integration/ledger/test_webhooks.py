"""Webhooks in the ledger, on SQLite and on PostgreSQL: what is noted, claimed and recorded."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, update

from flotilla.errors import Conflict, DeliveryNotFound, WebhookNotFound
from flotilla.ledger import deliveries, job_ends, signing_secrets, webhooks
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.deliveries import Claimed
from flotilla.ledger.tables import JOBS, TENANTS, WEBHOOK_DELIVERIES
from flotilla.schemas import Delivery, DeliveryState, Webhook, WebhookCreated
from tests.integration.ledger.operations import ERROR, add, new_job
from tests.integration.ledger.races import in_the_middle

URL = "https://receiver.example/hook"
LEASE = timedelta(seconds=40)
MINUTE = timedelta(minutes=1)


def register(ledger: Database, url: str = URL, events: list[str] | None = None) -> WebhookCreated:
    with ledger.writing() as connection:
        return webhooks.create(connection, DEFAULT_TENANT, url, events, None)


def end(ledger: Database, kind: str = "ingest", status: str = "completed", **values: Any) -> str:
    """Write a job that has ended, as the statement that ends it leaves it, and note it."""
    payload: dict[str, Any] = values.pop("payload", {})
    [job_id] = add(ledger, new_job(kind=kind, payload=payload))
    with ledger.writing() as connection:
        connection.execute(
            update(JOBS)
            .where(JOBS.c.id == job_id)
            .values(status=status, finished_at=now(), **values)
        )
        webhooks.note_end(
            connection,
            tenant_id=DEFAULT_TENANT,
            job_id=job_id,
            kind=kind,
            status=status,
            payload=payload,
        )
    return job_id


def of_job(ledger: Database, job_id: str) -> list[Delivery]:
    with ledger.reading() as connection:
        return deliveries.listing(connection, DEFAULT_TENANT, job_id=job_id, before=None, limit=99)


def shown(ledger: Database, delivery_id: str) -> Delivery:
    with ledger.reading() as connection:
        return deliveries.view(connection, DEFAULT_TENANT, delivery_id)


def claim(ledger: Database, url: str = URL) -> Claimed | None:
    with ledger.writing() as connection:
        return deliveries.claim(connection, url, "sender", LEASE)


def claimed(ledger: Database, url: str = URL) -> Claimed:
    got = claim(ledger, url)
    assert got is not None
    return got


def fail(ledger: Database, sent: Claimed, delay: timedelta | None) -> bool:
    with ledger.writing() as connection:
        return deliveries.record_failure(
            connection, sent, status=500, message="500.", seconds=0.1, delay=delay
        )


def succeed(ledger: Database, sent: Claimed) -> bool:
    with ledger.writing() as connection:
        return deliveries.record_success(connection, sent, status=204, message="204.", seconds=0.25)


def set_back(ledger: Database, delivery_id: str, **columns: datetime) -> None:
    with ledger.writing() as connection:
        connection.execute(
            update(WEBHOOK_DELIVERIES).where(WEBHOOK_DELIVERIES.c.id == delivery_id).values(columns)
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


def test_one_of_many_senders_gets_a_delivery(ledger: Database) -> None:
    for _ in range(3):
        end(ledger, payload={"callback_url": URL})
    got: list[Claimed | None] = []
    threads = [threading.Thread(target=lambda: got.append(claim(ledger))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = [each.id for each in got if each is not None]
    assert len(ids) == len(set(ids))
    # Somebody who finds another at work on the last one may come away with nothing, and the next
    # look finds it.
    while (late := claim(ledger)) is not None:
        ids.append(late.id)
    assert len(ids) == len(set(ids)) == 3


def test_the_longest_waiting_comes_first_and_others_wait_for_their_time(ledger: Database) -> None:
    first, second = (end(ledger, payload={"callback_url": URL}) for _ in range(2))
    delivery = claimed(ledger)
    assert delivery.task is not None
    assert delivery.task["task_id"] == first
    assert fail(ledger, delivery, timedelta(minutes=1))
    again = claimed(ledger)
    assert again.task is not None
    assert again.task["task_id"] == second
    assert claim(ledger) is None
    set_back(ledger, delivery.id, due_at=now())
    assert claimed(ledger).attempt == 2


def test_each_attempt_is_kept(ledger: Database) -> None:
    job_id = end(ledger, payload={"callback_url": URL})
    assert fail(ledger, claimed(ledger), timedelta(0))
    [waiting] = of_job(ledger, job_id)
    assert (waiting.state, waiting.finished_at) == (DeliveryState.PENDING, None)
    assert waiting.next_attempt_at is not None
    assert succeed(ledger, claimed(ledger))

    [delivery] = of_job(ledger, job_id)
    assert delivery.state is DeliveryState.SUCCEEDED
    assert delivery.next_attempt_at is None
    assert delivery.finished_at is not None
    assert [(a.attempt, a.status, a.message, a.duration_ms) for a in delivery.attempts] == [
        (1, 500, "500.", 100.0),
        (2, 204, "204.", 250.0),
    ]


@pytest.mark.parametrize("delay", [None, timedelta(days=2)])
def test_what_is_final_or_would_come_too_late_is_given_up(
    ledger: Database, delay: timedelta | None
) -> None:
    job_id = end(ledger, payload={"callback_url": URL})
    assert fail(ledger, claimed(ledger), delay)
    [delivery] = of_job(ledger, job_id)
    assert delivery.state is DeliveryState.FAILED
    assert claim(ledger) is None


def test_a_lost_senders_delivery_is_taken_over_and_its_late_word_refused(ledger: Database) -> None:
    end(ledger, payload={"callback_url": URL})
    lost = claimed(ledger)
    assert claim(ledger) is None
    set_back(ledger, lost.id, lease_until=now() - timedelta(seconds=1))

    taken = claimed(ledger)
    assert (taken.id, taken.attempt) == (lost.id, 2)
    assert taken.fence > lost.fence
    assert not succeed(ledger, lost)
    assert not fail(ledger, lost, None)
    assert succeed(ledger, taken)
    messages = [a.message for a in shown(ledger, lost.id).attempts]
    assert messages == [deliveries.SENDER_LOST, "204."]


def test_a_delivery_that_loses_its_senders_for_a_day_is_given_up(ledger: Database) -> None:
    end(ledger, payload={"callback_url": URL})
    lost = claimed(ledger)
    past = now() - timedelta(seconds=1)
    set_back(ledger, lost.id, lease_until=past, give_up_at=past)

    assert claim(ledger) is None
    delivery = shown(ledger, lost.id)
    assert delivery.state is DeliveryState.FAILED
    assert [a.message for a in delivery.attempts] == [deliveries.SENDER_LOST]


def test_due_addresses_are_those_that_can_be_claimed(ledger: Database) -> None:
    for _ in range(2):
        end(ledger, payload={"callback_url": URL})
    end(ledger, payload={"callback_url": "https://other.example/"})
    sending = claimed(ledger, "https://other.example/")

    def due() -> dict[str, int]:
        with ledger.reading() as connection:
            return deliveries.due_addresses(connection, 9)

    assert due() == {URL: 2}
    set_back(ledger, sending.id, lease_until=now())
    assert due() == {URL: 2, "https://other.example/": 1}
    with ledger.reading() as connection:
        assert deliveries.address_of(connection, sending.id) == "https://other.example/"
    assert succeed(ledger, claimed(ledger, "https://other.example/"))
    assert due() == {URL: 2}
    with ledger.reading() as connection:
        assert deliveries.address_of(connection, sending.id) is None


def test_a_delivery_is_sent_again_on_demand_unless_it_is_being_sent(ledger: Database) -> None:
    job_id = end(ledger, payload={"callback_url": URL})
    [delivery] = of_job(ledger, job_id)

    def redeliver() -> Delivery:
        with ledger.writing() as connection:
            return deliveries.redeliver(connection, DEFAULT_TENANT, delivery.delivery_id, 60)

    sent = claimed(ledger)
    with pytest.raises(Conflict, match="being sent"):
        redeliver()
    assert succeed(ledger, sent)
    again = redeliver()
    assert (again.state, again.finished_at) == (DeliveryState.PENDING, None)
    assert len(again.attempts) == 1
    assert claimed(ledger).attempt == 2


def test_a_disabled_webhook_is_told_nothing_and_waits_for_nothing(ledger: Database) -> None:
    webhook = register(ledger)
    waiting = end(ledger)
    with ledger.writing() as connection:
        webhooks.disable(connection, webhook.webhook_id, "The receiver answered 410.")
    later = end(ledger)

    assert [d.state for d in of_job(ledger, waiting)] == [DeliveryState.FAILED]
    assert of_job(ledger, later) == []
    with ledger.reading() as connection:
        view = webhooks.view(connection, DEFAULT_TENANT, webhook.webhook_id)
    assert view.disabled_at is not None
    assert view.disabled_reason == "The receiver answered 410."


def disable(ledger: Database, webhook_id: str) -> None:
    with ledger.writing() as connection:
        webhooks.disable(connection, webhook_id, "The receiver answered 410.")


def test_what_was_being_sent_when_the_webhook_was_disabled_is_not_sent_again(
    ledger: Database,
) -> None:
    webhook = register(ledger)
    jobs_told = [end(ledger), end(ledger)]
    first, second = claimed(ledger), claimed(ledger)
    disable(ledger, webhook.webhook_id)
    assert fail(ledger, second, MINUTE)
    assert succeed(ledger, first)
    states = {d.state for job_id in jobs_told for d in of_job(ledger, job_id)}
    assert states == {DeliveryState.FAILED, DeliveryState.SUCCEEDED}


@pytest.mark.parametrize("first", ["disabling", "failing"])
def test_a_failure_and_a_disabling_at_one_moment_leave_nothing_pending(
    ledger: Database, first: str
) -> None:
    webhook = register(ledger)
    job_id = end(ledger)
    sent = claimed(ledger)

    def disables(connection: Connection) -> None:
        webhooks.disable(connection, webhook.webhook_id, "The receiver answered 410.")

    def fails(connection: Connection) -> None:
        assert deliveries.record_failure(
            connection, sent, status=500, message="500.", seconds=0.1, delay=MINUTE
        )

    def write(change: Callable[[Connection], None]) -> None:
        with ledger.writing() as connection:
            change(connection)

    one, other = (disables, fails) if first == "disabling" else (fails, disables)
    in_the_middle(ledger, one, lambda: write(other))
    assert [d.state for d in of_job(ledger, job_id)] == [DeliveryState.FAILED]


def test_an_end_and_a_disabling_at_one_moment_leave_nothing_pending(ledger: Database) -> None:
    webhook = register(ledger)
    in_the_middle(
        ledger,
        lambda connection: webhooks.disable(connection, webhook.webhook_id, "It answered 410."),
        lambda: end(ledger),
    )
    with ledger.reading() as connection:
        assert (
            deliveries.listing(
                connection, DEFAULT_TENANT, webhook_id=webhook.webhook_id, before=None, limit=9
            )
            == []
        )


def test_a_deleted_webhook_takes_its_deliveries_along(ledger: Database) -> None:
    webhook = register(ledger)
    job_id = end(ledger, payload={"callback_url": URL})
    assert len(of_job(ledger, job_id)) == 2
    with ledger.writing() as connection:
        webhooks.remove(connection, DEFAULT_TENANT, webhook.webhook_id)

    assert [d.webhook_id for d in of_job(ledger, job_id)] == [None]
    with ledger.writing() as connection, pytest.raises(WebhookNotFound):
        webhooks.remove(connection, DEFAULT_TENANT, webhook.webhook_id)


def test_webhooks_are_listed_without_secrets_and_bounded(ledger: Database) -> None:
    made = [register(ledger) for _ in range(webhooks.MOST_WEBHOOKS)]
    with pytest.raises(Conflict):
        register(ledger)
    assert len({webhook.secret for webhook in made}) == len(made)

    def part(before: str | None) -> list[Webhook]:
        with ledger.reading() as connection:
            return webhooks.listing(connection, DEFAULT_TENANT, before=before, limit=15)

    first = part(None)
    listed = [*first, *part(first[-1].webhook_id)]
    assert [w.webhook_id for w in listed] == [w.webhook_id for w in reversed(made)]
    assert all("secret" not in w.model_dump() for w in listed)


def test_a_tenant_sees_and_is_told_its_own_alone(ledger: Database) -> None:
    other = new_id()
    with ledger.writing() as connection:
        connection.execute(insert(TENANTS).values(id=other, name="other", created_at=now()))
        foreign = webhooks.create(connection, other, URL, None, None)
    job_id = end(ledger, payload={"callback_url": URL})
    [own] = of_job(ledger, job_id)
    assert own.webhook_id is None

    calls: list[Callable[..., object]] = [webhooks.view, webhooks.remove]
    for call in calls:
        with ledger.writing() as connection, pytest.raises(WebhookNotFound):
            call(connection, DEFAULT_TENANT, foreign.webhook_id)
    with ledger.writing() as connection, pytest.raises(DeliveryNotFound):
        deliveries.view(connection, other, own.delivery_id)
    with ledger.writing() as connection, pytest.raises(DeliveryNotFound):
        deliveries.redeliver(connection, other, own.delivery_id, 60)


def test_deliveries_go_with_their_job_and_old_pings_by_themselves(ledger: Database) -> None:
    webhook = register(ledger)
    job_id = end(ledger)
    with ledger.writing() as connection:
        ping = webhooks.note(
            connection, DEFAULT_TENANT, webhook.webhook_id, None, URL, "ping", None, patience=0
        )
        connection.execute(JOBS.delete().where(JOBS.c.id == job_id))
    sent = claimed(ledger)
    assert sent.id == ping
    assert fail(ledger, sent, timedelta(0))  # a ping is tried once
    assert shown(ledger, ping).state is DeliveryState.FAILED

    def purge() -> int:
        with ledger.writing() as connection:
            return deliveries.purge(connection, timedelta(days=30))

    assert purge() == 0
    set_back(ledger, ping, finished_at=now() - timedelta(days=31))
    assert purge() == 1
    with ledger.reading() as connection:
        assert connection.scalar(select(WEBHOOK_DELIVERIES.c.id)) is None


def test_a_signing_secret_is_made_once_whoever_asks(ledger: Database) -> None:
    got: list[str | None] = []

    def ask() -> None:
        with ledger.writing() as connection:
            got.append(signing_secrets.view(connection, DEFAULT_TENANT).secret)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert len(set(got)) == 1


def test_while_a_secret_is_replaced_both_sign(
    ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ledger.writing() as connection:
        [old] = signing_secrets.signing(connection, DEFAULT_TENANT)
        rotated = signing_secrets.rotate(connection, DEFAULT_TENANT)
    assert rotated.previous_until is not None
    with ledger.writing() as connection:
        assert signing_secrets.signing(connection, DEFAULT_TENANT) == (rotated.secret, old)
    later = now() + signing_secrets.OVERLAP + timedelta(seconds=1)
    monkeypatch.setattr(signing_secrets, "now", lambda: later)
    with ledger.writing() as connection:
        assert signing_secrets.signing(connection, DEFAULT_TENANT) == (rotated.secret,)
        assert signing_secrets.view(connection, DEFAULT_TENANT).previous_until is None
