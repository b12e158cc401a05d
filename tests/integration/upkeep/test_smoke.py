"""The fleets' smoke tests leave their results, and their errors, in the ledger."""

from collections.abc import Callable
from typing import Any

import pytest

from flotilla import pipelines
from flotilla.schemas import Task, TaskError, TaskStatus
from tests.integration.upkeep.processes import Fleets


def run(fleets: Fleets, send: Callable[..., None], *arguments: Any) -> Task:
    job_id = fleets.add(kind="demo", queue="default", stage=pipelines.PROCESS)
    send(job_id, *arguments)
    return fleets.end(job_id)


@pytest.mark.parametrize(
    ("send", "arguments", "result"),
    [
        (
            pipelines.process,
            ([1, 2, 3],),
            {"processed": [1, 2, 3], "type": "list", "length": 3},
        ),
        (pipelines.process, (7,), {"processed": 7, "type": "int", "length": None}),
        (pipelines.add, (2, 3), 5),
        (pipelines.divide, (9, 2), 4.5),
        (pipelines.add_then_divide, (4, 6, 5), 2),
        (pipelines.add_and_divide, (6, 4, 3), 12),
    ],
    ids=["process", "process a number", "add", "divide", "chain", "parallel"],
)
def test_a_result_is_in_the_ledger(
    fleets: Fleets, send: Callable[..., None], arguments: tuple[Any, ...], result: Any
) -> None:
    task = run(fleets, send, *arguments)

    assert task.status is TaskStatus.COMPLETED, task
    assert task.result == result


@pytest.mark.parametrize(
    ("send", "arguments"),
    [
        (pipelines.divide, (1, 0)),
        (pipelines.add_then_divide, (1, 2, 0)),
        (pipelines.add_and_divide, (1, 2, 0)),
    ],
    ids=["alone", "chain", "parallel"],
)
def test_a_division_by_zero_is_an_error_with_advice(
    fleets: Fleets, send: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    task = run(fleets, send, *arguments)
    fleets.idle()

    assert task.status is TaskStatus.FAILED
    assert task.error == TaskError(
        stage=pipelines.DIVIDE,
        code="invalid_request",
        message="Nothing can be divided by 0: send another divisor.",
        retryable=False,
    )
    assert fleets.task(task.task_id) == task
