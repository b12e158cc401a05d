"""Tell whoever waits that a job has ended: one Redis channel a job.

Nobody relies on it: a message that gets lost costs a waiter its next look at the ledger.
"""

import redis

from flotilla.broker import get_redis
from flotilla.logging import get_logger
from flotilla.schemas import Task

logger = get_logger(__name__)


def channel(job_id: str) -> str:
    """The Redis channel on which the job's end is told."""
    return f"flotilla:job:{job_id}"


def announce(task: Task) -> None:
    """Publish the job as the API shows it."""
    try:
        get_redis().publish(channel(task.task_id), task.model_dump_json())
    except redis.RedisError as error:
        logger.warning("job.announce_failed", task_id=task.task_id, error=str(error))
