"""What a follower is told goes forward, whatever comes late, twice or not at all."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flotilla import pipelines
from flotilla.gateway.event_order import START, Bookmark, Progression, end_id
from flotilla.ledger.task_events import TaskState
from flotilla.schemas import Progress, Task, TaskEvent, TaskEventName, TaskStatus

PENDING, PROCESSING = TaskStatus.PENDING, TaskStatus.PROCESSING
TASK = Task(
    task_id="t",
    kind="ingest",
    status=PROCESSING,
    queue="document",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)

Told = list[tuple[str | None, str | None, int | None]]


def at(
    stage: str,
    done: int | None = None,
    *,
    unit: str = "chunks",
    attempt: int = 1,
    status: TaskStatus = PROCESSING,
) -> TaskState:
    progress = None if done is None else Progress(done=done, total=100, unit=unit)
    return TaskState(status, stage, attempt, progress)


def follow(*states: TaskState) -> list[TaskEvent | None]:
    progression = Progression(TASK)
    return [progression.take((1, number), state) for number, state in enumerate(states)]


def names(events: list[TaskEvent | None]) -> list[str | None]:
    return [event.event.value if event else None for event in events]


def told(events: list[TaskEvent]) -> Told:
    return [
        (event.stage, event.progress.unit, event.progress.done)
        if event.progress
        else (event.stage, None, None)
        for event in events
    ]


def assert_forward(events: Told) -> None:
    """No stage comes back after another, and of no unit becomes less done."""
    stages = [stage for stage, _, _ in events]
    visits = [
        stage for number, stage in enumerate(stages) if stages[number - 1 : number] != [stage]
    ]
    assert len(visits) == len(set(visits)), visits
    for each in {unit for _, unit, _ in events}:
        done = [done for _, unit, done in events if unit == each and done is not None]
        assert done == sorted(done), done


def test_a_change_is_told_once_and_by_its_name() -> None:
    events = follow(
        at("a", status=PENDING),
        at("a"),
        at("a", 1),
        at("a", 1),
        at("a", 2),
        at("a", 2, attempt=2),
        at("b", 2),
    )
    assert names(events) == ["state", "state", "progress", None, "progress", "state", "state"]


def test_what_comes_late_is_left_out() -> None:
    events = follow(
        at("a", 5, unit="pages"),
        at("a", 4, unit="pages"),
        at("b", 0),
        at("a", 6, unit="pages"),
        at("b", 6, unit="pages"),
        at("b", status=PENDING),
        at("b", 1),
    )
    assert names(events) == ["state", None, "state", None, None, None, "progress"]


def test_a_late_part_of_another_attempt_does_not_take_the_attempt_back() -> None:
    events = follow(at("a", 1, attempt=3), at("a", 2, attempt=1))
    assert [event.attempt for event in events if event] == [3, 3]


def test_a_new_stage_with_less_done_shows_what_was_shown() -> None:
    [_, event] = follow(at("a", 7), at("b", 3))
    assert event is not None
    assert event.progress is not None
    assert (event.stage, event.progress.done) == ("b", 7)


def test_the_ledger_may_take_a_stage_back_and_is_then_followed() -> None:
    progression = Progression(TASK)
    progression.take((1, 0), at("a"))
    progression.take((1, 1), at("b"))
    assert progression.look(at("a"), certain=False) is None
    back = progression.look(at("a"), certain=True)
    assert back is not None
    assert back.stage == "a"
    assert progression.take((1, 2), at("a", 1)) is not None
    assert progression.take((1, 3), at("b", 1)) is None


def test_a_task_that_is_tried_again_begins_anew() -> None:
    events = follow(
        at("a", 3),
        at("b", 9),
        at("b", 9, status=TaskStatus.FAILED),
        at("a", 0, status=PENDING),
        at("a", 1),
    )
    assert names(events) == ["state", "state", None, "state", "state"]


@pytest.mark.parametrize(
    "text", ["1795166131842-0", "1795166131842-7/vectorstore.index/chunks/12", "0", "5-1///"]
)
def test_an_id_can_be_read(text: str) -> None:
    bookmark = Bookmark.parse(text)
    assert bookmark is not None
    assert Bookmark.parse(str(bookmark)) == bookmark


@pytest.mark.parametrize(
    "text", [None, "", "x", "-1", "1-", "1-2/a", "1" * 40, "end-5", "1-2/a/b/c"]
)
def test_an_id_that_no_event_has_had_is_none(text: str | None) -> None:
    assert Bookmark.parse(text) is None


def test_the_end_of_another_try_has_another_id() -> None:
    first, second = (
        TASK.model_copy(update={"finished_at": datetime(2026, 1, 1, second=s, tzinfo=UTC)})
        for s in (1, 2)
    )
    assert end_id(first) != end_id(second)
    assert Bookmark.parse(end_id(first)) is None


STAGES = pipelines.ORDER["ingest"]


@st.composite
def histories(draw: st.DrawFn) -> list[TaskState]:
    """The states that a task really goes through, stage by stage."""
    states = [at(STAGES[0], status=PENDING)]
    for stage in STAGES:
        unit = "pages" if stage == pipelines.CONVERT_RANGE else "chunks"
        counts: list[int] = []
        if stage in pipelines.BODIES:
            counts = draw(st.lists(st.integers(0, 30), max_size=6))
        states.append(states[-1]._replace(status=PROCESSING, stage=stage))
        states += [at(stage, done, unit=unit) for done in sorted(counts)]
    return states


@given(data=st.data(), history=histories())
def test_whatever_is_late_lost_or_wiped_a_follower_sees_the_task_go_forward(
    data: st.DataObject, history: list[TaskState]
) -> None:
    """Entries change places and get lost, the follower connects again and again, at any gateway;
    in between the ledger is looked at, and Redis wiped."""
    # Each state may be told as late as `delay` states after it was committed.
    delays = data.draw(st.lists(st.integers(0, 6), min_size=len(history), max_size=len(history)))
    arrivals = sorted(range(len(history)), key=lambda number: (number + delays[number], number))
    stream: list[tuple[tuple[int, int], TaskState]] = []
    events: list[TaskEvent] = []
    progression = Progression(TASK)

    def hear(event: TaskEvent | None) -> None:
        if event is not None:
            events.append(event)

    for moment, number in enumerate(arrivals):
        committed = max(arrivals[: moment + 1])
        if data.draw(st.booleans(), label="told"):
            stream.append(((1, moment), history[number]))
        match data.draw(st.sampled_from(["read", "read", "read", "look", "reconnect", "wipe"])):
            case "wipe":
                stream.clear()
            case "look":
                hear(progression.look(history[committed], certain=True))
            case "reconnect":
                bookmark = Bookmark.parse(events[-1].id if events else "0")
                assert bookmark is not None
                progression = Progression(TASK)
                for position, state in stream:
                    if position <= bookmark.position:
                        progression.take(position, state)
                progression.go_on_from(bookmark)
                for position, state in stream:
                    hear(progression.take(position, state))
                hear(progression.look(history[committed], certain=True))
            case "read":
                for position, state in stream:
                    hear(progression.take(position, state))
    assert_forward(told(events))
    hear(progression.look(history[-1], certain=True))
    assert events
    assert events[-1].stage == STAGES[-1]


def test_positions_begin_before_all_entries() -> None:
    assert START < (1, 0)
    assert TaskEventName.END.value == "end"
