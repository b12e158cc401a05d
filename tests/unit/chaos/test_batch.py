"""A batch tells how many of its members ended how, and names those that failed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.batch import false_report
from tests.chaos.documents import Planned
from tests.chaos.ingestions import MEMBER_STAGE, Job

FILES = [
    Planned(1, Path("a.md"), ("one",)),
    Planned(1, Path("b.pdf"), (), frozenset({"file_corrupt"})),
    Planned(1, Path("c.docx"), ("two",)),
]
RESULT = {
    "documents": 3,
    "completed": 2,
    "failed": 1,
    "cancelled": 0,
    "failures": [{"name": "b.pdf", "code": "file_corrupt"}],
}


def members() -> list[Job]:
    return [
        Job(
            f"j{at}",
            "ingest",
            "failed" if planned.fails else "completed",
            "upkeep.finish",
            "file_corrupt" if planned.fails else None,
            None,
            "batch",
            {"name": planned.name},
            {},
        )
        for at, planned in enumerate(FILES)
    ]


def test_a_batch_that_tells_its_members_as_they_are() -> None:
    assert false_report(FILES, "partial", RESULT, members()) is None


def test_members_that_are_duplicates_end_as_their_originals() -> None:
    again = [replace(member, stage=MEMBER_STAGE) for member in members()]
    assert false_report(FILES, "partial", RESULT, again) is None


def test_what_cannot_be_read_is_never_completed() -> None:
    all_good = [replace(member, status="completed", code=None) for member in members()]
    result = RESULT | {"completed": 3, "failed": 0, "failures": []}
    assert false_report(FILES, "completed", result, all_good) is not None


@pytest.mark.parametrize("status", ["completed", "failed", "processing", "cancelled"])
def test_another_status_is_false(status: str) -> None:
    assert false_report(FILES, status, RESULT, members()) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"documents": 2},
        {"completed": 3},
        {"failed": 0},
        {"cancelled": 1},
        {"failures": []},
        {"failures": [{"name": "a.md", "code": "file_corrupt"}]},
        {"failures": [{"name": "b.pdf", "code": "internal_error"}]},
    ],
)
def test_another_result_is_false(change: dict[str, Any]) -> None:
    assert false_report(FILES, "partial", RESULT | change, members()) is not None


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_member_that_is_not_there_is_missed(missing: int) -> None:
    left = [member for at, member in enumerate(members()) if at != missing]
    assert false_report(FILES, "partial", RESULT, left) is not None


def test_a_member_that_failed_for_another_reason_is_told() -> None:
    wrong = [replace(m, code="internal_error") if m.code else m for m in members()]
    result = RESULT | {"failures": [{"name": "b.pdf", "code": "internal_error"}]}
    assert false_report(FILES, "partial", result, wrong) is not None
