"""Tell whoever waits that a job has ended, and whoever watches.

Each job has a Redis channel, and each gateway process has one for the jobs that it awaits itself.
Nobody relies on them: a message that gets lost costs a waiter its next look at the ledger.

A message is two lines of JSON: the job as the API shows it, without its result, and the result. A
waiter that only hands the result on does not have to read it.
"""

import json

import redis

from flotilla.ledger import task_events
from flotilla.logging import get_logger
from flotilla.schemas import Task

logger = get_logger(__name__)


def channel(job_id: str) -> str:
    """The Redis channel on which the job's end is told."""
    return f"flotilla:job:{job_id}"


def announce(task: Task, result: str | None = None, reply_to: str | None = None) -> None:
    """Publish that a job has ended. Best effort: no error leaves it, a Redis that does not answer
    costs a second at most, and then nothing for a while, however many jobs end.

    Args:
        task: the job as the API shows it; of one that goes on (a batch whose member has ended) only
            its event stream gets to know.
        result: its result as JSON; `task.result` when not given.
        reply_to: the channel of a gateway that awaits it.
    """
    if not task.status.final:
        task_events.tell(task)
        return
    if task_events.is_resting():
        return
    text = result if result is not None else json.dumps(task.result, ensure_ascii=False)
    message = f"{task.model_dump_json(exclude={'result'})}\n{text}"
    try:
        pipe = task_events.client().pipeline(transaction=False)
        pipe.publish(channel(task.task_id), message)
        if reply_to is not None:
            pipe.publish(reply_to, message)
        else:
            # A question that somebody awaits is watched by nobody else, and there may be hundreds a
            # second. Should it be watched all the same, the ledger tells.
            task_events.add(pipe, task)
        pipe.execute()
    except (redis.RedisError, OSError) as error:
        task_events.rest()
        logger.warning("job.announce_failed", task_id=task.task_id, error=str(error))
