"""The queue itself: the round trip of a task that does nothing, through the API and without it."""

import http.client
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import redis
from celery import Celery

from flotilla.settings import child_environment
from tests.benchmarks.report import Outcome, Row, median
from tests.benchmarks.stack import Stack, child, progress

DATABASE = 2  # of the stack's Redis, for the bare worker
WARM_UP = 20
PATIENCE = 60.0


def run(stack: Stack, quick: bool) -> Outcome:
    """POST /tasks/process and wait for its end; against `delay().get()` on a bare worker."""
    count = 50 if quick else 200
    ours = _round_trips(stack.gateway, count + WARM_UP)[WARM_UP:]
    theirs = _bare_round_trips(stack, count + WARM_UP)[WARM_UP:]
    p50 = median(ours), median(theirs)
    progress(f"no-op round trip: {p50[0]:.1f} ms against {p50[1]:.1f} ms")
    row = Row(
        f"no-op task, 1 client, p50 of {count}",
        f"{p50[0]:.1f} ms",
        f"{p50[1]:.1f} ms, bare Celery",
        f"{p50[0] - p50[1]:+.1f} ms",
    )
    return Outcome([row], values={"stack_ms": ours, "bare_ms": theirs})


def _round_trips(gateway: str, count: int) -> list[float]:
    connection = http.client.HTTPConnection(urlsplit(gateway).netloc, timeout=PATIENCE)

    def reply(method: str, path: str, body: Any = None) -> Any:
        encoded = None if body is None else json.dumps(body).encode()
        connection.request(method, path, encoded, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())

    latencies = []
    for number in range(count):
        began = time.perf_counter()
        task_id = reply("POST", "/tasks/process", {"data": str(number)})["task_id"]
        task = reply("GET", f"/tasks/{task_id}?wait=30")
        latencies.append(1000 * (time.perf_counter() - began))
        assert task["status"] == "completed", task
    connection.close()
    return latencies


def _bare_round_trips(stack: Stack, count: int) -> list[float]:
    address = stack.settings.redis_url.rpartition("/")[0] + f"/{DATABASE}"
    module = "tests.benchmarks.bare_celery"
    command = [sys.executable, "-m", "celery", "-A", module, "worker", "--pool", "threads"]
    command += ["--concurrency", "4", "--without-gossip", "--without-mingle"]
    environment = child_environment({"BENCH_REDIS_URL": address})
    app = Celery("bare", broker=address, backend=address)
    latencies = []
    try:
        with child(command, environment, stack.data / "logs" / "bare-celery.log"), app:
            # The first one waits until the worker is there.
            app.send_task("bare.nothing", args=["warm up"]).get(timeout=PATIENCE)
            for number in range(count):
                began = time.perf_counter()
                app.send_task("bare.nothing", args=[str(number)]).get(timeout=PATIENCE)
                latencies.append(1000 * (time.perf_counter() - began))
    finally:
        with redis.Redis.from_url(address) as client:
            client.flushdb()
    return latencies
