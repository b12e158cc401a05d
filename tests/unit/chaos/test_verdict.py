"""What makes a row of the kill matrix a clean one: a matrix of clean rows is to say something."""

from collections import Counter

import pytest

from tests.chaos.matrix import ROWS
from tests.chaos.verdict import LONGEST_LEASE, LONGEST_RECOVERY, Felt, Verdict, anything


def weighed(allowance: float = 1.0, felt: Felt = anything, **values: object) -> Verdict:
    values = {"disturbances": Counter({"SIGKILL rag-1": 3})} | values
    verdict = Verdict("rag", 1, **values)  # type: ignore[arg-type]
    verdict.weigh(felt, allowance)
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


KILLS = ("document", "vectorstore", "rag", "default", "beat", "power", "chord", "frozen", "clock")


@pytest.mark.parametrize("row", KILLS)
def test_kills_that_cost_nobody_any_work_prove_nothing(row: str) -> None:
    assert not weighed(felt=ROWS[row].felt, victims=0, disturbed=3).clean
    assert weighed(felt=ROWS[row].felt, victims=1, disturbed=1).clean


@pytest.mark.parametrize("row", ["children", "redis-wiped"])
def test_messages_and_claims_have_to_be_lost(row: str) -> None:
    assert not weighed(felt=ROWS[row].felt).clean
    assert weighed(felt=ROWS[row].felt, disturbed=1).clean


@pytest.mark.parametrize(
    ("row", "stage"),
    [
        ("blobs", "document.split"),
        ("qdrant-full", "vectorstore.index"),
        ("qdrant-killed", "vectorstore.index"),
        ("qdrant-paused", "rag.answer"),
    ],
)
def test_what_is_out_of_reach_has_to_be_missed_by_somebody(row: str, stage: str) -> None:
    felt = ROWS[row].felt
    assert not weighed(felt=felt, attempts={f"{stage} file_corrupt": 9}).clean
    assert not weighed(felt=felt, attempts={"upkeep.finish dependency_unavailable": 9}).clean
    assert weighed(felt=felt, attempts={f"{stage} dependency_unavailable": 1}).clean


@pytest.mark.parametrize(
    "row", ["deploy", "redis-restart", "redis-paused", "caches", "ledger-locked", "postgresql"]
)
def test_work_has_to_be_under_way_when_everything_is_hit(row: str) -> None:
    at_work = Counter({"SIGTERM to every worker at work": 2})
    assert not weighed(felt=ROWS[row].felt).clean
    assert not weighed(felt=ROWS[row].felt, disturbances=at_work, idle=at_work).clean
    assert weighed(felt=ROWS[row].felt, disturbances=at_work).clean
