"""How long disturbed work took until somebody had it again, and how long open work lay idle.

Each piece of work that is open has a course: it is ready, somebody has it, it rests until its next
attempt. While it is ready it may wait for two reasons. Work before it in its fleet's queue is one:
what was in line before, what somebody had already, and what was sent again, which goes ahead. Time
in which such work is begun or ended is no idleness. Whatever got in line later excuses nothing, and
once a piece was itself sent again, only work that was at a worker by then, or sent again, does.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from flotilla.settings import FLEETS
from tests.chaos.looks import Key, Look, State, Work

SLACK = 1.0
"""Seconds by which two looks may err about what was in line first."""

SENT_TWICE = 3.0
"""Seconds that what is sent again has waited at least: the reaper gives a message six. A job that
is admitted is marked as sent twice within a moment."""


@dataclass
class Course:
    """How one piece of work has fared."""

    work: Work
    lined: float
    """When it got in line, where it is now: ready, or sent again."""
    mark: float
    """Since when it is idle, if it is ready."""
    again: bool = False
    """Whether it goes ahead of what is new: it was sent again, or tried before."""
    begun: float = 0.0
    since: float | None = None
    """When it was disturbed, if nobody has had it since."""
    killed: tuple[int, str | None] | None = None
    """The claim of the worker that was killed with it."""
    freed: float | None = None
    """When that claim, or any other that was lost, was found to be over."""
    lost: float = 0.0
    """Seconds until then."""
    gap: float = 0.0
    """The longest time for which it was idle."""

    @property
    def idle(self) -> bool:
        """Whether it could be begun: a dead worker's claim has to be found out first."""
        return self.work.state is State.READY and (self.killed is None or self.freed is not None)

    def excused_by(self, other: "Course", *, begins: bool) -> bool:
        """Whether it had to wait for what another one does now."""
        if other.again:
            return True
        if self.again:
            return not begins and other.begun <= self.lined + SLACK
        return other.lined <= self.lined + SLACK


@dataclass(frozen=True)
class Recovery:
    """Disturbed work that somebody has again.

    Args:
        what: the work.
        seconds: since the disturbance.
        stalled: the same without rests and without what it had to wait for in its queue.
        freed: seconds until the claim of a killed worker was over; None for other disturbances.
    """

    what: str
    seconds: float
    stalled: float
    freed: float | None


@dataclass
class Courses:
    """The courses of all open work, from look to look; times are seconds of one clock."""

    open: dict[Key, Course] = field(default_factory=dict)
    recovered: list[Recovery] = field(default_factory=list)
    idle: float = 0.0
    """The longest time for which anything lay idle since the first disturbance."""
    idle_at: str = ""
    strikes: dict[str, float] = field(default_factory=dict)
    """When each fleet was last disturbed."""

    # --- what is done to it ----------------------------------------------------------------

    def strike(self, moment: float, names: Iterable[str] = ()) -> None:
        """Something is done to programs of these names, or to all."""
        if not self.strikes:
            self.excuse(moment)
        fleets = {name.partition("-")[0] for name in names}
        hit = fleets if fleets and fleets <= set(FLEETS) else FLEETS
        self.strikes |= dict.fromkeys(hit, moment)

    def excuse(self, moment: float) -> None:
        """Nothing could go on until now: all clocks begin anew."""
        for course in self.open.values():
            course.mark, course.gap = moment, 0.0
            if course.since is not None:
                course.since = moment
            if course.freed is not None:
                course.lost = 0.0

    def kill(self, moment: float, is_dead: Callable[[str], bool]) -> int:
        """Some of those who own work are dead; returns how much they had."""
        found = 0
        for course in self.open.values():
            owner = course.work.owner
            if owner is None or not is_dead(owner):
                continue
            if course.killed != course.work.claim:  # it was not dead already
                found += 1
                course.killed, course.since, course.freed = course.work.claim, moment, None
        return found

    @property
    def unrecovered(self) -> list[str]:
        """What was disturbed and nobody has had since."""
        return [str(course.work) for course in self.open.values() if course.since is not None]

    # --- what is seen ----------------------------------------------------------------------

    def follow(self, look: Look, moment: float, *, halted: bool = False) -> None:
        """Compare a look with the one before; `halted`: within an outage nothing is idle."""
        if halted:
            self.excuse(moment)
        self._measure(moment)
        before = dict(self.open)
        begun = [course for work in look.work.values() if (course := self._see(work, moment))]
        ended = [course for key, course in before.items() if key not in look.work]
        for course in ended:
            del self.open[course.work.key]
            self._end(course, look, moment)
        for fleet, course, begins in self._events(begun, ended):
            for waiting in self.open.values():
                if waiting.work.fleet == fleet and waiting.excused_by(course, begins=begins):
                    waiting.mark = moment

    def _events(
        self, begun: Sequence[Course], ended: Sequence[Course]
    ) -> Iterator[tuple[str, Course, bool]]:
        for course in begun:
            yield course.work.fleet, course, True
        for course in ended:
            # What was ready was begun and ended between two looks.
            yield course.work.fleet, course, course.work.state is not State.RUNNING

    def _see(self, work: Work, moment: float) -> Course | None:
        """Note how a piece of work stands; returns its course where somebody has begun it."""
        course = self.open.get(work.key)
        if course is None:
            tried = work.attempts - (work.state is State.RUNNING)
            again = tried > 0 and not work.reply
            course = Course(work, moment, moment, again, begun=moment)
            self.open[work.key] = course
            return course if work.state is State.RUNNING else None
        before, course.work = course.work, work
        if work.state is State.RUNNING:
            return self._run(course, before, moment)
        if course.killed is not None and work.owner is not None:
            return None  # dead, and nobody knows yet
        if before.state is State.RUNNING or (course.since is not None and course.freed is None):
            self._lose(course, moment)
        elif work.sent_at != before.sent_at and moment - course.lined > SENT_TWICE:
            self._send_again(course, moment)
        elif before.state is State.RESTING and course.idle:
            course.lined = course.mark = moment
        return None

    def _run(self, course: Course, before: Work, moment: float) -> Course | None:
        if before.claim == course.work.claim:
            if before.state is not State.RUNNING:  # late with its lease, and not dead
                course.since = course.freed = None
            return None
        if before.state is State.RUNNING and course.since is None:
            self._lose(course, moment)  # and taken up between two looks
        self._recover(course, moment)
        course.begun, course.gap, course.mark = moment, 0.0, moment
        course.again = course.again or course.work.attempts > 1
        return course

    def _lose(self, course: Course, moment: float) -> None:
        """Its claim is over, and it is not done."""
        struck = self.strikes.get(course.work.fleet)
        if course.since is None and struck is not None and course.begun <= struck:
            course.since = struck
        course.freed, course.again = moment, True
        course.lost = max(0.0, moment - course.since) if course.since is not None else 0.0
        course.lined = course.mark = moment
        course.gap = 0.0

    def _send_again(self, course: Course, moment: float) -> None:
        """Its message was lost, by the last disturbance: another one is on its way."""
        struck = self.strikes.get(course.work.fleet)
        if struck is not None and course.lined <= struck:
            course.since, course.freed, course.lost, course.gap = struck, struck, 0.0, 0.0
            course.mark = max(course.mark, struck)
        course.again, course.lined = True, moment

    def _end(self, course: Course, look: Look, moment: float) -> None:
        """It is done, or its job goes on without it."""
        step = look.steps.get(course.work.key)
        ended = step.attempts if step is not None and step.state == "done" else None
        if course.killed is None or course.killed[0] != ended:
            self._recover(course, moment)
        # Otherwise a process of a pool has outlived its parent, and nothing was disturbed.

    def _recover(self, course: Course, moment: float) -> None:
        since, killed = course.since, course.killed
        course.since = course.killed = None
        if since is None:
            return
        freed = moment if course.freed is None else course.freed
        lost = max(0.0, moment - since) if course.freed is None else course.lost
        gap = 0.0 if course.freed is None else max(course.gap, moment - max(course.mark, freed))
        self.recovered.append(
            Recovery(
                str(course.work),
                max(0.0, moment - since),
                lost + gap,
                max(0.0, freed - since) if killed is not None else None,
            )
        )
        course.freed = None

    def _measure(self, moment: float) -> None:
        for course in self.open.values():
            if not course.idle:
                continue
            course.gap = max(course.gap, moment - course.mark)
            if self.strikes and course.gap > self.idle:
                self.idle, self.idle_at = course.gap, str(course.work)
