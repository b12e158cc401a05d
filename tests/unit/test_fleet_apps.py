"""What each fleet's worker is set up with; read in a process of its own, which has one app."""

import functools
import json
import subprocess
import sys
from typing import Any

import pytest

from flotilla.settings import FLEETS

READ = """
import json, sys
from flotilla import broker

fleet = sys.argv[1]
recycled, started = [], []

class Worker:
    exitcode = 0
    def __init__(self, **options): started.append(options["queues"])
    def start(self): pass

broker.recycle = lambda *limits: recycled.append(limits)
broker.app.Worker = Worker
try:
    broker.run_worker(fleet)
except SystemExit:
    pass
conf = broker.app.conf
print(json.dumps({
    "queues": started,
    "transport": {key: str(value) for key, value in conf.broker_transport_options.items()},
    "recycled": recycled,
    "children": [conf.worker_max_tasks_per_child, conf.worker_max_memory_per_child],
    "limits": [conf.task_soft_time_limit, conf.task_time_limit],
}))
"""


@functools.cache
def setup_of(fleet: str) -> dict[str, Any]:
    command = [sys.executable, "-c", READ, fleet]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    setup: dict[str, Any] = json.loads(found.stdout)
    return setup


def test_no_fleet_gives_back_the_messages_of_another() -> None:
    """The one with the shortest timeout would take work from the others that is under way."""
    transports = {fleet: setup_of(fleet)["transport"] for fleet in FLEETS}
    for key in ("unacked_key", "unacked_index_key", "unacked_mutex_key"):
        assert len({transport[key] for transport in transports.values()}) == len(FLEETS)
    timeouts = {fleet: int(each["visibility_timeout"]) for fleet, each in transports.items()}
    assert timeouts == {"document": 600, "vectorstore": 600, "rag": 300, "default": 300}


def test_children_that_read_foreign_bytes_are_limited_and_replaced() -> None:
    setup = setup_of("document")
    tasks, memory = setup["children"]
    soft, hard = setup["limits"]
    assert tasks > 0
    assert memory > 0
    assert 0 < soft < hard < int(setup["transport"]["visibility_timeout"])
    assert setup["recycled"] == []


@pytest.mark.parametrize("fleet", ["vectorstore", "rag", "default"])
def test_workers_of_threads_are_recycled_by_memory_and_count(fleet: str) -> None:
    setup = setup_of(fleet)
    [[memory, tasks]] = setup["recycled"]
    assert memory > 0
    assert tasks > 0
    assert setup["queues"] == [fleet]
