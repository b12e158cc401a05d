"""What a row leaves behind is what somebody still needs, or what a kill explains."""

from pathlib import Path

import pytest

from tests.chaos.leftovers import leftovers
from tests.unit.chaos.stored_collection import BEGAN, COLLECTION, StoredCollection, uuid7

WHOLE = ("source", "pages/00000.jsonl", "chunks/00000.jsonl", "chunks/00001.jsonl")
PART = f"pages/00001.jsonl.{'a' * 32}.part"
UPLOADING = f"source.{'a' * 32}.part"


@pytest.fixture
def stored(tmp_path: Path) -> StoredCollection:
    return StoredCollection(tmp_path)


def left(stored: StoredCollection, cut: int = 0) -> list[str]:
    return leftovers(stored.stack, COLLECTION, cut)


def test_what_answers_and_what_may_be_retried_keeps_its_blobs(stored: StoredCollection) -> None:
    stored.version(*WHOLE)
    stored.version(*WHOLE[:2], state="failed", job="failed", number=2)
    stored.version(state="failed", job="cancelled", number=3)
    stored.version(state="retired", number=4)
    assert left(stored) == []


@pytest.mark.parametrize(
    ("state", "job"),
    [("failed", "cancelled"), ("failed", "completed"), ("retired", "completed")],
)
def test_what_nobody_needs_is_left_over(stored: StoredCollection, state: str, job: str) -> None:
    stored.version("source", state=state, job=job)
    assert len(left(stored)) == 1


@pytest.mark.parametrize("state", ["pending", "staged"])
def test_a_version_that_is_never_ended_is_told(stored: StoredCollection, state: str) -> None:
    stored.version(*WHOLE, state=state, is_live=True)
    assert left(stored)


def test_two_live_versions_of_one_document_are_told(stored: StoredCollection) -> None:
    stored.version(*WHOLE, state="live", is_live=False)
    assert left(stored)


def test_what_is_still_worked_on_is_told_elsewhere(stored: StoredCollection) -> None:
    stored.version("source", state="pending", job="processing")
    assert left(stored) == []


def test_a_row_of_a_deleted_document_is_left_over(stored: StoredCollection) -> None:
    stored.version(state="failed", job="cancelled", deleted=True)
    assert len(left(stored)) == 1


def test_a_file_that_no_version_has_is_left_over(stored: StoredCollection) -> None:
    stored.version(*WHOLE, "notes.txt")
    assert len(left(stored)) == 1


@pytest.mark.parametrize(("fence", "faults"), [(1, 1), (2, 0)])
def test_an_unfinished_blob_is_explained_by_a_step_that_was_taken_over(
    stored: StoredCollection, fence: int, faults: int
) -> None:
    stored.version(*WHOLE, PART, fence=fence)
    assert len(left(stored)) == faults


@pytest.mark.parametrize("file", ["source", UPLOADING])
def test_an_upload_of_no_version_is_explained_by_a_request_that_was_cut_off(
    stored: StoredCollection, file: str
) -> None:
    stored.blob(uuid7(9), file)
    assert left(stored, cut=1) == []
    assert len(left(stored, cut=0)) == 1


def test_pages_of_no_version_are_explained_by_nothing(stored: StoredCollection) -> None:
    stored.blob(uuid7(9), "source", "pages/00000.jsonl")
    assert len(left(stored, cut=9)) == 1


def test_blobs_under_a_strange_name_are_explained_by_nothing(stored: StoredCollection) -> None:
    stored.blob("orphan", "source")
    assert len(left(stored, cut=9)) == 1


def test_what_a_row_before_has_left_is_that_rows(stored: StoredCollection) -> None:
    stored.blob(uuid7(9, BEGAN - 5), "source")
    assert left(stored) == []
