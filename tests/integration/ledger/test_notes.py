"""Notes on how a document was converted, from all parts of its conversion."""

import pytest

from flotilla.ledger import job_views, jobs, notes
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.models import Note

SCANNED = "These pages look scanned."


@pytest.fixture
def job_id(ledger: Database) -> str:
    job = jobs.NewJob(
        tenant_id=DEFAULT_TENANT,
        kind="ingest",
        queue="document",
        stage="document.convert",
        payload={"name": "a.pdf"},
    )
    with ledger.writing() as connection:
        jobs.add(connection, [job])
    return job.id


def write(ledger: Database, job_id: str, part: int, *found: Note) -> None:
    with ledger.writing() as connection:
        jobs.lock(connection, job_id)
        notes.write(connection, job_id, "document.convert_range", part, found)


def shown(ledger: Database, job_id: str) -> list[tuple[str, str | None]]:
    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
    assert task is not None
    return [(note.code, note.pages) for note in task.notes]


def test_a_task_without_notes_has_none(ledger: Database, job_id: str) -> None:
    write(ledger, job_id, 0)
    assert shown(ledger, job_id) == []


def test_the_same_of_several_parts_is_one_note(ledger: Database, job_id: str) -> None:
    write(ledger, job_id, 1, Note(code="scanned", message=SCANNED, pages=(6, 7, 9)))
    write(
        ledger,
        job_id,
        0,
        Note(code="scanned", message=SCANNED, pages=(1, 4, 5)),
        Note(code="other", message="Something else."),
    )
    assert shown(ledger, job_id) == [("scanned", "1,4-7,9"), ("other", None)]


def test_another_attempt_of_a_part_takes_its_place(ledger: Database, job_id: str) -> None:
    write(ledger, job_id, 0, Note(code="scanned", message=SCANNED, pages=(1,)))
    write(ledger, job_id, 1, Note(code="scanned", message=SCANNED, pages=(8,)))
    write(ledger, job_id, 0, Note(code="scanned", message=SCANNED, pages=(2,)))
    assert shown(ledger, job_id) == [("scanned", "2,8")]
    write(ledger, job_id, 0)
    write(ledger, job_id, 1)
    assert shown(ledger, job_id) == []


def test_of_many_stretches_the_first_are_shown(ledger: Database, job_id: str) -> None:
    write(ledger, job_id, 0, Note(code="s", message=SCANNED, pages=tuple(range(1, 2001, 2))))
    [(_, pages)] = shown(ledger, job_id)
    assert pages is not None
    assert pages.startswith("1,3,5,")
    assert pages.endswith(",199,…")


def test_what_a_step_remembers_is_in_the_payload(ledger: Database, job_id: str) -> None:
    with ledger.writing() as connection:
        jobs.remember(connection, job_id, "llamaparse", {"file": "f"})
        jobs.remember(connection, job_id, "llamaparse", {"file": "f", "job": "j"})
    with ledger.reading() as connection:
        job = jobs.get(connection, job_id)
    assert job is not None
    assert job.payload == {"name": "a.pdf", "llamaparse": {"file": "f", "job": "j"}}
