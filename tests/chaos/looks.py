"""One look into the ledger, and what work can be seen in it: who has it, or what it waits for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from flotilla.pipelines import BODIES, ORDER, following
from tests.chaos.ledger import JobState, StepState

REPLIES = ("query", "search", "questions")
"""Kinds of jobs of one message, which have no steps and are claimed themselves."""

LONGEST_REST = 60.0
"""The longest back-off in seconds: what is due later than that does not rest."""

Key = tuple[str, str, int]
"""A job's id, a stage, and the part of it."""


class State(StrEnum):
    """What becomes of a piece of work just now."""

    RUNNING = "running"  # somebody's claim on it is good
    READY = "ready"  # somebody could begin it
    RESTING = "resting"  # between two attempts


@dataclass(frozen=True)
class Work:
    """What one message is to bring about, or has begun to."""

    key: Key
    state: State
    attempts: int = 0
    owner: str | None = None
    sent_at: float | None = None

    @property
    def fleet(self) -> str:
        """Whose workers it is for."""
        return self.key[1].partition(".")[0]

    @property
    def claim(self) -> tuple[int, str | None]:
        """Differs between two who have it one after the other."""
        return self.attempts, self.owner

    @property
    def reply(self) -> bool:
        """Whether it is a question's."""
        return self.key[1].startswith("rag.")

    def __str__(self) -> str:
        job_id, stage, part = self.key
        return f"{stage} part {part} of {job_id}"


@dataclass(frozen=True)
class Look:
    """The ledger at one moment.

    Args:
        jobs: by their ids.
        steps: by job, stage and part.
        moment: the time in seconds since 1970.
    """

    jobs: Mapping[str, JobState]
    steps: Mapping[Key, StepState]
    moment: float

    @property
    def open(self) -> int:
        """Jobs that are not over."""
        return sum(not job.final for job in self.jobs.values())

    @property
    def open_ingestions(self) -> int:
        """Documents that are not over."""
        return sum(not job.final for job in self.jobs.values() if job.kind == "ingest")

    @cached_property
    def work(self) -> dict[Key, Work]:
        """What is to be done next of each open job, that which waits for admission left out."""
        steps: dict[str, list[StepState]] = {}
        for step in self.steps.values():
            steps.setdefault(step.job_id, []).append(step)
        found = [
            work
            for job in self.jobs.values()
            if not job.final
            for work in self._of_job(job, steps.get(job.id, []))
        ]
        return {work.key: work for work in found}

    @cached_property
    def rests(self) -> bool:
        """Whether all open work besides questions waits for the time of its next attempt."""
        others = {job.id for job in self.jobs.values() if _counts(job)}
        states = {job_id: set[State]() for job_id in others}
        for work in self.work.values():
            if work.key[0] in others:
                states[work.key[0]].add(work.state)
        return bool(states) and all(each == {State.RESTING} for each in states.values())

    @cached_property
    def signature(self) -> object:
        """What differs as soon as anything but a question has moved."""
        jobs = [job for job in self.jobs.values() if job.kind not in REPLIES]
        return (
            tuple((j.id, j.status, j.stage, j.attempt, j.progress) for j in jobs),
            tuple((s.key, s.state, s.attempts) for s in self.steps.values()),
        )

    @property
    def stands(self) -> bool:
        """Whether there is open work besides questions that could move."""
        return not self.rests and any(_counts(job) for job in self.jobs.values())

    def _of_job(self, job: JobState, steps: Sequence[StepState]) -> Iterator[Work]:
        if job.kind in REPLIES:
            yield self._of_reply(job)
            return
        if job.kind not in ORDER:
            return
        planned = [work for step in steps if (work := self._of_step(step)) is not None]
        yield from planned
        if not planned and job.sent_at is not None:
            key = (job.id, _next_stage(job, steps), 0)
            yield Work(key, State.READY, sent_at=job.sent_at)

    def _of_reply(self, job: JobState) -> Work:
        state = State.RUNNING if job.owner is not None else self._waiting(job.sent_at)
        return Work((job.id, job.stage, 0), state, job.attempt, job.owner, job.sent_at)

    def _of_step(self, step: StepState) -> Work | None:
        if step.state == "done":
            return None
        if step.state == "running":
            lapsed = step.lease_until is not None and step.lease_until < self.moment
            state = State.READY if lapsed else State.RUNNING
        elif step.sent_at is None and step.due_at is None and step.attempts == 0:
            return None  # planned: the message before it sends it
        else:
            state = self._waiting(step.due_at)
        return Work(step.key, state, step.attempts, step.owner, step.sent_at)

    def _waiting(self, due: float | None) -> State:
        rests = due is not None and self.moment < due <= self.moment + LONGEST_REST
        return State.RESTING if rests else State.READY


def _counts(job: JobState) -> bool:
    return not job.final and job.kind not in REPLIES


def _next_stage(job: JobState, steps: Sequence[StepState]) -> str:
    """The stage whose message a job waits for when none of its steps is to be done."""
    order = ORDER[job.kind]
    undone = [step.stage for step in steps if step.state != "done"]
    if undone:  # a wave is over, and the fan-out's end sends the next one
        return BODIES.get(min(undone, key=order.index), undone[0])
    done = [step.stage for step in steps]
    if not done:
        return job.stage
    last = max(done, key=order.index)
    return BODIES.get(last) or following(job.kind, last) or last
