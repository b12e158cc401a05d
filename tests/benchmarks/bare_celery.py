"""The plainest Celery there is: one task that does nothing. The baseline of a round trip.

Run by `celery -A tests.benchmarks.bare_celery worker`, with BENCH_REDIS_URL in the environment.
"""

import os

from celery import Celery

address = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/2")
app = Celery("bare", broker=address, backend=address)


@app.task(name="bare.nothing")
def nothing(data: str) -> str:
    """Hand the data back."""
    return data
