"""What makes a row of the kill matrix a clean one: a matrix of clean rows is to say something."""

from collections import Counter

import pytest

from tests.chaos.interventions import BATCH, false_count
from tests.chaos.verdict import LONGEST_LEASE, LONGEST_RECOVERY, Verdict


def weighed(allowance: float = 1.0, **values: object) -> Verdict:
    values = {"disturbances": Counter({"SIGKILL rag-1": 3})} | values
    verdict = Verdict("rag", 1, **values)  # type: ignore[arg-type]
    verdict.weigh(allowance)
    return verdict


def test_a_row_that_found_nothing_to_complain_of_is_clean() -> None:
    assert weighed(lease=LONGEST_LEASE, stalled=LONGEST_RECOVERY, recovery=90.0).clean


@pytest.mark.parametrize("idle", [Counter({"SIGKILL rag-1": 3}), Counter({"SIGKILL rag-1": 4})])
def test_a_row_that_met_no_open_work_is_not_clean(idle: Counter[str]) -> None:
    assert not weighed(idle=idle).clean
    assert weighed(idle=Counter({"SIGKILL rag-1": 2})).clean


def test_a_row_that_did_nothing_is_not_clean() -> None:
    assert not weighed(disturbances=Counter()).clean


@pytest.mark.parametrize(
    "measured", [{"lease": LONGEST_LEASE + 0.1}, {"stalled": LONGEST_RECOVERY + 0.1}]
)
def test_a_recovery_that_took_too_long_is_not_clean_but_where_the_machine_is_busy(
    measured: dict[str, float],
) -> None:
    assert not weighed(**measured).clean
    assert weighed(allowance=2.0, **measured).clean


def test_a_row_that_was_skipped_is_not_clean() -> None:
    assert not Verdict("clock", 1, skipped="libfaketime is missing").clean


GOOD = len(BATCH) - 1


def told(completed: int, failed: int) -> dict[str, int]:
    documents = completed + failed
    return {"documents": documents, "completed": completed, "failed": failed, "cancelled": 0}


@pytest.mark.parametrize(
    ("status", "result", "members"),
    [
        ("partial", told(GOOD, 1), {"completed": GOOD, "failed": 1}),
        ("completed", told(GOOD + 1, 0), {"completed": GOOD + 1}),
    ],
)
def test_a_batch_with_true_counts(
    status: str, result: dict[str, int], members: dict[str, int]
) -> None:
    assert false_count(status, result, members) is None


@pytest.mark.parametrize(
    ("status", "result", "members"),
    [
        ("completed", told(GOOD, 1), {"completed": GOOD, "failed": 1}),
        ("partial", told(GOOD + 1, 1), {"completed": GOOD, "failed": 1}),
        ("partial", told(GOOD + 1, 0), {"completed": GOOD, "failed": 1}),
        ("partial", told(GOOD - 1, 2), {"completed": GOOD - 1, "failed": 2}),
        ("partial", told(GOOD - 1, 1), {"completed": GOOD - 1, "failed": 1}),
        ("partial", told(GOOD, 1), {"completed": GOOD, "failed": 1, "processing": 1}),
    ],
)
def test_a_batch_with_false_counts(
    status: str, result: dict[str, int], members: dict[str, int]
) -> None:
    assert false_count(status, result, members) is not None
