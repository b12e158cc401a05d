"""Webhooks: disabled, deleted, listed, a tenant's own, and what they sign with."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, select

from flotilla.errors import Conflict, DeliveryNotFound, WebhookNotFound
from flotilla.ledger import deliveries, signing_secrets, webhooks
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, now
from flotilla.ledger.tables import JOBS, TENANTS, WEBHOOK_DELIVERIES
from flotilla.schemas import DeliveryState, Webhook
from tests.integration.ledger.races import in_the_middle
from tests.integration.ledger.webhook_operations import (
    MINUTE,
    URL,
    claimed,
    end,
    fail,
    of_job,
    register,
    set_back,
    shown,
    succeed,
)


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
