"""The fleets' smoke tests, and how their tasks end."""

import time

import pytest

from flotilla.client import Flotilla
from flotilla.schemas import Task, TaskAccepted
from tests.acceptance.stack import PATIENCE, Stack


def ended(client: Flotilla, accepted: TaskAccepted) -> Task:
    return client.wait(accepted.task_id, timeout=PATIENCE)


def test_each_gives_its_result(client: Flotilla) -> None:
    accepted = {
        "process": client.smoke_process("hello fleet"),
        "add": client.smoke_add(2, 3),
        "divide": client.smoke_divide(10, 4),
        "chain": client.smoke_chain(2, 3, 2),
        "parallel": client.smoke_parallel(8, 2, 4),
    }
    results = {name: ended(client, each) for name, each in accepted.items()}
    assert {task.status.value for task in results.values()} == {"completed"}
    assert {name: task.result for name, task in results.items()} == {
        "process": {"processed": "hello fleet", "type": "str", "length": 11},
        "add": 5,
        "divide": 2.5,
        "chain": 2.5,
        "parallel": 12,
    }


@pytest.mark.parametrize("workflow", ["divide", "chain", "parallel"])
def test_a_division_by_zero_is_a_typed_error(client: Flotilla, workflow: str) -> None:
    accepted = {
        "divide": lambda: client.smoke_divide(1, 0),
        "chain": lambda: client.smoke_chain(1, 2, 0),
        "parallel": lambda: client.smoke_parallel(1, 2, 0),
    }[workflow]()
    task = ended(client, accepted)
    assert task.status == "failed"
    assert task.result is None
    assert task.error is not None
    assert task.error.code == "invalid_request"
    assert task.error.stage == "upkeep.divide"
    assert "divisor" in task.error.message
    assert not task.error.retryable
    assert task.finished_at is not None


def test_a_wait_ends_with_the_task(stack: Stack, client: Flotilla) -> None:
    with stack.halted("default-1"):
        accepted = client.smoke_add(1, 2)
        assert client.task(accepted.task_id, wait=0.2).status == "pending"
    began = time.monotonic()
    task = client.task(accepted.task_id, wait=50)
    heard = time.monotonic() - began
    assert task.status == "completed"
    # The announcement wakes the request; looking at the ledger again is the fallback.
    assert heard < 20
