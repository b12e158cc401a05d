"""The reaper: what has lost its worker or its message goes on.

Leases that ran out are taken back with a higher fence. What waits for a message that no queue
holds is sent again, ahead of what is new, and costs no attempt. All of it is read from the ledger
and changed by guarded statements, so that a second reaper, or one that is killed, does no harm.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from flotilla import dispatch, pipelines
from flotilla.broker import app, queue_of
from flotilla.errors import WorkerLost
from flotilla.ledger import clock, deaths, jobs, lost_steps, recovery, spaces, turns
from flotilla.ledger.attempts import as_task_error
from flotilla.ledger.database import Database, get_database
from flotilla.ledger.endings import fail, tell
from flotilla.ledger.locks import lock_jobs
from flotilla.ledger.steps import Key
from flotilla.logging import get_logger
from flotilla.priorities import FIRST
from flotilla.redis_connections import get_redis
from flotilla.schemas import TaskStatus
from flotilla.settings import FLEETS, get_settings
from flotilla.upkeep import batches
from flotilla.upkeep.outages import OUTAGES
from flotilla.upkeep.queued import Queued, queued
from flotilla.upkeep.webhooks import send_due

logger = get_logger(__name__)

STAGED = tuple(pipelines.ORDER)
# Beat sends a message every three seconds, and a fleet that was away finds many of them.
TURN = "flotilla:reaper"
TURN_MILLISECONDS = 2000
ROUND = "flotilla:reaper:round"
ROUND_MILLISECONDS = 5000
STEADY = "flotilla:reaper:steady"
STEADY_MILLISECONDS = 8000
DEMO_EXPIRES = timedelta(minutes=10)
REMEMBERING = "flotilla:reaper:remembering"
REMEMBERING_MILLISECONDS = 15_000
CLEANING_PAUSE = timedelta(seconds=15)


@app.task(name=pipelines.REAP)
def reap() -> int:
    """Find what was lost and send it on; returns how many jobs that were."""
    if not get_redis().set(TURN, "1", nx=True, px=TURN_MILLISECONDS):
        return 0
    if not clock.known():
        return 0  # by a wrong clock everybody's lease would have run out
    get_redis().set(ROUND, "1", px=ROUND_MILLISECONDS)
    database = get_database()
    found = 0
    # Where the reaper was held up, as by a ledger that was locked, so were those who renew leases:
    # they come first.
    steady = bool(get_redis().exists(STEADY))
    if steady:
        _carry_out(_free_steps, database)
        found += _carry_out(_free_questions, database)
    found += _carry_out(_resume, database)
    found += _carry_out(_questions, database)
    for part in (_clean, batches.advance, dispatch.release, _expire, _send_deliveries, _remember):
        _carry_out(part, database)
    # The next round takes leases back in any case, however late it is.
    get_redis().set(STEADY, "1", px=STEADY_MILLISECONDS if steady else 10 * STEADY_MILLISECONDS)
    if found:
        logger.info("reap.resumed", jobs=found)
    return found


def is_overdue() -> bool:
    """Whether nobody has begun a round where beat would have asked for one. Raises RedisError."""
    return not get_redis().exists(ROUND)


def _carry_out(part: Callable[[Database], object], database: Database) -> int:
    """Do one part of a round; what goes wrong in it does not keep the others from theirs."""
    try:
        found = part(database)
    except OUTAGES:
        raise  # it would be the same for all others
    except Exception:
        logger.exception("reap.part_failed", part=getattr(part, "__name__", str(part)))
        return 0
    return found if isinstance(found, int) else 0


def _send_deliveries(_database: Database) -> None:
    send_due()


def _free_steps(database: Database) -> None:
    """Take the steps of vanished workers back; they are due at once."""
    with database.reading() as connection:
        bereft = lost_steps.jobs_of_expired(connection)
    for job_id in bereft:
        _carry_out(partial(_free_steps_of, job_id), database)


def _free_steps_of(job_id: str, database: Database) -> None:
    with database.writing() as connection:
        lock_jobs(connection, [job_id])
        freed = lost_steps.free_expired(connection, job_id)
        ended = [deaths.note_death(connection, each, LOST) for each in freed]
    for each in freed:
        logger.warning("reap.lease_expired", task_id=job_id, stage=each.key.stage)
    for task in ended:
        if task is not None:
            tell(database, task)


LOST = WorkerLost("The worker vanished while it had this; another one goes on with it.")


def _resume(database: Database) -> int:
    with database.reading() as connection:
        lost = set(recovery.due(connection, STAGED))
        overdue = recovery.overdue(connection, STAGED)
        silent = recovery.silent(connection, STAGED)
    wanted = {job.id: job for job in silent}
    if overdue or silent:
        present = _present()
        lost.update(key for key in overdue if key not in present.keys)
        wanted = {job_id: job for job_id, job in wanted.items() if job_id not in present.job_ids}
    with database.reading() as connection:
        for key in lost:
            if key.job_id not in wanted:
                job = jobs.get(connection, key.job_id)
                if job is not None and job.kind in pipelines.ORDER:
                    wanted[job.id] = job
    by_job: dict[str, set[Key]] = {}
    for key in lost:
        by_job.setdefault(key.job_id, set()).add(key)
    return sum(_resumed(database, job, by_job.get(job_id, set())) for job_id, job in wanted.items())


def _resumed(database: Database, job: jobs.Job, lost: set[Key]) -> bool:
    try:
        return dispatch.resume(database, job, lost, FIRST)
    except OUTAGES:
        raise  # it would be the same for all others
    except Exception:  # one that cannot be sent does not keep the others waiting
        logger.exception("reap.not_resumed", task_id=job.id, stage=job.stage)
        return False


def _present() -> Queued:
    return queued(FLEETS)


def _free_questions(database: Database) -> int:
    with database.writing() as connection:
        freed = recovery.free_replies(connection)
    hopeless = get_settings().job.max_losses
    for each in freed:
        if each.losses >= hopeless:
            error = WorkerLost(
                f"{each.losses} workers vanished while they had this question: check the fleet, "
                "then ask again."
            )
            fail(database, each.job.id, as_task_error(each.job.stage, error), each.fence)
        else:
            _ask_again(database, each.job)
    return len(freed)


def _questions(database: Database) -> int:
    with database.reading() as connection:
        waiting = recovery.unanswered(connection)
    if waiting:
        present = _present()
        waiting = [job for job in waiting if job.id not in present.job_ids]
        for job in waiting:
            _ask_again(database, job)
    return len(waiting)


def _ask_again(database: Database, job: jobs.Job) -> None:
    with database.writing() as connection:
        recovery.mark_sent(connection, job.id)
    dispatch.send(database, job, FIRST)


def _clean(database: Database) -> None:
    with database.writing() as connection:
        left = recovery.uncleaned(connection, CLEANING_PAUSE)
    if left:  # a fleet that is away for a night finds one message of each
        present = _present()
        for job_id in left:
            cleaning = {Key(job_id, pipelines.FAIL), Key(job_id, pipelines.DISCARD)}
            if not cleaning & present.keys:
                pipelines.fail(job_id)


def _expire(database: Database) -> None:
    """End smoke tests that nobody began, or whose worker vanished: they hold no lease.

    A question may wait as long as it has to; what it has lost is sent again.
    """
    with database.reading() as connection:
        old = recovery.expired(connection, ("demo",), DEMO_EXPIRES)
    for job in old:
        pending = job.status is TaskStatus.PENDING
        error = WorkerLost(
            f"Nobody {'began' if pending else 'ended'} this task in time: check that workers of "
            f"the fleet {queue_of(job.stage)!r} are up, then send it again."
        )
        fail(database, job.id, as_task_error(job.stage, error))


def _remember(database: Database) -> None:
    """Have turns remembered that the worker which wrote them has not, or another embedding model.

    The message is as good as any: whoever takes it goes through all of them.
    """
    if not get_redis().set(REMEMBERING, "1", nx=True, px=REMEMBERING_MILLISECONDS):
        return
    with database.reading() as connection:
        there = spaces.undropped(connection)
        lost = there and turns.unremembered(connection, there[0].id, limit=1)
    if lost:
        pipelines.remember()
