"""What a worker knows of the death of its own processes, written down where the reaper reads it.

Celery's parent process sees a child end, by a signal or at the hard time limit. A fault of the
work itself (a crash in a library, memory, time) counts against the document; a signal from outside
does not. When the whole worker dies nobody is left to tell, and its leases run out.
"""

import re
from pathlib import Path
from typing import Any

from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]
from billiard.exceptions import WorkerLostError
from celery.worker.request import Request
from sqlalchemy import Connection

from flotilla.errors import (
    Crashed,
    DependencyUnavailable,
    FlotillaError,
    OutOfMemory,
    Quarantined,
    TimeLimit,
    WorkerLost,
)
from flotilla.ledger import lost_steps, steps
from flotilla.ledger.attempts import as_task_error
from flotilla.ledger.database import Database, get_database
from flotilla.ledger.endings import fail_in, tell
from flotilla.ledger.locks import lock_jobs
from flotilla.logging import get_logger
from flotilla.schemas import Task
from flotilla.settings import get_settings

logger = get_logger(__name__)

# With this a child ends itself when its task has taken too much memory.
OUT_OF_MEMORY_EXIT = 78
# Faults of the process itself; SIGKILL and SIGTERM come from outside, but for the kernel's OOM
# killer, which leaves a count.
CRASHES = {
    4: "an illegal instruction",
    5: "a trap",
    6: "an abort",
    7: "a bus error",
    8: "an arithmetic fault",
    11: "a segmentation fault",
}
SIGKILL = 9

# Where Linux counts the victims of its OOM killer: in the container's group, or on the machine.
OOM_COUNTS = (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat"))


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory, as far as can be seen."""
    for path in OOM_COUNTS:
        try:
            found = re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE)
        except OSError:
            continue
        if found is not None:
            return int(found[1])
    return 0


class WatchedRequest(Request):
    """A task's message in the parent process of a prefork worker."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._oom_kills = oom_kills()

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):  # as it comes from another process
            error = error.exc
        if isinstance(error, WorkerLostError | SystemExit):
            # Celery is about to put the message back, and it goes first (`priorities`).
            self._report(cause_of(str(error), oom_kills() > self._oom_kills), sent=True)
        return super().on_failure(exc_info, *args, **kwargs)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        if not soft:
            error = TimeLimit(
                f"The work was ended after {timeout:g} seconds, which is this fleet's limit."
            )
            self._report(error, sent=False)
        return super().on_timeout(soft, timeout)

    def _report(self, cause: FlotillaError, sent: bool) -> None:
        arguments = tuple(self.args or ())
        if not arguments or self.worker_pid is None:
            return
        part = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], int) else 0
        key = steps.Key(str(arguments[0]), str(self.name), part)
        owner = f"{self.hostname}:{self.worker_pid}"
        try:
            report_death(get_database(), key, owner, cause, sent=sent)
        except DependencyUnavailable as error:  # the lease runs out in its own time
            logger.warning("death.not_reported", error=str(error))


def cause_of(message: str, oom_killed: bool) -> FlotillaError:
    """What ended a child, from Celery's words for its exit.

    WorkerLost says that it was nothing of the document's doing.
    """
    found = re.search(r"signal (\d+)", message)
    signal = int(found[1]) if found else None
    if f"exitcode {OUT_OF_MEMORY_EXIT}" in message or (signal == SIGKILL and oom_killed):
        return OutOfMemory("The work took more memory than there is for one document.")
    if signal in CRASHES:
        return Crashed(f"The process that worked on this was ended by {CRASHES[signal]}.")
    return WorkerLost("The process that worked on this was ended from outside.")


def report_death(
    database: Database, key: steps.Key, owner: str, cause: FlotillaError, *, sent: bool
) -> None:
    """Take the step from its dead holder, and set the document aside if it was once too often.

    Args:
        database: the ledger.
        key: the step.
        owner: the dead process, as it named itself when it began.
        cause: WorkerLost, or what of the work itself it was.
        sent: whether its message is in the broker again.
    """
    own_doing = not isinstance(cause, WorkerLost)
    with database.writing() as connection:
        lock_jobs(connection, [key.job_id])
        freed = lost_steps.free_of(connection, key, owner, own_doing=own_doing, sent=sent)
        ended = note_death(connection, freed, cause) if freed is not None else None
    if freed is not None:
        logger.warning("death.reported", task_id=key.job_id, stage=key.stage, cause=cause.code)
    if ended is not None:
        tell(database, ended)


def note_death(
    connection: Connection, freed: lost_steps.Freed, cause: FlotillaError
) -> Task | None:
    """Keep what has become of a step's holder, and end its job if it has cost too many workers.

    In the transaction that has freed the step: from its end on another worker may have it, and
    its job is not to fail under that one. Returns the job if this ended it, to be told of.
    """
    stage = freed.key.stage
    steps.record_failure(
        connection, freed.key, freed.attempts, freed.owner, as_task_error(stage, cause)
    )
    hopeless = _hopeless(freed, cause)
    if hopeless is None:
        return None
    return fail_in(connection, freed.key.job_id, as_task_error(stage, hopeless))


def _hopeless(freed: lost_steps.Freed, cause: FlotillaError) -> FlotillaError | None:
    settings = get_settings().job
    if freed.kills >= settings.max_kills:
        return Quarantined(
            f"The document was set aside: {freed.kills} times its worker was lost over it. The "
            f"last time: {cause.message} Repair the file, or send the task again to try once more."
        )
    if freed.losses >= settings.max_losses:
        return WorkerLost(
            f"{freed.losses} workers vanished while they had this stage: check the fleet, then "
            "send the task again."
        )
    return None
