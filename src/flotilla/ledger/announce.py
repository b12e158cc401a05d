"""Tell whoever waits that a job has ended.

Each job has a Redis channel, and each gateway process has one for the jobs that it awaits itself.
Nobody relies on them: a message that gets lost costs a waiter its next look at the ledger.

A message is two lines of JSON: the job as the API shows it, without its result, and the result. A
waiter that only hands the result on does not have to read it.
"""

import json

import redis

from flotilla.broker import get_redis
from flotilla.logging import get_logger
from flotilla.schemas import Task

logger = get_logger(__name__)


def channel(job_id: str) -> str:
    """The Redis channel on which the job's end is told."""
    return f"flotilla:job:{job_id}"


def announce(task: Task, result: str | None = None, reply_to: str | None = None) -> None:
    """Publish that a job has ended.

    Args:
        task: the job as the API shows it.
        result: its result as JSON; `task.result` when not given.
        reply_to: the channel of a gateway that awaits it.
    """
    text = result if result is not None else json.dumps(task.result, ensure_ascii=False)
    message = f"{task.model_dump_json(exclude={'result'})}\n{text}"
    try:
        pipe = get_redis().pipeline(transaction=False)
        pipe.publish(channel(task.task_id), message)
        if reply_to is not None:
            pipe.publish(reply_to, message)
        pipe.execute()
    except redis.RedisError as error:
        logger.warning("job.announce_failed", task_id=task.task_id, error=str(error))
