"""Whom a row hits: somebody who works, and not what is left of the dead."""

import os
import random
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos.ledger import StepState
from tests.chaos.trial import Trial

GONE = 2**22 + 1  # above what the kernel gives out
MINE = os.getpid()


def claimed(*owners: str) -> Trial:
    """A trial over a stack in which these have work."""
    steps = [StepState(o, "upkeep.finish", 0, "running", 1, 1, o) for o in owners]
    ledger = SimpleNamespace(running=lambda *_: steps, answering=lambda _: [])
    up = {"default-1", "default-2"}
    stack: Any = SimpleNamespace(
        ledger=ledger, workers=lambda *_: sorted(up), takes_work=lambda _, name: name in up
    )
    submission: Any = SimpleNamespace(over=False)
    return Trial(stack, submission, SimpleNamespace(), "any", random.Random(1), print)  # type: ignore[arg-type]


def test_what_a_dead_worker_has_claimed_does_not_make_its_successor_one_that_works() -> None:
    trial = claimed(f"default-1@vm:{GONE}", f"default-2@vm:{MINE}")
    assert trial.owners(("upkeep.",)) == {f"default-2@vm:{MINE}"}
    assert {trial.await_claim(("upkeep.",)) for _ in range(20)} == {"default-2"}


def test_workers_that_the_supervisor_does_not_know_are_not_aimed_at() -> None:
    trial = claimed(f"default-ahead@vm:{MINE}", f"default-1@vm:{MINE}")
    assert {trial.await_claim(("upkeep.",)) for _ in range(20)} == {"default-1"}


@pytest.mark.parametrize("others", [True, False])
def test_the_only_worker_of_a_fleet_that_takes_work_is_left_alone(others: bool) -> None:
    trial = claimed()
    trial.stack.takes_work = lambda _, name: others and name == "default-2"  # type: ignore[method-assign]
    assert trial.has_other("default-1") is others
    assert not trial.has_other("default-2")
