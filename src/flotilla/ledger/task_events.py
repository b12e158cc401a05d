"""A task's states as they follow one another, in a Redis stream of its own for those who watch.

Nobody relies on it: the stream is told after the ledger has committed, may be lost at any time,
and a reader looks at the ledger again and again. What one reader was told it never takes back:
several processes work on one task, and what one of them tells late would show the task going back.

An entry of the stream has the fields `status`, `stage`, `attempt`, `done`, `total`, `unit` and
`eta`, each a text that is empty where there is nothing to tell.
"""

import functools
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Connection, select

from flotilla.ledger.job_views import PROGRESS_COLUMNS, progress_of
from flotilla.ledger.tables import JOBS
from flotilla.logging import get_logger
from flotilla.schemas import Progress, Task, TaskStatus
from flotilla.settings import get_settings

logger = get_logger(__name__)

KEPT_ENTRIES = 256  # of one stream; a reader that was away for longer begins at the present state
OPEN_SECONDS = 3600  # for which a stream is kept after its last entry
ENDED_SECONDS = 120  # for which it is kept after the task's end: readers that reconnect may need it
FASTEST = 0.2  # seconds between two events of one process that tell of more progress alone
WATCHED_JOBS = 4096  # of which one process remembers when it last told
LARGEST_QUERY = 500  # jobs that one statement asks for
SILENCE = 3.0  # seconds for which nothing is told after Redis did not answer


def key(job_id: str) -> str:
    """The key of a job's stream."""
    return f"flotilla:events:{job_id}"


class TaskState(NamedTuple):
    """What an event shows of a task; two that are equal show the same."""

    status: TaskStatus
    stage: str | None
    attempt: int
    progress: Progress | None


def state_of(task: Task) -> TaskState:
    """The state that a task is in."""
    return TaskState(task.status, task.stage, task.attempt, task.progress)


def write(state: TaskState) -> dict[str, str]:
    """The fields of the stream's entry for a state."""
    progress = state.progress
    return {
        "status": state.status.value,
        "stage": state.stage or "",
        "attempt": str(state.attempt),
        "done": str(progress.done) if progress else "",
        "total": str(progress.total) if progress and progress.total is not None else "",
        "unit": progress.unit if progress else "",
        "eta": str(progress.eta_seconds) if progress and progress.eta_seconds is not None else "",
    }


def read(fields: Mapping[str, str]) -> TaskState | None:
    """The state that an entry's fields tell, or None where another release has written them."""
    try:
        progress = None
        if fields["unit"]:
            progress = Progress(
                done=int(fields["done"]),
                total=int(fields["total"]) if fields["total"] else None,
                unit=fields["unit"],
                eta_seconds=float(fields["eta"]) if fields["eta"] else None,
            )
        return TaskState(
            TaskStatus(fields["status"]), fields["stage"] or None, int(fields["attempt"]), progress
        )
    except (KeyError, ValueError):
        return None


def states(connection: Connection, job_ids: Sequence[str]) -> dict[str, TaskState]:
    """The states of these jobs as the ledger has them.

    A job that is not there is left out, and so is one that a newer release has written: whoever
    follows others is not to miss theirs.
    """
    jobs = JOBS.c
    columns = (jobs.id, jobs.status, jobs.stage, jobs.attempt, *PROGRESS_COLUMNS)
    found: dict[str, TaskState] = {}
    for start in range(0, len(job_ids), LARGEST_QUERY):
        part = job_ids[start : start + LARGEST_QUERY]
        for row in connection.execute(select(*columns).where(jobs.id.in_(part))):
            try:
                status = TaskStatus(row.status)
            except ValueError:
                continue
            found[row.id] = TaskState(status, row.stage, row.attempt, progress_of(row))
    return found


def add(pipe: "redis.client.Pipeline", task: Task) -> None:
    """Have a pipeline write the task's state into its stream."""
    name = key(task.task_id)
    seconds = ENDED_SECONDS if task.status.final else OPEN_SECONDS
    entry: dict[Any, Any] = dict(write(state_of(task)))
    pipe.xadd(name, entry, maxlen=KEPT_ENTRIES, approximate=True)
    pipe.expire(name, seconds)


def tell(task: Task) -> None:
    """Write the task's state into its stream, once the ledger has committed it.

    Best effort: no error leaves it, a Redis that does not answer costs a second at most, and then
    nothing for a while. Of a process that only tells of more progress, about five events a second
    are written; the last one of a unit always is.
    """
    if not _pace.permits(task):
        return
    try:
        pipe = client().pipeline(transaction=False)
        add(pipe, task)
        pipe.execute()
    except (redis.RedisError, OSError) as error:
        _pace.rest()
        logger.warning("events.not_told", task_id=task.task_id, error=str(error))


def is_resting() -> bool:
    """Whether Redis did not answer a moment ago, so that it is spared, and whoever works too."""
    return _pace.is_resting()


def rest() -> None:
    """Tell nothing for a while: Redis does not answer."""
    _pace.rest()


def client() -> redis.Redis:
    """The process's connections for what need not arrive: they give up after a second."""
    return _client(os.getpid())


@functools.lru_cache(maxsize=1)
def _client(_pid: int) -> redis.Redis:
    # A frozen Redis must not hold up whoever does the work, and what is lost is found in the
    # ledger.
    return redis.Redis.from_url(
        get_settings().redis_url,
        decode_responses=True,
        socket_connect_timeout=1,
        socket_timeout=1,
        # Once more where the server has closed an idle connection, never where it is silent.
        retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
    )


class Pace:
    """When a process has told what of its jobs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: OrderedDict[str, tuple[tuple[Any, ...], float]] = OrderedDict()
        self._silent_until = 0.0

    def permits(self, task: Task) -> bool:
        """Whether the task's state is to be told now; what is permitted counts as told."""
        progress = task.progress
        unit = progress.unit if progress else None
        last = progress is not None and progress.done == progress.total
        shown = (task.status, task.stage, task.attempt, unit, last)
        moment = time.monotonic()
        with self._lock:
            if moment < self._silent_until:
                return False
            before, told_at = self._told.get(task.task_id, (None, 0.0))
            if before == shown and moment - told_at < FASTEST:
                return False
            self._told[task.task_id] = (shown, moment)
            self._told.move_to_end(task.task_id)
            if len(self._told) > WATCHED_JOBS:
                self._told.popitem(last=False)
            return True

    def is_resting(self) -> bool:
        """Whether nothing is told at the moment."""
        with self._lock:
            return time.monotonic() < self._silent_until

    def rest(self) -> None:
        """Tell nothing for a while: Redis does not answer."""
        with self._lock:
            self._silent_until = time.monotonic() + SILENCE


_pace = Pace()
