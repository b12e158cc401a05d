"""Jobs, workers, a reaper and a broker that fail in whatever order: what is always true.

Nobody works on a step beside another whose fence is good; what a late worker writes changes
nothing; attempts, deaths and outages add up, and waiting costs none; the parts of a stage are done
once each before what waits for them; an end is the end, but for a retry; and when the faults stop,
every job comes to its end.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Ignore, Retry
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
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
from flotilla.ledger import admission, clock, deaths, endings, job_ends, jobs, retries, stages, steps
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.jobs import NewJob
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
FINAL = ("completed", "failed", "cancelled")
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
                tuple(row[: len(table.primary_key)]): row
                for row in connection.execute(select(*table.primary_key, *table.c))
            }

    def statuses(self) -> dict[str, str]:
        with self.ledger.reading() as connection:
            return dict(connection.execute(select(JOBS.c.id, JOBS.c.status)).tuples().all())

    def holds(self, work: Work) -> bool:
        held = work.run.held
        with self.ledger.reading() as connection:
            found = select(STEPS.c.fence).where(held.matches())
            return connection.scalar(found) is not None

    def pick(self, things: list[Any], number: int) -> Any:
        return things[number % len(things)]

    # --- submitting ----------------------------------------------------------------------

    @initialize()
    def first(self) -> None:
        self.submit(ranges=3, batches=3, sent=True)

    @precondition(lambda self: len(self.jobs) < 4)
    @rule(ranges=st.sampled_from([0, 3]), batches=st.integers(1, 5), sent=st.booleans())
    def submit(self, ranges: int, batches: int, sent: bool) -> None:
        """A gateway that may die between the row and the message."""
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

    @precondition(lambda self: self.broker.messages)
    @rule(number=st.integers(0, 99), doubled=st.booleans())
    def deliver(self, number: int, doubled: bool = False) -> None:
        """A worker takes a message; `doubled`, another has it too."""
        message = self.pick(self.broker.messages, number)
        if not doubled:
            self.broker.messages.remove(message)
        self.workers += 1
        task = SimpleNamespace(
            request=SimpleNamespace(hostname=f"worker-{self.workers}", retries=0),
            retry=lambda exc, countdown: self.retry_later(message, countdown),
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
            self.work.append(Work(begun, message, task, stages._worker(task)))  # type: ignore[arg-type]

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

    @precondition(lambda self: self.work)
    @rule(number=st.integers(0, 99))
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
                        raise Ignore  # noqa: TRY301 - as `stages` does
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

    @precondition(lambda self: self.work)
    @rule(number=st.integers(0, 99), error=st.sampled_from(ERRORS))
    def go_wrong(self, number: int, error: FlotillaError) -> None:
        work = self.pick(self.work, number)
        self.work.remove(work)
        before = None if self.holds(work) else self.everything()
        self.raised(work, error)
        assert before is None or before == self.everything(), "a late worker changed something"

    def raised(self, work: Work, error: FlotillaError) -> None:
        counts = self.holds(work) and error.code not in ("cancelled", "lease_lost")
        try:
            stages._failed(work.task, work.run, error)
        except (Ignore, Retry):
            pass
        if counts and not isinstance(error, DependencyUnavailable):
            self.own_failures[work.run.held.key] += 1

    @precondition(lambda self: self.work)
    @rule(number=st.integers(0, 99), requeued=st.booleans())
    def vanish(self, number: int, requeued: bool) -> None:
        """A whole worker dies; its message comes back, or not before long."""
        work = self.pick(self.work, number)
        self.work.remove(work)
        if requeued:
            self.broker.messages.append(work.message)

    @precondition(lambda self: self.work)
    @rule(number=st.integers(0, 99), own_doing=st.booleans())
    def child_dies(self, number: int, own_doing: bool) -> None:
        """A process dies under its worker, who tells of it and puts the message back."""
        work = self.pick(self.work, number)
        self.work.remove(work)
        cause = Crashed("A segmentation fault.") if own_doing else WorkerLost("SIGKILL.")
        deaths.report_death(self.ledger, work.run.held.key, work.owner, cause, sent=True)
        self.broker.messages.append(work.message)

    @precondition(lambda self: self.work)
    @rule(number=st.integers(0, 99))
    def renew(self, number: int) -> None:
        work = self.pick(self.work, number)
        held = self.holds(work)
        with self.ledger.writing() as connection:
            assert work.run.lease.renew(connection) == held

    # --- the rest of the world ---------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 3.0, 7.0, 13.0, 70.0, 1100.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.broker.messages = [
            message if message.eta > self.clock.moment else Message(**vars(message) | {"eta": 0.0})
            for message in self.broker.messages
        ]

    @precondition(lambda self: self.broker.messages)
    @rule()
    def broker_is_wiped(self) -> None:
        self.broker.messages.clear()

    @rule()
    def reap(self) -> None:
        reaper._free_steps(self.ledger)
        reaper._resume(self.ledger)
        dispatch.release(self.ledger)

    @rule(number=st.integers(0, 99))
    def cancel(self, number: int) -> None:
        job_id = self.pick(self.jobs, number)
        if self.statuses()[job_id] in FINAL:
            return
        with self.ledger.writing() as connection:
            assert endings.cancel_by_user(connection, DEFAULT_TENANT, job_id)

    @rule(number=st.integers(0, 99))
    def retry(self, number: int) -> None:
        job_id = self.pick(self.jobs, number)
        if self.statuses()[job_id] != "failed":
            return
        with self.ledger.writing() as connection:
            connection.execute(JOBS.update().where(JOBS.c.id == job_id).values(kind="reindex"))
            retries.retry(connection, DEFAULT_TENANT, job_id)
            connection.execute(JOBS.update().where(JOBS.c.id == job_id).values(kind="ingest"))
        del self.ends[job_id]
        for step in self.rows(STEPS).values():
            if step.job_id == job_id and step.state != "done":
                key = Key(step.job_id, step.stage, step.part)
                self.begun[key] = self.own_failures[key] = 0

    # --- what always holds -------------------------------------------------------------------

    @invariant()
    def one_holder_a_step(self) -> None:
        held = Counter(work.run.held.key for work in self.work if self.holds(work))
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
        for _ in range(200):
            if all(status in FINAL for status in self.statuses().values()):
                break
            self.time_passes(5.0)
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
    monkeypatch.setattr(StageRun, "tell", lambda _self: None)
    monkeypatch.setattr(admission, "_processes", lambda _period: {})
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
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_whatever_fails_every_job_comes_to_its_end(machine: type[RuleBasedStateMachine]) -> None:
    walk(machine, examples=40, length=40)


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
def test_the_same_on_postgresql(machine: type[RuleBasedStateMachine]) -> None:
    walk(machine, examples=5, length=30)
