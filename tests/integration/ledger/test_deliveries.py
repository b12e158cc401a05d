"""Deliveries: one sender each, every attempt kept, an end to each."""

import threading
from datetime import timedelta

import pytest

from flotilla.errors import Conflict
from flotilla.ledger import deliveries
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now
from flotilla.ledger.deliveries import Claimed
from flotilla.ledger.webhooks import receiver_of
from flotilla.schemas import Delivery, DeliveryState
from tests.integration.ledger.webhook_operations import (
    URL,
    claim,
    claimed,
    end,
    fail,
    let_lease_run_out,
    of_job,
    set_back,
    shown,
    succeed,
)


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
    let_lease_run_out(ledger, lost.id)

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
    let_lease_run_out(ledger, lost.id)
    set_back(ledger, lost.id, give_up_at=now() - timedelta(seconds=1))

    assert claim(ledger) is None
    delivery = shown(ledger, lost.id)
    assert delivery.state is DeliveryState.FAILED
    assert [a.message for a in delivery.attempts] == [deliveries.SENDER_LOST]


def test_due_receivers_are_those_of_which_something_can_be_claimed(ledger: Database) -> None:
    other = "https://other.example/"
    for url in (URL, f"{URL}/of/a/task?of=its#own", other):
        end(ledger, payload={"callback_url": url})
    sending = claimed(ledger, other)
    here, there = receiver_of(URL), receiver_of(other)

    def due() -> dict[str, int]:
        with ledger.reading() as connection:
            return deliveries.due_receivers(connection, 9)

    assert due() == {here: 2}
    let_lease_run_out(ledger, sending.id)
    assert due() == {here: 2, there: 1}
    with ledger.reading() as connection:
        assert deliveries.receiver_of(connection, sending.id) == there
    assert succeed(ledger, claimed(ledger, other))
    assert due() == {here: 2}
    with ledger.reading() as connection:
        assert deliveries.receiver_of(connection, sending.id) is None


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
