"""Steps: leases and fences, attempts, redeliveries and the sums of parts."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, select

from flotilla.errors import Cancelled, LeaseLost
from flotilla.ledger import clock, fan_outs, job_ends, jobs, lost_steps, steps
from flotilla.ledger.database import Database
from flotilla.ledger.leases import Lease
from flotilla.ledger.runs import StageRun
from flotilla.ledger.steps import Held, Key, Taken
from flotilla.ledger.tables import FAILURES, JOBS, STEPS
from flotilla.schemas import Progress, TaskError
from tests.integration.ledger.clocks import StandingClock
from tests.integration.ledger.operations import add, new_job, shown_task

STAGE = "vectorstore.index"
LEASE = steps.lease_time().total_seconds()
ERROR = TaskError(stage=STAGE, code="source_unavailable", message="m", retryable=True)


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    standing = StandingClock()
    monkeypatch.setattr(clock, "_clock", standing)
    monkeypatch.setattr(StageRun, "tell", lambda _self: None)
    return standing


@pytest.fixture
def job_id(ledger: Database) -> Iterator[str]:
    [job_id] = add(ledger, new_job(kind="ingest", queue="document", stage=STAGE, sent=True))
    return job_id


def taken(ledger: Database, job_id: str, part: int = 0, worker: str = "worker@host:1") -> Any:
    with ledger.writing() as connection:
        return steps.begin(connection, Key(job_id, STAGE, part), worker)


def begin(ledger: Database, job_id: str, part: int = 0, worker: str = "worker@host:1") -> Held:
    held = taken(ledger, job_id, part, worker)
    assert isinstance(held, Held), held
    return held


def give_back(ledger: Database, held: Held, due_in: float = 0, outage: bool = False) -> bool:
    with ledger.writing() as connection:
        return steps.release(connection, held, due_in, sent=True, outage=outage)


def do(ledger: Database, change: Callable[[Connection], Any]) -> Any:
    with ledger.writing() as connection:
        return change(connection)


def at_once(number: int, function: Callable[[int], Any]) -> list[Any]:
    """What the function gives to threads that all begin at the same moment."""
    barrier = threading.Barrier(number)
    given: list[Any] = []

    def run(one: int) -> None:
        barrier.wait()
        given.append(function(one))

    threads = [threading.Thread(target=run, args=(one,)) for one in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(given) == number
    return given


# --- attempts ------------------------------------------------------------------------------


def test_every_beginning_counts_as_an_attempt_and_raises_the_fence(
    ledger: Database, job_id: str
) -> None:
    counted = []
    for _ in range(3):
        held = begin(ledger, job_id)
        counted.append((held.attempts, held.fence, held.failures))
        assert give_back(ledger, held)

    assert counted == [(1, 1, 0), (2, 2, 1), (3, 3, 2)]
    assert begin(ledger, job_id, part=1).attempts == 1


def test_of_deliveries_at_once_one_is_worked_on_and_none_of_the_others_costs_an_attempt(
    ledger: Database, job_id: str
) -> None:
    given = at_once(5, lambda number: taken(ledger, job_id, worker=f"worker@host:{number}"))

    [held] = [each for each in given if isinstance(each, Held)]
    assert given.count(Taken.HELD) == 4
    give_back(ledger, held)
    assert begin(ledger, job_id).attempts == 2


def test_what_is_done_is_not_begun_again(ledger: Database, job_id: str) -> None:
    held = begin(ledger, job_id)
    assert do(ledger, lambda c: steps.finish(c, held))

    assert taken(ledger, job_id) is Taken.DONE
    assert do(ledger, lambda c: steps.is_done(c, held.key))


def test_a_message_that_comes_before_its_time_costs_no_attempt(
    ledger: Database, job_id: str, time: StandingClock
) -> None:
    give_back(ledger, begin(ledger, job_id), due_in=1000)
    time.advance(900)
    assert taken(ledger, job_id) is Taken.EARLY
    time.advance(100)

    assert begin(ledger, job_id).attempts == 2


def test_an_outage_is_an_attempt_that_is_not_held_against_the_step(
    ledger: Database, job_id: str
) -> None:
    for _ in range(4):
        give_back(ledger, begin(ledger, job_id), outage=True)
    held = begin(ledger, job_id)

    assert (held.attempts, held.outages, held.failures) == (5, 4, 0)


# --- leases --------------------------------------------------------------------------------


def test_whoever_lost_the_lease_changes_nothing_any_more(
    ledger: Database, job_id: str, time: StandingClock
) -> None:
    first = begin(ledger, job_id)
    time.advance(LEASE + 1)
    second = begin(ledger, job_id, worker="worker@host:2")

    assert (second.fence, second.attempts, second.losses) == (2, 2, 1)
    assert not do(ledger, lambda c: steps.still_held(c, first))
    assert not do(ledger, lambda c: steps.finish(c, first, units=7))
    assert not give_back(ledger, first)
    assert do(ledger, lambda c: steps.still_held(c, second))
    assert do(ledger, lambda c: steps.finish(c, second, units=3))
    assert do(ledger, lambda c: fan_outs.units_done(c, job_id, STAGE)) == 3


def test_a_lease_that_is_renewed_is_never_taken(
    ledger: Database, job_id: str, time: StandingClock
) -> None:
    held = begin(ledger, job_id)
    for _ in range(5):
        time.advance(LEASE - 1)
        assert do(ledger, lambda c: steps.still_held(c, held))
        assert taken(ledger, job_id) is Taken.HELD
        assert do(ledger, lost_steps.free_expired) == []


def test_leases_that_ran_out_are_taken_back_once(
    ledger: Database, job_id: str, time: StandingClock
) -> None:
    expired = begin(ledger, job_id)
    time.advance(LEASE + 1)
    young = begin(ledger, job_id, part=1)

    found = at_once(3, lambda _: do(ledger, lost_steps.free_expired))
    [freed] = [each for freed in found for each in freed]

    assert freed == lost_steps.Freed(
        expired.key, attempts=1, kills=0, losses=1, owner="worker@host:1"
    )
    assert not do(ledger, lambda c: steps.finish(c, expired))
    assert do(ledger, lambda c: steps.still_held(c, young))
    again = begin(ledger, job_id)
    assert (again.fence, again.attempts, again.failures) == (3, 2, 0)


@pytest.mark.parametrize(("own_doing", "counts"), [(True, (1, 0)), (False, (0, 1))])
def test_a_death_that_was_seen_frees_what_the_dead_held_and_nothing_else(
    ledger: Database, job_id: str, own_doing: bool, counts: tuple[int, int]
) -> None:
    held = begin(ledger, job_id)

    def free(owner: str) -> lost_steps.Freed | None:
        with ledger.writing() as connection:
            return lost_steps.free_of(connection, held.key, owner, own_doing=own_doing, sent=True)

    assert free("worker@host:2") is None
    assert do(ledger, lambda c: steps.still_held(c, held))
    freed = free("worker@host:1")
    assert freed is not None
    assert (freed.kills, freed.losses) == counts
    assert free("worker@host:1") is None


def run_of(ledger: Database, job_id: str, part: int = 0, worker: str = "worker@host:1") -> StageRun:
    held = begin(ledger, job_id, part, worker)
    with ledger.writing() as connection:
        job = jobs.claim(connection, job_id, STAGE, "vectorstore", held.attempts)
    assert job is not None
    return StageRun(job, held, ledger, Lease(ledger, lambda c: steps.still_held(c, held)))


def test_a_late_workers_whole_transaction_is_refused(
    ledger: Database, job_id: str, time: StandingClock
) -> None:
    late = run_of(ledger, job_id)
    time.advance(LEASE + 1)
    good = run_of(ledger, job_id, worker="worker@host:2")
    good.progress(1, 9, "chunks")

    for write in (
        lambda: late.progress(8, 9, "chunks"),
        lambda: late.finish_part(9, 9, "chunks"),
        lambda: late.plan("document.convert_range", [()] * 3),
        late.checkpoint,
    ):
        with pytest.raises(LeaseLost):
            write()

    assert shown_task(ledger, job_id).progress == Progress(done=1, total=9, unit="chunks")
    with ledger.reading() as connection:
        assert connection.scalar(select(STEPS.c.part).where(STEPS.c.stage != STAGE)) is None
    good.finish_part(9, 9, "chunks")


def test_a_job_that_was_cancelled_stops_its_workers_at_the_next_checkpoint(
    ledger: Database, job_id: str
) -> None:
    run = run_of(ledger, job_id)
    do(ledger, lambda c: job_ends.cancel(c, job_id))

    with pytest.raises(Cancelled):
        run.checkpoint()
    with pytest.raises(Cancelled):
        run.progress(1, 9, "chunks")


# --- fan-outs ------------------------------------------------------------------------------


def test_a_plan_that_is_made_twice_keeps_what_was_done(ledger: Database, job_id: str) -> None:
    args = [(1, 10), (11, 20), (21, 25)]
    do(ledger, lambda c: fan_outs.plan(c, job_id, STAGE, args))
    held = begin(ledger, job_id, part=1)
    do(ledger, lambda c: steps.finish(c, held, units=10))
    do(ledger, lambda c: fan_outs.plan(c, job_id, STAGE, args))

    assert taken(ledger, job_id, part=1) is Taken.DONE
    wave = do(ledger, lambda c: fan_outs.next_wave(c, job_id, STAGE, 9))
    assert [(part.number, part.args) for part in wave] == [(0, (1, 10)), (2, (21, 25))]
    assert not do(ledger, lambda c: fan_outs.all_done(c, job_id, STAGE))


def test_every_part_is_in_one_wave(ledger: Database, job_id: str) -> None:
    do(ledger, lambda c: fan_outs.plan(c, job_id, STAGE, [()] * 10))

    waves = at_once(4, lambda _: do(ledger, lambda c: fan_outs.next_wave(c, job_id, STAGE, 3)))
    while wave := do(ledger, lambda c: fan_outs.next_wave(c, job_id, STAGE, 3)):
        waves.append(wave)

    assert sorted(part.number for wave in waves for part in wave) == list(range(10))
    assert all(len(wave) <= 3 for wave in waves)


def test_parts_that_end_at_once_add_up(ledger: Database, job_id: str) -> None:
    runs = [run_of(ledger, job_id, part, f"worker@host:{part}") for part in range(6)]

    at_once(6, lambda number: runs[number].finish_part(10, 60, "chunks"))

    shown = shown_task(ledger, job_id).progress
    assert shown is not None
    assert (shown.done, shown.total, shown.unit) == (60, 60, "chunks")
    assert do(ledger, lambda c: fan_outs.all_done(c, job_id, STAGE))


# --- failures ------------------------------------------------------------------------------


def test_a_failed_attempt_is_kept_and_the_step_goes_with_its_job(
    ledger: Database, job_id: str
) -> None:
    held = begin(ledger, job_id)
    do(ledger, lambda c: steps.record_failure(c, held.key, 1, "worker@host:1", ERROR))
    give_back(ledger, held)

    assert begin(ledger, job_id).attempts == 2
    with ledger.writing() as connection:
        [row] = connection.execute(select(FAILURES))
        assert (row.code, row.attempt, row.worker) == ("source_unavailable", 1, "worker@host:1")
        connection.execute(JOBS.delete().where(JOBS.c.id == job_id))
        assert connection.execute(select(STEPS)).all() == []
        assert connection.execute(select(FAILURES)).all() == []


def test_starting_over_forgets_what_was_tried_and_keeps_what_is_done(
    ledger: Database, job_id: str
) -> None:
    done, tried, late = (begin(ledger, job_id, part) for part in range(3))
    do(ledger, lambda c: steps.finish(c, done, units=4))
    give_back(ledger, tried, due_in=1000)
    do(ledger, lambda c: steps.start_over(c, job_id))

    assert taken(ledger, job_id) is Taken.DONE
    assert begin(ledger, job_id, part=1).attempts == 1
    assert not do(ledger, lambda c: steps.finish(c, late))


def test_a_failure_keeps_for_how_long_it_was_told_to_wait(ledger: Database, job_id: str) -> None:
    held = begin(ledger, job_id)
    error = ERROR.model_copy(update={"retry_after": 7.5})
    do(ledger, lambda c: steps.record_failure(c, held.key, 1, "worker@host:1", error))
    with ledger.reading() as connection:
        kept = connection.scalars(
            select(FAILURES.c.retry_after).where(FAILURES.c.job_id == job_id)
        ).all()
    assert kept == [7.5]
