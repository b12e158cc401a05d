"""Senders over a real ledger and a real receiver."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from flotilla.ledger import deliveries, jobs, signing_secrets, webhooks
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now, upgrade
from flotilla.ledger.tables import JOBS, WEBHOOK_DELIVERIES
from flotilla.ledger.webhooks import receiver_of
from flotilla.schemas import Delivery, DeliveryState, WebhookCreated
from flotilla.settings import Settings, WebhookSettings
from flotilla.upkeep.webhooks import PER_RECEIVER, TURN, Senders
from tests.conftest import wait_until
from tests.doubles.receiver import Answer, Received, Receiver


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path: Path = tmp_path_factory.mktemp("webhooks") / "ledger.sqlite"
    settings = Settings(database_url=f"sqlite:///{path}")
    upgrade(settings)
    database = Database(settings.ledger_url)
    yield database
    database.close()


@pytest.fixture
def receiver(ledger: Database) -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()
    with ledger.writing() as connection:  # nothing is left to be sent to a port that another has
        connection.execute(WEBHOOK_DELIVERIES.delete())


def settings(**values: Any) -> WebhookSettings:
    given = {"allow_private": True, "backoff_base": 0.05, "backoff_cap": 0.1, "timeout": 5.0}
    return WebhookSettings(**(given | values))


Hanging = Callable[[int], list[Receiver]]


@pytest.fixture
def hanging(receiver: Receiver) -> Iterator[Hanging]:
    """Makes so many more receivers, which answer when they are let go."""
    made: list[Receiver] = []

    def make(number: int) -> list[Receiver]:
        for _ in range(number):
            slow = Receiver(Answer(pause=60))
            made.append(slow)
        return made

    yield make
    for each in made:
        each.close()


@pytest.fixture
def senders(ledger: Database) -> Iterator[Senders]:
    made = Senders(ledger, settings())
    yield made
    made.stop(wait=True)


def submit(ledger: Database, url: str) -> str:
    """Note the end of a job with a callback; returns the job's id."""
    payload = {"callback_url": url}
    job = jobs.NewJob(
        tenant_id=DEFAULT_TENANT, kind="ingest", queue="document", stage="x", payload=payload
    )
    with ledger.writing() as connection:
        jobs.add(connection, [job])
        connection.execute(
            update(JOBS).where(JOBS.c.id == job.id).values(status="completed", finished_at=now())
        )
        webhooks.note_end(
            connection,
            tenant_id=DEFAULT_TENANT,
            job_id=job.id,
            kind="ingest",
            status="completed",
            payload=payload,
        )
    return job.id


def register(ledger: Database, url: str) -> WebhookCreated:
    with ledger.writing() as connection:
        return webhooks.create(connection, DEFAULT_TENANT, url, ["task.partial"], None)


def ping(ledger: Database, webhook: WebhookCreated, patience: float = 60) -> str:
    with ledger.writing() as connection:
        return webhooks.note(
            connection,
            DEFAULT_TENANT,
            webhook.webhook_id,
            None,
            webhook.url,
            "ping",
            None,
            patience=patience,
        )


def of_job(ledger: Database, job_id: str) -> Delivery:
    with ledger.reading() as connection:
        [delivery] = deliveries.listing(
            connection, DEFAULT_TENANT, job_id=job_id, before=None, limit=9
        )
    return delivery


def shown(ledger: Database, delivery_id: str) -> Delivery:
    with ledger.reading() as connection:
        return deliveries.view(connection, DEFAULT_TENANT, delivery_id)


def over(ledger: Database, senders: Senders, job_id: str) -> Delivery:
    """The job's delivery when it is over; the senders are woken as the reaper does it."""

    def ended() -> bool:
        senders.wake()
        return of_job(ledger, job_id).finished_at is not None

    wait_until(ended)
    return of_job(ledger, job_id)


def is_signed_with(secret: str, received: Received) -> bool:
    parts = [part.split("=", 1) for part in received.headers["Flotilla-Signature"].split(",")]
    moment = dict(parts)["t"]
    assert abs(int(moment) - time.time()) < 60
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + received.body, hashlib.sha256)
    return any(name == "v1" and value == digest.hexdigest() for name, value in parts)


def test_a_callback_arrives_signed_with_the_tenants_secret(
    ledger: Database, receiver: Receiver, senders: Senders
) -> None:
    job_id = submit(ledger, f"{receiver.url}/own?x=1")
    delivery = over(ledger, senders, job_id)

    assert delivery.state is DeliveryState.SUCCEEDED
    [received] = receiver.received
    callback = received.callback
    assert received.path == "/own?x=1"
    assert callback.task is not None
    assert (callback.task.task_id, callback.task.status) == (job_id, "completed")
    assert (callback.event, callback.attempt) == ("task.completed", 1)
    assert callback.delivery_id == received.headers["Flotilla-Delivery"] == delivery.delivery_id
    assert callback.created_at == delivery.created_at
    assert received.headers["Flotilla-Event"] == "task.completed"
    with ledger.writing() as connection:
        [secret] = signing_secrets.signing(connection, DEFAULT_TENANT)
    assert is_signed_with(secret, received)
    assert not is_signed_with(f"{secret}.", received)


def test_a_webhook_signs_with_its_own_secret(
    ledger: Database, receiver: Receiver, senders: Senders
) -> None:
    webhook = register(ledger, f"{receiver.url}/hook")
    delivery_id = ping(ledger, webhook)
    senders.wake()
    wait_until(lambda: shown(ledger, delivery_id).finished_at)

    [received] = receiver.received
    assert is_signed_with(webhook.secret, received)
    assert (received.callback.event, received.callback.task) == ("ping", None)


def test_the_operators_secret_goes_before_the_ledgers(ledger: Database, receiver: Receiver) -> None:
    secret = "a secret of the operator's own"
    senders = Senders(ledger, settings(secret=SecretStr(secret)))
    over(ledger, senders, submit(ledger, receiver.url + "/"))
    senders.stop(wait=True)
    assert is_signed_with(secret, receiver.received[0])


def test_what_fails_is_tried_again_until_it_is_taken(
    ledger: Database, receiver: Receiver, senders: Senders
) -> None:
    receiver.answers["/"] = [Answer(500), Answer(302, {"Location": "/x"}), Answer(200)]
    delivery = over(ledger, senders, submit(ledger, receiver.url + "/"))

    assert delivery.state is DeliveryState.SUCCEEDED
    assert [(a.attempt, a.status) for a in delivery.attempts] == [(1, 500), (2, 302), (3, 200)]
    assert all(a.duration_ms is not None for a in delivery.attempts)
    assert [r.callback.attempt for r in receiver.at("/")] == [1, 2, 3]
    assert len({r.callback.delivery_id for r in receiver.received}) == 1


def test_retry_after_is_obeyed(ledger: Database, receiver: Receiver, senders: Senders) -> None:
    receiver.answers["/"] = [Answer(429, {"Retry-After": "1"}), Answer(204)]
    job_id = submit(ledger, receiver.url + "/")
    delivery = over(ledger, senders, job_id)

    first, second = delivery.attempts
    assert (first.status, second.status) == (429, 204)
    assert second.started_at - first.started_at >= timedelta(seconds=1)


def test_it_is_given_up_in_the_end(ledger: Database, receiver: Receiver) -> None:
    receiver.answers["/"] = [Answer(503)]
    senders = Senders(ledger, settings())
    webhook = register(ledger, receiver.url + "/")
    delivery_id = ping(ledger, webhook, patience=0.5)

    def ended() -> bool:
        senders.wake()
        return shown(ledger, delivery_id).finished_at is not None

    wait_until(ended)
    senders.stop(wait=True)
    delivery = shown(ledger, delivery_id)
    assert delivery.state is DeliveryState.FAILED
    assert len(delivery.attempts) == len(receiver.received) >= 2


def test_gone_disables_the_webhook(ledger: Database, receiver: Receiver, senders: Senders) -> None:
    receiver.answers["/"] = [Answer(410)]
    webhook = register(ledger, receiver.url + "/")
    delivery_id = ping(ledger, webhook)
    senders.wake()
    wait_until(lambda: shown(ledger, delivery_id).finished_at)

    def disabled() -> bool:
        with ledger.reading() as connection:
            view = webhooks.view(connection, DEFAULT_TENANT, webhook.webhook_id)
        return view.disabled_at is not None

    wait_until(disabled)
    assert shown(ledger, delivery_id).state is DeliveryState.FAILED
    assert len(receiver.received) == 1


def test_a_private_address_is_not_called_and_says_what_allows_it(
    ledger: Database, receiver: Receiver
) -> None:
    senders = Senders(ledger, settings(allow_private=False))
    delivery = over(ledger, senders, submit(ledger, receiver.url + "/"))
    senders.stop(wait=True)

    assert delivery.state is DeliveryState.FAILED
    assert "FLOTILLA_WEBHOOK_ALLOW_PRIVATE" in delivery.attempts[0].message
    assert receiver.received == []


def test_what_a_lost_sender_had_is_sent_by_another(
    ledger: Database, receiver: Receiver, senders: Senders
) -> None:
    url = receiver.url + "/"
    job_id = submit(ledger, url)
    with ledger.writing() as connection:
        lost = deliveries.claim(connection, receiver_of(url), "lost", timedelta(seconds=0.3))
    assert lost is not None
    senders.wake()
    assert of_job(ledger, job_id).state is DeliveryState.SENDING

    delivery = over(ledger, senders, job_id)
    assert delivery.state is DeliveryState.SUCCEEDED
    assert [(a.attempt, a.status) for a in delivery.attempts] == [(1, None), (2, 204)]
    [received] = receiver.received
    assert received.callback.attempt == 2


def test_a_slow_receiver_holds_up_no_other(
    ledger: Database, receiver: Receiver, hanging: Hanging
) -> None:
    [slow] = hanging(1)
    senders = Senders(ledger, settings(concurrency=PER_RECEIVER + 2))
    waiting = [submit(ledger, slow.url) for _ in range(3 * PER_RECEIVER)]
    quick = [submit(ledger, receiver.url) for _ in range(5)]
    began = time.monotonic()
    senders.wake()
    assert time.monotonic() - began < 1  # nobody waits for the receivers
    for job_id in quick:
        assert over(ledger, senders, job_id).state is DeliveryState.SUCCEEDED
    wait_until(lambda: len(slow.received) == PER_RECEIVER)
    senders.wake()
    assert {of_job(ledger, job_id).state for job_id in waiting} == {
        DeliveryState.PENDING,
        DeliveryState.SENDING,
    }
    slow.let_go.set()
    for job_id in waiting:
        over(ledger, senders, job_id)
    senders.stop(wait=True)
    assert len(slow.received) == len(waiting)


@pytest.mark.parametrize(("concurrency", "number"), [(PER_RECEIVER, 1), (2, 3)])
def test_receivers_that_hang_with_a_backlog_leave_their_threads_to_another(
    ledger: Database, receiver: Receiver, hanging: Hanging, concurrency: int, number: int
) -> None:
    senders = Senders(ledger, settings(concurrency=concurrency, timeout=1.0))
    slow = hanging(number)
    for each in slow:
        for task in range(40):  # each with an address of its own
            submit(ledger, f"{each.url}/tasks/{task}?done")
    senders.wake()

    def calls() -> int:
        return sum(len(each.received) for each in slow)

    wait_until(lambda: calls() == concurrency)
    submit(ledger, receiver.url)
    wait_until(lambda: receiver.received)
    # One round of those that had no turn yet, and whoever had a thread in the same moment.
    assert calls() <= 2 * concurrency + number
    senders.stop()
    for each in slow:
        each.let_go.set()
    senders.stop(wait=True)


def test_who_has_fewer_threads_goes_before_who_has_more(
    ledger: Database, receiver: Receiver, hanging: Hanging
) -> None:
    [slow] = hanging(1)
    senders = Senders(ledger, settings(concurrency=PER_RECEIVER, timeout=60.0))
    for _ in range(PER_RECEIVER - 1):
        submit(ledger, slow.url)
    senders.wake()
    wait_until(lambda: len(slow.received) == PER_RECEIVER - 1)
    submit(ledger, slow.url)
    several_turns = 3 * TURN
    for _ in range(several_turns):
        submit(ledger, receiver.url)
    senders.wake(receiver_of(receiver.url))
    wait_until(lambda: len(slow.received) == PER_RECEIVER)
    assert len(receiver.received) == several_turns
    slow.let_go.set()
    senders.stop(wait=True)


def test_many_deliveries_arrive_once_each_though_two_workers_send(
    ledger: Database, receiver: Receiver, senders: Senders
) -> None:
    other = Senders(ledger, settings())
    ids = {submit(ledger, f"{receiver.url}/{number % 3}") for number in range(90)}
    senders.wake()
    other.wake()

    def done() -> bool:
        senders.wake(f"{receiver.url}/0")
        other.wake()
        return len(receiver.received) >= len(ids)

    wait_until(done)
    other.stop(wait=True)
    assert all(over(ledger, senders, job_id).state is DeliveryState.SUCCEEDED for job_id in ids)
    told = [r.callback.task.task_id for r in receiver.received if r.callback.task is not None]
    assert len(told) == len(set(told)) == len(ids)


def test_one_wake_up_is_enough_for_all_that_is_due(ledger: Database, receiver: Receiver) -> None:
    senders = Senders(ledger, settings(concurrency=2))
    ids = [submit(ledger, f"{receiver.url}/{number % 5}") for number in range(60)]
    senders.wake()
    wait_until(lambda: all(of_job(ledger, job_id).finished_at for job_id in ids))
    senders.stop(wait=True)


def test_senders_that_were_stopped_leave_the_rest_to_others(
    ledger: Database, receiver: Receiver, senders: Senders
) -> None:
    stopped = Senders(ledger, settings())
    stopped.stop(wait=True)
    job_id = submit(ledger, receiver.url + "/")
    assert stopped.wake() == 0
    assert over(ledger, senders, job_id).state is DeliveryState.SUCCEEDED
