"""Jobs that wait longer than they should."""

from datetime import UTC, datetime, timedelta

from flotilla.ledger import backlog, jobs
from flotilla.ledger.database import Database
from flotilla.schemas import TaskStatus
from tests.integration.ledger.operations import add, new_job, set_back, shown_task


def test_what_was_never_sent_is_found_once_it_is_old_enough(ledger: Database) -> None:
    old, sent, young, question = add(
        ledger,
        new_job(kind="ingest"),
        new_job(kind="ingest"),
        new_job(kind="ingest"),
        new_job(),
    )
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for job_id in (old, sent, question):
        set_back(ledger, job_id, created_at=hour_ago)
    with ledger.writing() as connection:
        jobs.mark_sent(connection, [sent])

    with ledger.reading() as connection:
        found = backlog.unsent(connection, ("ingest", "delete"), timedelta(minutes=1))
    assert [job.id for job in found] == [old]
    assert shown_task(ledger, young).status is TaskStatus.PENDING


def test_questions_are_overdue_when_they_were_not_begun_or_not_ended(ledger: Database) -> None:
    unbegun, unended, begun_late, ended = add(ledger, *(new_job() for _ in range(4)))
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with ledger.writing() as connection:
        for job_id in (unended, begun_late, ended):
            jobs.claim(connection, job_id, "rag.answer", "rag")
        jobs.complete(connection, ended, {})
    for job_id in (unbegun, unended, begun_late, ended):
        set_back(ledger, job_id, created_at=hour_ago)
    set_back(ledger, unended, started_at=hour_ago)

    with ledger.reading() as connection:
        found = backlog.overdue(connection, ("query",), timedelta(minutes=10))
    assert [job.id for job in found] == [unbegun, unended]
