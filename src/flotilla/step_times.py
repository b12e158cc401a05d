"""Where the seconds of a task or a search go: by the wall, and of the processors.

Its steps are timed in its own thread, so that what lies in between needs to know nothing of it.
Work that it has done in others is added by whoever waits for it. What a step takes within another
one counts for itself alone, so that the sum is never more than the whole.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

WHOLE = "all"
"""The name under which the whole task stands."""


@dataclass(slots=True)
class StepTimes:
    """Seconds by step: `wall` as they went by, `cpu` as the processors worked."""

    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    within: tuple[float, float] = (0.0, 0.0)

    def add(self, name: str, wall: float, cpu: float) -> None:
        """Add to a step's time."""
        self.wall[name] = self.wall.get(name, 0.0) + wall
        self.cpu[name] = self.cpu.get(name, 0.0) + cpu

    def rounded(self) -> dict[str, dict[str, float]]:
        """Both, in seconds with four digits, for a log."""
        return {
            name: {step: round(seconds, 4) for step, seconds in found.items()}
            for name, found in (("wall", self.wall), ("cpu", self.cpu))
        }

    def milliseconds(self) -> dict[str, float]:
        """Each step's time by the wall, with two digits; the whole is left out."""
        return {
            name: round(1000 * seconds, 2) for name, seconds in self.wall.items() if name != WHOLE
        }


_current: ContextVar[StepTimes | None] = ContextVar("step_times", default=None)


@contextmanager
def timing_steps() -> Iterator[StepTimes]:
    """The times of the steps that are taken within the block, and of all of it under WHOLE."""
    times = StepTimes()
    token = _current.set(times)
    wall, cpu = time.perf_counter(), time.thread_time()
    try:
        yield times
    finally:
        _current.reset(token)
        times.add(WHOLE, time.perf_counter() - wall, time.thread_time() - cpu)


@contextmanager
def step(name: str) -> Iterator[None]:
    """One step; one that is taken again adds to its time. Without `timing_steps` it is nothing."""
    times = _current.get()
    if times is None:
        yield
        return
    around, times.within = times.within, (0.0, 0.0)
    wall, cpu = time.perf_counter(), time.thread_time()
    try:
        yield
    finally:
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        times.add(name, wall - times.within[0], cpu - times.within[1])
        times.within = (around[0] + wall, around[1] + cpu)


def worked_elsewhere(name: str, cpu: float) -> None:
    """Seconds that other threads have worked for a step of this task."""
    times = _current.get()
    if times is not None:
        times.add(name, 0.0, cpu)
        times.add(WHOLE, 0.0, cpu)
