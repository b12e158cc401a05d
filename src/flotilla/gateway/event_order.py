"""Which of the states that a task is said to be in are news to one who follows it.

States come from the task's stream, where several processes write and one may be late, and from the
ledger, which is always right but looked at now and then. Whoever follows sees the stages in their
order and progress that never goes back, also when he goes on at another gateway: what he has seen
is in the id of each event.
"""

import re
from dataclasses import dataclass

from flotilla.ledger.task_events import TaskState
from flotilla.pipelines import ORDER
from flotilla.schemas import Progress, Task, TaskEvent, TaskEventName, TaskStatus

Position = tuple[int, int]
"""The id of a stream's entry, in the order of the stream."""

START: Position = (0, 0)

_BOOKMARK = re.compile(
    r"(?P<ms>\d{1,19})(?:-(?P<seq>\d{1,19}))?"
    r"(?:/(?P<stage>[A-Za-z0-9_.]{0,64})/(?P<unit>[a-z]{0,16})/(?P<done>\d{0,15}))?"
)
_END = re.compile(r"end-\d{1,19}")


def position_of(entry_id: str) -> Position:
    """The position of an entry's id, such as `1795166131842-0`."""
    moment, _, number = entry_id.partition("-")
    return int(moment), int(number)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far somebody has followed a task: the id of an event.

    `position` is that of the newest entry of the stream that was taken into account; the rest is
    what the event showed, since it may have been read from the ledger, or the stream been lost.
    """

    position: Position
    stage: str | None = None
    unit: str | None = None
    done: int = 0

    def __str__(self) -> str:
        moment, number = self.position
        done = self.done if self.unit else ""
        return f"{moment}-{number}/{self.stage or ''}/{self.unit or ''}/{done}"

    @classmethod
    def parse(cls, text: str | None) -> "Bookmark | None":
        """What a Last-Event-ID says; None for none, and for one that no event has had."""
        found = _BOOKMARK.fullmatch(text or "")
        if found is None:
            return None
        position = int(found["ms"]), int(found["seq"] or 0)
        return cls(position, found["stage"] or None, found["unit"] or None, int(found["done"] or 0))


def is_event_id(text: str) -> bool:
    """Whether a task's event may have had this id: a bookmark, or a task's end."""
    return _END.fullmatch(text) is not None or Bookmark.parse(text) is not None


def end_id(task: Task) -> str:
    """The id of a task's end. A task that is tried again ends at another time."""
    moment = task.finished_at.timestamp() if task.finished_at is not None else 0.0
    return f"end-{moment * 1000:.0f}"


class Progression:
    """What one follower of a task has been told."""

    def __init__(self, task: Task) -> None:
        self.position = START
        self._task_id = task.task_id
        self._kind = task.kind
        order = ORDER.get(task.kind, ())
        self._ranks: dict[str | None, int] = {stage: rank for rank, stage in enumerate(order)}
        self._forget()

    def _forget(self) -> None:
        self._shown: TaskState | None = None
        self._left: set[str | None] = set()  # stages that are over
        self._marks: dict[str, int] = {}  # the furthest of each unit

    def go_on_from(self, bookmark: Bookmark) -> None:
        """Take as told what a bookmark says: it may be more than the entries up to it."""
        self.position = max(self.position, bookmark.position)
        told = Progress(done=bookmark.done, unit=bookmark.unit) if bookmark.unit else None
        if told is not None:
            self._marks[told.unit] = max(self._marks.get(told.unit, 0), told.done)
        if bookmark.stage is None:
            return
        before = self._shown
        if before is None:
            # Whether it was at work is not known: what follows says so once more.
            self._shown = TaskState(TaskStatus.PENDING, bookmark.stage, 1, told)
        elif bookmark.stage != before.stage:
            self._left.add(before.stage)
            self._left.discard(bookmark.stage)
            self._shown = before._replace(stage=bookmark.stage)

    def present(self) -> TaskEvent | None:
        """The event of what was told last."""
        return self._event(TaskEventName.STATE, self._shown) if self._shown is not None else None

    def take(self, position: Position, state: TaskState) -> TaskEvent | None:
        """The event of an entry of the stream, or None where it is no news.

        The end of an earlier try is none: a task is over when the ledger says so.
        """
        if position <= self.position:
            return None
        self.position = position
        if state.status.final:
            self._forget()
            return None
        return self._news(state, certain=False)

    def look(self, state: TaskState, *, certain: bool) -> TaskEvent | None:
        """The event of a state that the ledger has, or None where it is no news.

        Args:
            state: not a final one.
            certain: whether nothing was taken since the ledger was asked, so that a state which
                seems to go back is the task's own doing.
        """
        return self._news(state, certain=certain)

    def end(self, task: Task) -> TaskEvent:
        """The last event of a task that is over."""
        return TaskEvent(
            event=TaskEventName.END,
            id=end_id(task),
            task_id=task.task_id,
            kind=task.kind,
            status=task.status,
            stage=task.stage,
            attempt=task.attempt,
            progress=self._further(task.progress),
            result=task.result,
            error=task.error,
        )

    def _news(self, state: TaskState, certain: bool) -> TaskEvent | None:
        before = self._shown
        if before is not None and not certain:
            backwards = state.status is TaskStatus.PENDING and before.status is not state.status
            if backwards or self._is_over(state.stage, before.stage):
                return None
        shown = state._replace(progress=self._progress(state, certain))
        if before is not None and before.stage == state.stage:
            # The parts of one stage each have their own count of attempts.
            shown = shown._replace(attempt=max(before.attempt, state.attempt))
        elif before is not None:
            self._left.add(before.stage)
            self._left.discard(state.stage)
        self._shown = shown
        if before is None or before[:3] != shown[:3]:
            return self._event(TaskEventName.STATE, shown)
        if _amount(before.progress) != _amount(shown.progress):
            return self._event(TaskEventName.PROGRESS, shown)
        return None

    def _is_over(self, stage: str | None, present: str | None) -> bool:
        """Whether a stage was done before the present one, as its kind's order has it or, where
        that says nothing, as it was shown."""
        if stage in self._ranks and present in self._ranks:
            return self._ranks[stage] < self._ranks[present]
        return stage != present and stage in self._left

    def _progress(self, state: TaskState, certain: bool) -> Progress | None:
        """The state's progress, unless what was shown already is further."""
        before = self._shown.progress if self._shown is not None else None
        told = state.progress
        if before is not None and not certain:
            if told is None:
                return before
            if told.unit != before.unit and told.unit in self._marks:
                return before  # late: its unit is over
            if told.unit == before.unit and told.done < before.done:
                return before
        further = self._further(told)
        if further is not None:
            self._marks[further.unit] = further.done
        return further

    def _further(self, told: Progress | None) -> Progress | None:
        if told is None or told.done >= (mark := self._marks.get(told.unit, 0)):
            return told
        return told.model_copy(update={"done": mark, "eta_seconds": None})

    def _event(self, name: TaskEventName, shown: TaskState) -> TaskEvent:
        progress = shown.progress
        unit, done = (progress.unit, progress.done) if progress else (None, 0)
        return TaskEvent(
            event=name,
            id=str(Bookmark(self.position, shown.stage, unit, done)),
            task_id=self._task_id,
            kind=self._kind,
            status=shown.status,
            stage=shown.stage,
            attempt=shown.attempt,
            progress=progress,
        )


def _amount(progress: Progress | None) -> tuple[int, int | None, str] | None:
    return (progress.done, progress.total, progress.unit) if progress is not None else None
