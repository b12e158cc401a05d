"""Enqueueing: how many questions a second one gateway process takes in."""

import sys
import time

import psutil
import redis

from flotilla.broker import create_app
from flotilla.ledger.database import upgrade
from flotilla.local.stack.options import LOOPBACK, Ports
from flotilla.local.stack.ports import choose_ports
from flotilla.local.stack.readiness import http_get
from flotilla.pipelines import ANSWER
from flotilla.settings import child_environment, load_settings
from tests.benchmarks.corpus import questions
from tests.benchmarks.load import run_load
from tests.benchmarks.report import Outcome, Row, median, spread
from tests.benchmarks.stack import Stack, child, progress

GOAL = 1000.0  # requests a second
CONNECTIONS = 64
DATABASE = 1  # of the stack's Redis, where no worker listens
PATIENCE = 60.0


def run(stack: Stack, quick: bool) -> Outcome:
    """A gateway of its own, with a ledger and a Redis database of its own and no workers."""
    count, rounds = (1000, 1) if quick else (5000, 3)
    folder = stack.data / "enqueueing"
    address = stack.settings.redis_url.rpartition("/")[0] + f"/{DATABASE}"
    settings = stack.settings.model_copy(update={"data": folder, "redis_url": address})
    upgrade(settings)
    port = choose_ports(Ports(gateway=0), LOOPBACK).gateway
    environment = child_environment(
        {
            "FLOTILLA_DATA": str(folder),
            "REDIS_URL": address,
            "QDRANT_URL": settings.qdrant.url,
        }
    )
    command = [sys.executable, "-m", "flotilla", "gateway", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    rates: list[float] = []
    cpu: list[float] = []
    sent: list[float] = []
    errors = 0
    outcome = Outcome()
    with redis.Redis.from_url(address) as queue:
        try:
            with child(command, environment, stack.data / "logs" / "enqueueing.log") as pid:
                _await_ready(url)
                gateway = psutil.Process(pid)
                run_load(f"{url}/rag/query", _bodies(500, 300), CONNECTIONS)
                for number in range(rounds):
                    bodies = _bodies(count, 301 + number)
                    waiting = queue.llen("rag")
                    before = gateway.cpu_times()
                    load = run_load(f"{url}/rag/query", bodies, CONNECTIONS)
                    after = gateway.cpu_times()
                    lost = count - (queue.llen("rag") - waiting) - load.errors
                    assert lost <= 0, f"{lost} accepted questions are not in the queue"
                    used = after.user + after.system - before.user - before.system
                    rates.append(load.rate)
                    cpu.append(1000 * used / count)
                    errors += load.errors
                    if load.first_error:
                        outcome.notes.append(f"first error: {load.first_error}")
                    sent.append(_bare_rate(address, count))
                    progress(f"enqueueing: {rates[-1]:.0f}/s, {cpu[-1]:.2f} ms of CPU each")
        finally:
            queue.flushdb()
    outcome.rows = [
        Row(
            f"enqueueing, {CONNECTIONS} connections, {errors or 'no'} errors",
            spread(rates, 0, "/s"),
            spread(sent, 0, "/s") + ", bare send_task",
            f"{median(rates) / median(sent):.2f}",
            f"≥ {GOAL:,.0f}/s",
            median(rates) >= GOAL and not errors,
        ),
        Row("enqueueing, CPU of the gateway a request", spread(cpu, 2, "ms")),
    ]
    outcome.values = {"rates": rates, "cpu_ms": cpu, "bare_rates": sent, "errors": errors}
    return outcome


def _bodies(count: int, seed: int) -> list[dict[str, str]]:
    return [{"question": question} for question in questions(count, seed)]


def _bare_rate(address: str, count: int) -> float:
    """Messages a second that Celery alone sends from one thread, without HTTP and a ledger."""
    settings = load_settings().model_copy(update={"redis_url": address})
    with create_app(settings) as app:
        app.send_task(ANSWER, args=["warm up"])
        began = time.perf_counter()
        for number in range(count):
            app.send_task(ANSWER, args=[str(number)])
        return count / (time.perf_counter() - began)


def _await_ready(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if http_get(f"{url}/health/live") is not None:
            return
        time.sleep(0.05)
    raise TimeoutError(f"the gateway at {url} did not start")
