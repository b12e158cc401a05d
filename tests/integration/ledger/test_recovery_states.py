"""Jobs, workers, a reaper and a broker that fail in whatever order: what is always true.

Nobody works on a step beside another whose fence is good; what a late worker writes changes
nothing; attempts, deaths and outages add up, and waiting costs none; the parts of a stage are done
once each before what waits for them; an end is the end, but for a retry; and when the faults stop,
every job comes to its end.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Ignore, Retry
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import select

from flotilla import dispatch, pipelines
from flotilla.errors import (
    Crashed,
    DependencyUnavailable,
    FileCorrupt,
    FlotillaError,
    ModelUnavailable,
    SourceUnavailable,
    WorkerLost,
)
from flotilla.ledger import (
    clock,
    deaths,
    endings,
    job_ends,
    jobs,
    retries,
    stages,
    steps,
)
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.fleet_sizes import FleetSizes
from flotilla.ledger.jobs import NewJob
from flotilla.ledger.messages import worker_of
from flotilla.ledger.runs import StageRun
from flotilla.ledger.steps import Key
from flotilla.ledger.tables import JOBS, STEPS
from flotilla.settings import get_settings
from flotilla.upkeep import reaper
from flotilla.upkeep.tasks import _is_published
from tests.integration.ledger.clocks import StandingClock
from tests.integration.ledger.modelled_broker import Message, ModelledBroker, Wave

AFTER = {body: stage for stage, body in pipelines.BODIES.items()} | {
    pipelines.SPLIT: pipelines.CONVERT_RANGE
}
PLANS = {pipelines.CONVERT: pipelines.CONVERT_RANGE, pipelines.SPLIT: pipelines.INDEX}
NEEDS_WORK = ("succeed", "go_wrong", "vanish", "child_dies", "renew")
NEEDS_MESSAGE = ("deliver", "deliver_twice", "broker_is_wiped")
OFTEN = ("deliver", "succeed", "reap", "time_passes")
SELDOM = ("submit", "cancel", "retry", "broker_is_wiped")
ACTIONS = sorted({*NEEDS_WORK, *NEEDS_MESSAGE, *OFTEN, *SELDOM} - {*SELDOM}) * 2 + [
    *OFTEN * 4,
    *SELDOM,
]
FINAL = ("completed", "failed", "cancelled")
# Made once: most of what a walk takes goes into its statements.
ROWS = {table: select(*table.primary_key, *table.c) for table in (JOBS, STEPS)}
STATUSES = select(JOBS.c.id, JOBS.c.status)
SETTINGS = {
    "IN_FLIGHT": "2",
    "PARTS_IN_FLIGHT": "2",
    "MAX_ATTEMPTS": "3",
    "MAX_OUTAGE_ATTEMPTS": "50",
    "MAX_LOSSES": "4",
}
ERRORS: list[FlotillaError] = [
    SourceUnavailable("The source does not answer."),
    ModelUnavailable("Patience.", retry_after=30),
    ModelUnavailable("Much patience.", retry_after=1000),
    DependencyUnavailable("Qdrant is away."),
    FileCorrupt("It is damaged."),
]


@dataclass(frozen=True)
class Work:
    """A worker at a step; it may be frozen or dead, which nobody knows."""

    run: StageRun
    message: Message
    task: Any
    owner: str


class Recovery(RuleBasedStateMachine):
    """What the parts of the system do, in any order, over one ledger."""

    ledger: Database
    broker: ModelledBroker
    clock: StandingClock

    def __init__(self) -> None:
        super().__init__()
        self.broker.messages.clear()
        with self.ledger.writing() as connection:
            connection.execute(JOBS.delete())
        self.jobs: list[str] = []
        self.plans: dict[str, dict[str, int]] = {}
        self.work: list[Work] = []
        self.workers = 0
        self.begun: Counter[Key] = Counter()
        self.own_failures: Counter[Key] = Counter()
        self.parts_done: Counter[Key] = Counter()
        self.fences: set[tuple[Key, int]] = set()
        self.ends: dict[str, str] = {}

    # --- what the ledger says ------------------------------------------------------------

    def rows(self, table: Any) -> dict[Any, Any]:
        with self.ledger.reading() as connection:
            return {
                tuple(row[: len(table.primary_key)]): row for row in connection.execute(ROWS[table])
            }

    def statuses(self) -> dict[str, str]:
        with self.ledger.reading() as connection:
            return dict(connection.execute(STATUSES).tuples().all())

    def holds(self, work: Work) -> bool:
        held = work.run.held
        with self.ledger.reading() as connection:
            found = select(STEPS.c.fence).where(held.matches())
            return connection.scalar(found) is not None

    def pick(self, things: list[Any], number: int) -> Any:
        return things[number % len(things)]

    # --- what happens ---------------------------------------------------------------------

    @rule(action=st.sampled_from(ACTIONS), number=st.integers(0, 99))
    def something_happens(self, action: str, number: int) -> None:
        """One rule for all, since hypothesis would leave most of them out of most walks."""
        if action in NEEDS_WORK and not self.work:
            action = "deliver"
        if action in NEEDS_MESSAGE and not self.broker.messages:
            action = self.pick(["submit", "time_passes", "reap", "reap"], number)
        getattr(self, action)(number)

    # --- submitting ----------------------------------------------------------------------

    @initialize()
    def first(self) -> None:
        self.submit(0)

    def submit(self, number: int, ranges: int = 3, batches: int = 4, sent: bool = True) -> None:
        """A gateway that may die between the row and the message."""
        if len(self.jobs) >= 4:
            return
        if number:
            ranges, batches, sent = self.pick([0, 3], number), 1 + number % 5, number % 3 > 0
        job = NewJob(
            tenant_id=DEFAULT_TENANT,
            kind="ingest",
            queue="document",
            stage=pipelines.CONVERT,
            payload={},
        )
        with self.ledger.writing() as connection:
            jobs.add(connection, [job])
        self.jobs.append(job.id)
        self.plans[job.id] = {pipelines.CONVERT: ranges, pipelines.SPLIT: batches}
        if sent:
            dispatch.release(self.ledger)

    # --- workers ---------------------------------------------------------------------------

    def deliver_twice(self, number: int) -> None:
        self.deliver(number, doubled=True)

    def deliver(self, number: int, doubled: bool = False) -> None:
        """A worker takes a message; `doubled`, another has it too."""
        message = self.pick(self.broker.messages, number)
        if not doubled:
            self.broker.messages.remove(message)
        self.workers += 1
        task = SimpleNamespace(
            request=SimpleNamespace(hostname=f"worker-{self.workers}", retries=0),
            retry=lambda **given: self.retry_later(message, given["countdown"]),
        )
        after = AFTER.get(message.stage)
        wave = (lambda _job_id, parts: Wave(str(after), parts)) if after is not None else None
        try:
            begun = stages._begin(
                task,  # type: ignore[arg-type]
                message.key,
                after,
                wave if message.stage != pipelines.SPLIT else None,  # type: ignore[arg-type]
                _is_published if message.stage == pipelines.FINISH else None,
            )
        except Ignore:
            return
        if begun is None:
            self.broker.went_through(message)
        elif isinstance(begun, Wave):
            self.broker.replaced(message, begun)
        else:
            assert isinstance(begun, StageRun)
            self.check_beginning(begun)
            self.work.append(Work(begun, message, task, worker_of(task)))  # type: ignore[arg-type]

    def retry_later(self, message: Message, countdown: float) -> Retry:
        self.broker.later(message, self.clock.moment + countdown)
        return Retry()

    def check_beginning(self, run: StageRun) -> None:
        key = run.held.key
        assert (key, run.held.fence) not in self.fences, "two workers with one fence"
        self.fences.add((key, run.held.fence))
        self.begun[key] += 1
        if (stage := AFTER.get(key.stage)) is not None:
            parts = [step for step in self.rows(STEPS).values() if step.stage == stage]
            for step in parts:
                if step.job_id == key.job_id:
                    assert step.state == "done", f"{key.stage} began before part {step.part}"
                    part = Key(step.job_id, step.stage, step.part)
                    assert self.parts_done[part] == 1

    def succeed(self, number: int) -> None:
        work = self.pick(self.work, number)
        self.work.remove(work)
        before = None if self.holds(work) else self.everything()
        try:
            wave = self.perform(work.run)
            if wave is None:
                with self.ledger.writing() as connection:
                    finished = steps.finish(connection, work.run.held)
                    if not (finished or steps.is_done(connection, work.run.held.key)):
                        raise Ignore
        except (FlotillaError, Ignore) as error:
            if isinstance(error, FlotillaError):
                self.raised(work, error)
        else:
            if wave is not None:
                self.broker.replaced(work.message, wave)
            else:
                self.broker.went_through(work.message)
        assert before is None or before == self.everything(), "a late worker changed something"

    def everything(self) -> Any:
        return self.rows(JOBS), self.rows(STEPS)

    def perform(self, run: StageRun) -> Wave | None:
        """What the fleets' functions write."""
        stage = run.stage
        if stage in PLANS and (parts := self.plans[run.job.id][stage]):
            return Wave(PLANS[stage], run.plan(PLANS[stage], [(part,) for part in range(parts)]))
        if stage in pipelines.BODIES:
            run.finish_part(1, None, "parts")
            self.parts_done[run.held.key] += 1
        elif stage == pipelines.FINISH:
            with run.writing() as connection:
                job_ends.complete(connection, run.job.id, {})
        else:
            run.checkpoint()
        return None

    def go_wrong(self, number: int) -> None:
        error = self.pick(ERRORS, number)
        work = self.pick(self.work, number)
        self.work.remove(work)
        before = None if self.holds(work) else self.everything()
        self.raised(work, error)
        assert before is None or before == self.everything(), "a late worker changed something"

    def raised(self, work: Work, error: FlotillaError) -> None:
        counts = self.holds(work) and error.code not in ("cancelled", "lease_lost")
        with contextlib.suppress(Ignore, Retry):
            stages._failed(work.task, work.run, error)
        if counts and not isinstance(error, DependencyUnavailable):
            self.own_failures[work.run.held.key] += 1

    def vanish(self, number: int) -> None:
        """A whole worker dies; its message comes back, or not before long."""
        work = self.pick(self.work, number)
        self.work.remove(work)
        if number % 2:
            self.broker.messages.append(work.message)

    def child_dies(self, number: int) -> None:
        """A process dies under its worker, who tells of it and puts the message back."""
        work = self.pick(self.work, number)
        self.work.remove(work)
        cause = Crashed("A segmentation fault.") if number % 2 else WorkerLost("SIGKILL.")
        deaths.report_death(self.ledger, work.run.held.key, work.owner, cause, sent=True)
        self.broker.messages.append(work.message)

    def renew(self, number: int) -> None:
        work = self.pick(self.work, number)
        held = self.holds(work)
        with self.ledger.writing() as connection:
            assert work.run.lease.renew(connection) == held

    # --- the rest of the world ---------------------------------------------------------------

    def time_passes(self, number: int) -> None:
        self.pass_time(self.pick([0.5, 3.0, 7.0, 13.0, 13.0, 70.0, 1100.0], number))

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.broker.messages = [
            message if message.eta > self.clock.moment else Message(**vars(message) | {"eta": 0.0})
            for message in self.broker.messages
        ]

    def broker_is_wiped(self, _number: int) -> None:
        self.broker.messages.clear()

    def reap(self, _number: int = 0) -> None:
        reaper._free_steps(self.ledger)
        reaper._resume(self.ledger)
        dispatch.release(self.ledger)

    def cancel(self, number: int) -> None:
        job_id = self.pick(self.jobs, number)
        if self.statuses()[job_id] in FINAL:
            return
        with self.ledger.writing() as connection:
            assert endings.cancel_by_user(connection, DEFAULT_TENANT, job_id)

    def retry(self, number: int) -> None:
        job_id = self.pick(self.jobs, number)
        if self.statuses()[job_id] != "failed":
            return
        retries.retry(self.ledger, DEFAULT_TENANT, job_id)
        del self.ends[job_id]
        for step in self.rows(STEPS).values():
            if step.job_id == job_id and step.state != "done":
                key = Key(step.job_id, step.stage, step.part)
                self.begun[key] = self.own_failures[key] = 0

    # --- what always holds -------------------------------------------------------------------

    @invariant()
    def one_holder_a_step(self) -> None:
        workers = Counter(work.run.held.key for work in self.work)
        several = [work for work in self.work if workers[work.run.held.key] > 1]
        held = Counter(work.run.held.key for work in several if self.holds(work))
        assert all(holders == 1 for holders in held.values()), held

    @invariant()
    def attempts_add_up(self) -> None:
        for step in self.rows(STEPS).values():
            key = Key(step.job_id, step.stage, step.part)
            present = int(step.state != "waiting")
            told = step.kills + step.losses + step.outages + self.own_failures[key] + present
            assert step.attempts == self.begun[key] == told, (step, self.own_failures[key])

    @invariant()
    def an_end_is_the_end(self) -> None:
        for job_id, status in self.statuses().items():
            assert self.ends.get(job_id, status) == status
            if status in FINAL:
                self.ends[job_id] = status

    def teardown(self) -> None:
        """The faults are over: whoever was frozen is dead, and everything goes well now."""
        self.work.clear()
        for _ in range(400):  # Retry-After is obeyed now too, up to thrice
            if all(status in FINAL for status in self.statuses().values()):
                break
            self.pass_time(20.0)
            self.reap()
            while any(not message.eta for message in self.broker.messages):
                at = next(n for n, m in enumerate(self.broker.messages) if not m.eta)
                self.deliver(at)
                while self.work:
                    self.succeed(0)
            self.attempts_add_up()
            self.an_end_is_the_end()
        else:
            raise AssertionError(f"no end: {self.statuses()}, {self.rows(STEPS)}")
        for job_id, status in self.statuses().items():
            if status == "completed":
                parts = sum(self.plans[job_id].values())
                done = sum(n for key, n in self.parts_done.items() if key.job_id == job_id)
                assert done == parts


@pytest.fixture
def machine(
    ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[type[RuleBasedStateMachine]]:
    broker, standing = ModelledBroker(), StandingClock()
    for name, value in SETTINGS.items():
        monkeypatch.setenv(f"FLOTILLA_JOB_{name}", value)
    get_settings.cache_clear()
    monkeypatch.setattr(clock, "_clock", standing)
    monkeypatch.setattr(pipelines, "begin", broker.begin)
    monkeypatch.setattr(pipelines, "resume_parts", broker.resume_parts)
    monkeypatch.setattr(reaper, "_present", broker.present)
    monkeypatch.setattr(stages, "get_database", lambda: ledger)
    # These jobs have no documents.
    monkeypatch.setattr(retries, "_revive_version", lambda _connection, _job: None)
    monkeypatch.setattr(StageRun, "tell", lambda _self: None)
    monkeypatch.setattr(FleetSizes, "get", lambda _self: {})
    values = {"ledger": ledger, "broker": broker, "clock": standing}
    yield type("OnThisLedger", (Recovery,), values)
    get_settings.cache_clear()


def walk(machine: type[RuleBasedStateMachine], examples: int, length: int) -> None:
    run_machine(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=length,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_whatever_fails_every_job_comes_to_its_end(
    machine: type[RuleBasedStateMachine], effort: int
) -> None:
    walk(machine, examples=10 * effort, length=100)


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
def test_the_same_on_postgresql(machine: type[RuleBasedStateMachine], effort: int) -> None:
    walk(machine, examples=4 * effort, length=50)
