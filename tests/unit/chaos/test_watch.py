"""How long disturbed work stood still, told from what it waited behind others."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.chaos import watch
from tests.chaos.ledger import JobState, StepState
from tests.chaos.verdict import Verdict
from tests.chaos.watch import Watch

DEAD, ALIVE = "vectorstore-1@vm:1", "vectorstore-2@vm:2"
INDEX, SPLIT = "vectorstore.index", "document.split"


class Ledger:
    """A ledger that holds what a test puts into it."""

    def __init__(self) -> None:
        self.steps_: dict[str, StepState] = {}
        self.jobs_: dict[str, JobState] = {}

    def put(self, name: str, state: str, attempts: int = 1, **more: Any) -> None:
        """A job with one step; a step that waits was sent, unless it is said when."""
        values = {"stage": INDEX, "owner": None, "sent_at": 1.0} | more
        stage, owner = values.pop("stage"), values.pop("owner")
        self.steps_[name] = StepState(name, stage, 0, state, attempts, 1, owner, **values)
        self.jobs_[name] = self.job(name, stage, final=state == "done")

    def ask(self, name: str, status: str) -> None:
        """A question."""
        self.jobs_[name] = self.job(name, "rag.answer")._replace(kind="query", status=status)

    @staticmethod
    def job(name: str, stage: str, final: bool = False) -> JobState:
        status = "completed" if final else "processing"
        return JobState(name, "ingest", status, stage, 1, 0, None, None, None, "d", 1.0)

    def jobs(self, _: str) -> Sequence[JobState]:
        return list(self.jobs_.values())

    def steps(self, _: str) -> Sequence[StepState]:
        return list(self.steps_.values())


class Scene:
    """A watch over such a ledger, whose clock a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moment = 0.0
        self.ledger = Ledger()
        monkeypatch.setattr(watch.time, "monotonic", lambda: self.moment)
        monkeypatch.setattr(watch.time, "time", lambda: self.moment)
        self.watch = Watch(self.ledger, "any")  # type: ignore[arg-type]

    def at(self, moment: float) -> None:
        self.moment = moment
        self.watch.refresh()

    @property
    def verdict(self) -> Verdict:
        verdict = Verdict("any", 1)
        self.watch.judge(verdict)
        return verdict


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


@pytest.fixture
def scene(empty: Scene) -> Scene:
    """A worker with one step is killed at 0 and freed at 13; by then another one has some work."""
    empty.ledger.put("victim", "running", owner=DEAD)
    empty.at(0.0)
    assert empty.watch.killed("vectorstore-1") == 1
    for name in ("first", "second"):
        empty.ledger.put(name, "running", owner=ALIVE)
    empty.ledger.put("victim", "waiting", due_at=13.0, sent_at=None)
    empty.at(13.0)
    empty.ledger.put("victim", "waiting", sent_at=13.1)
    empty.at(13.2)
    return empty


def take_up(scene: Scene, moment: float) -> Verdict:
    scene.ledger.put("victim", "running", 2, owner=ALIVE)
    scene.at(moment)
    return scene.verdict


def test_what_waits_behind_work_that_a_worker_has_already_does_not_stand_still(
    scene: Scene,
) -> None:
    for name, moment in (("first", 30.0), ("second", 50.0)):
        scene.ledger.put(name, "done")
        scene.at(moment)
    verdict = take_up(scene, 51.0)
    assert (verdict.recovery, verdict.lease, verdict.victims) == (51.0, 13.0, 1)
    assert verdict.stalled == pytest.approx(13.0 + 20.0)  # the longest time without any of it


def test_new_work_is_no_excuse_for_what_was_sent_again(scene: Scene) -> None:
    for moment in range(14, 60):
        scene.ledger.put(f"new-{moment}", "waiting", 0)
        scene.at(moment)
        scene.ledger.put(f"new-{moment}", "running", owner=ALIVE)
        scene.at(moment + 0.5)
    assert take_up(scene, 60.0).stalled == pytest.approx(60.0)


def test_work_that_is_merely_planned_is_no_excuse(scene: Scene) -> None:
    for moment in range(14, 300):
        scene.ledger.put(f"new-{moment}", "waiting", 0)
        scene.at(moment)
    assert take_up(scene, 300.0).stalled == pytest.approx(300.0)


def test_what_was_sent_again_too_is_one(scene: Scene) -> None:
    for moment in range(20, 60, 5):
        scene.ledger.put(f"other-{moment}", "running", 2, owner=ALIVE)
        scene.at(moment)
    assert take_up(scene, 60.0).stalled <= 13.0 + 7.0


def test_what_nobody_takes_up_while_there_is_nothing_else_to_do_stands_still(scene: Scene) -> None:
    assert take_up(scene, 61.0).stalled == pytest.approx(61.0)


def test_an_outage_is_not_charged(scene: Scene) -> None:
    with scene.watch.outage():
        scene.at(50.0)
    verdict = take_up(scene, 51.0)
    assert verdict.recovery <= 13.0
    assert verdict.stalled <= 14.0


def test_work_that_its_process_has_ended_after_its_parents_death_was_not_disturbed(
    empty: Scene,
) -> None:
    empty.ledger.put("victim", "running", owner=DEAD)
    empty.at(0.0)
    empty.watch.killed("vectorstore-1")
    empty.ledger.put("victim", "done")
    empty.at(5.0)
    assert (empty.verdict.victims, empty.verdict.disturbed) == (0, 0)


def test_work_that_is_killed_twice_is_timed_twice(empty: Scene) -> None:
    empty.ledger.put("victim", "running", owner=DEAD)
    empty.at(0.0)
    empty.watch.killed("vectorstore-1")
    empty.ledger.put("victim", "running", 2, owner=ALIVE)
    empty.moment = 14.0
    assert empty.watch.killed("vectorstore-2") == 1
    assert empty.verdict.lost == [f"never taken up again: {INDEX} part 0 of victim"]
    empty.ledger.put("victim", "running", 3, owner=DEAD)
    empty.at(30.0)
    assert (empty.verdict.victims, empty.verdict.recovery) == (2, 16.0)


def test_one_process_of_a_pool_is_killed_and_the_others_are_not(empty: Scene) -> None:
    for pid in (7, 8):
        empty.ledger.put(f"{pid}", "running", owner=f"document-1@vm:{pid}", stage=SPLIT)
    empty.at(0.0)
    assert empty.watch.killed_process("document-1", 8) == 1


def test_ingestion_that_stands_still_while_questions_are_asked_stands_still(empty: Scene) -> None:
    empty.ledger.put("stuck", "running", owner=ALIVE)
    empty.at(0.0)
    empty.watch.begin()
    for number in range(300):
        empty.ledger.ask(f"question-{number}", "completed")
        empty.at(float(number))
    empty.ledger.put("stuck", "done")
    empty.at(300.0)
    assert empty.verdict.stalled == pytest.approx(300.0)
    assert "standstill of everything" in empty.verdict.stalled_at


def test_work_without_a_lease_whose_message_is_lost_is_timed(empty: Scene) -> None:
    empty.ledger.put("lost", "waiting", 0)
    empty.at(0.0)
    empty.watch.begin()
    for moment in range(300):
        empty.ledger.put(f"other-{moment}", "running", stage=SPLIT, owner="document-1@vm:3")
        empty.at(float(moment))
    empty.ledger.put("lost", "running", owner=ALIVE)
    empty.at(300.0)
    assert empty.verdict.stalled == pytest.approx(300.0)
    assert "lay idle" in empty.verdict.stalled_at


def test_a_job_whose_next_message_is_lost_is_timed(empty: Scene) -> None:
    empty.ledger.put("lost", "done", stage=SPLIT)
    empty.ledger.jobs_["lost"] = Ledger.job("lost", SPLIT)
    empty.at(0.0)
    empty.watch.begin()
    for moment in range(10, 300, 10):
        empty.ledger.put(f"other-{moment}", "running", owner=ALIVE)
        empty.at(float(moment))  # the fleet goes on with what came later
    assert empty.verdict.stalled == pytest.approx(290.0)


def test_a_queue_that_moves_in_its_order_is_no_idleness(empty: Scene) -> None:
    names = [f"job-{number}" for number in range(30)]
    for name in names:
        empty.ledger.put(name, "waiting", 0)
    empty.at(0.0)
    empty.watch.begin()
    for number, name in enumerate(names):
        empty.ledger.put(name, "running", owner=ALIVE)
        empty.at(5.0 * (number + 1))
    assert empty.verdict.stalled == pytest.approx(5.0)


def test_rests_until_a_next_attempt_are_no_standstill(empty: Scene) -> None:
    empty.ledger.put("patient", "running", owner=ALIVE)
    empty.at(0.0)
    empty.watch.begin()
    empty.ledger.put("patient", "waiting", due_at=45.0)
    for moment in range(1, 46):
        empty.at(float(moment))
    empty.ledger.put("patient", "running", 2, owner=ALIVE)
    empty.at(47.0)
    assert empty.verdict.stalled == pytest.approx(1.0 + 2.0)
    assert (empty.verdict.disturbed, empty.verdict.recovery) == (1, 47.0)


def test_what_is_sent_again_after_a_disturbance_is_a_recovery(empty: Scene) -> None:
    empty.ledger.put("wiped", "waiting", 0)
    empty.at(0.0)
    empty.watch.begin()
    empty.at(7.0)
    empty.ledger.put("wiped", "waiting", 0, sent_at=8.0)
    empty.at(8.0)
    empty.ledger.put("wiped", "running", owner=ALIVE)
    empty.at(9.0)
    verdict = empty.verdict
    assert (verdict.disturbed, verdict.victims, verdict.recovery) == (1, 0, 9.0)


def test_where_nobodys_work_was_disturbed_there_is_no_recovery(empty: Scene) -> None:
    empty.ledger.put("calm", "waiting", 0)
    empty.at(0.0)
    empty.watch.begin()
    empty.ledger.put("calm", "running", owner=ALIVE)
    empty.at(1.0)
    empty.ledger.put("calm", "done")
    empty.at(2.0)
    assert (empty.verdict.disturbed, empty.verdict.recovery) == (0, 0.0)


def test_a_watch_that_ends_by_an_error_is_noticed(empty: Scene) -> None:
    empty.ledger.jobs = lambda _: 1 / 0  # type: ignore[assignment,return-value,misc]
    with empty.watch.watching():
        empty.watch._thread.join(timeout=10)
    assert "ZeroDivisionError" in empty.verdict.broken[0]
