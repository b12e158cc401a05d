"""How long a killed worker's work stood still, told from what it waited behind others."""

from collections.abc import Sequence

import pytest

from tests.chaos import watch
from tests.chaos.ledger import JobState, StepState
from tests.chaos.watch import Watch

DEAD, ALIVE = "vectorstore-1@vm:1", "vectorstore-2@vm:2"


class Ledger:
    """A ledger that holds what a test puts into it."""

    def __init__(self) -> None:
        self.state: dict[str, StepState] = {}

    def put(self, job_id: str, state: str, attempts: int = 1, owner: str | None = None) -> None:
        self.state[job_id] = StepState(job_id, "vectorstore.index", 0, state, attempts, 1, owner)

    def jobs(self, _: str) -> Sequence[JobState]:
        return [
            JobState(name, "ingest", "processing", "vectorstore.index", 1, 0, None, None, None, "d")
            for name in self.state
        ]

    def steps(self, _: str) -> Sequence[StepState]:
        return list(self.state.values())


class Scene:
    """A watch over such a ledger, whose clock a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moment = 0.0
        self.ledger = Ledger()
        monkeypatch.setattr(watch.time, "monotonic", lambda: self.moment)
        self.watch = Watch(self.ledger, "any")  # type: ignore[arg-type]

    def at(self, moment: float) -> None:
        self.moment = moment
        self.watch._compare(self.watch._read())


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A worker with one step is killed at 0, and its lease is found to have run out at 13."""
    scene = Scene(monkeypatch)
    scene.ledger.put("victim", "running", owner=DEAD)
    scene.at(0.0)
    assert scene.watch.killed("vectorstore-1") == 1
    scene.ledger.put("victim", "planned")
    scene.at(13.0)
    return scene


def test_what_waits_behind_others_does_not_stand_still(scene: Scene) -> None:
    for moment in range(20, 70, 10):
        scene.ledger.put(f"other-{moment}", "done", owner=ALIVE)
        scene.at(moment)
    scene.ledger.put("victim", "running", 2, ALIVE)
    scene.at(61.0)
    assert scene.watch.longest == 61.0
    assert scene.watch.stalled == 14.0


def test_what_nobody_takes_up_while_there_is_nothing_else_to_do_stands_still(scene: Scene) -> None:
    scene.ledger.put("other", "done", owner=ALIVE)
    scene.at(20.0)
    scene.ledger.put("victim", "running", 2, ALIVE)
    scene.at(61.0)
    assert scene.watch.stalled == 13.0 + 41.0


def test_an_outage_is_not_charged(scene: Scene) -> None:
    with scene.watch.outage():
        scene.moment = 50.0
    scene.ledger.put("victim", "running", 2, ALIVE)
    scene.at(51.0)
    assert scene.watch.longest <= 13.0
    assert scene.watch.stalled <= 13.0
