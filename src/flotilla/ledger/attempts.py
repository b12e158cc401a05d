"""What becomes of an attempt that failed: how it is told, and when the next one is."""

import random

from flotilla.errors import FlotillaError
from flotilla.schemas import TaskError
from flotilla.settings import JobSettings


def as_task_error(stage_name: str, error: Exception) -> TaskError:
    """What the user is told of an error; the text of an unexpected one stays in the log."""
    if isinstance(error, FlotillaError):
        return TaskError(
            stage=stage_name,
            code=error.code,
            message=error.message,
            retryable=error.retryable,
            retry_after=error.retry_after,
        )
    return TaskError(
        stage=stage_name,
        code=FlotillaError.code,
        message=f"An internal error ({type(error).__name__}) ended this stage: the worker's log "
        "has the details under this task id.",
        retryable=isinstance(error, ConnectionError | TimeoutError),
    )


LONGEST_WAIT = 3600.0
"""Seconds that a job waits at most before its next attempt, whatever it was asked to: a server that
wants to be left alone for longer is asked again after that, and a job comes to its end in hours."""


def backoff(settings: JobSettings, attempt: int, retry_after: float | None) -> float:
    """Seconds until the next attempt: exponential with full jitter, counted from Retry-After (of
    which at most LONGEST_WAIT is obeyed), so that a thousand that were told the same do not come
    back at once.

    Full jitter as in Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
    """
    ceiling = min(settings.backoff_cap, settings.backoff_base * 2.0 ** min(attempt - 1, 60))
    asked = retry_after if retry_after is not None and retry_after > 0 else 0.0  # nan is neither
    return min(asked, LONGEST_WAIT) + random.uniform(0, ceiling)
