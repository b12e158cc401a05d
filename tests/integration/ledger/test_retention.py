"""Which ended jobs are forgotten, and what it costs to keep the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text

from flotilla.ledger import job_ends, retention, retries, submissions, versions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id
from flotilla.ledger.submissions import NewSource
from flotilla.ledger.tables import DOCUMENTS, JOBS, VERSIONS
from tests.integration.ledger.operations import ERROR, add, new_job, set_back

Source = Callable[..., NewSource]
MONTH = timedelta(days=30)
YEAR_AGO = datetime.now(UTC) - timedelta(days=365)


def age(ledger: Database, *job_ids: str) -> None:
    for job_id in job_ids:
        set_back(ledger, job_id, created_at=YEAR_AGO, finished_at=YEAR_AGO)


def test_ended_jobs_are_forgotten_when_nothing_refers_to_them(
    ledger: Database, source: Source
) -> None:
    question, open_question = add(ledger, new_job(), new_job())
    accepted = []
    for new in (source(data=b"A"), source(data=b"B")):
        with ledger.writing() as connection:
            [one] = submissions.submit(connection, DEFAULT_TENANT, "default", [new])
            versions.publish(connection, one.document_id, new.version_id)
            job_ends.complete(connection, one.task_id, {})
        accepted.append(one.task_id)
    with ledger.writing() as connection:
        job_ends.complete(connection, question, {})
    age(ledger, question, *accepted)
    set_back(ledger, open_question, created_at=YEAR_AGO)

    assert retention.forget_ended(ledger, MONTH, page=2) == 2
    with ledger.reading() as connection:
        left = set(connection.scalars(select(JOBS.c.id)))
    assert left == {open_question, accepted[1]}
    assert retention.forget_ended(ledger, MONTH, page=2) == 0


def test_one_that_is_retried_between_the_look_and_the_removal_stays(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    question, other = add(ledger, new_job(), new_job())
    with ledger.writing() as connection:
        for job_id in (question, other):
            job_ends.fail(connection, job_id, ERROR)
    age(ledger, question, other)
    look = retention._page

    def retry_after_the_look(*arguments: Any) -> Any:
        found = look(*arguments)
        retries.retry(ledger, DEFAULT_TENANT, question)
        return found

    monkeypatch.setattr(retention, "_page", retry_after_the_look)
    assert retention.forget_ended(ledger, MONTH) == 1
    with ledger.reading() as connection:
        assert list(connection.scalars(select(JOBS.c.id))) == [question]


MANY = 6_000  # several pages


def ingested_long_ago(ledger: Database) -> None:
    """Documents whose jobs are old and kept, and questions among them that nobody needs."""
    documents, rows, jobs = [], [], []
    for number in range(MANY):
        document_id, version_id, job_id = new_id(), new_id(), new_id()
        shared = {"tenant_id": DEFAULT_TENANT, "created_at": YEAR_AGO}
        documents.append(
            shared
            | {
                "id": document_id,
                "collection_id": DEFAULT_TENANT,
                "source": document_id,
                "name": "terms.pdf",
                "metadata": {},
                "status": "ready",
                "live_version_id": version_id,
                "job_id": job_id,
                "updated_at": YEAR_AGO,
            }
        )
        rows.append(
            shared
            | {"id": version_id, "document_id": document_id, "number": 1, "state": versions.LIVE}
        )
        unneeded = number % 1000 == 0
        jobs.append(
            shared
            | {
                "id": new_id() if unneeded else job_id,
                "kind": "ingest",
                "status": "completed",
                "queue": "document",
                "stage": "upkeep.finish",
                "attempt": 1,
                "fence": 0,
                "payload": {},
                "version_id": None if unneeded else version_id,
                "finished_at": YEAR_AGO,
            }
        )
    with ledger.writing() as connection:
        connection.execute(insert(DOCUMENTS), documents)
        connection.execute(insert(VERSIONS), rows)
        connection.execute(insert(JOBS), jobs)
    if not ledger.sqlite:
        with ledger.writing() as connection:
            connection.execute(text("ANALYZE"))


@contextmanager
def statements(ledger: Database) -> Iterator[list[tuple[str, Any, bool]]]:
    """What is carried out inside: each statement, its parameters, and whether it may write."""
    seen: list[tuple[str, Any, bool]] = []

    def note(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        writes = connection.get_execution_options().get("flotilla_write", False)
        if not statement.startswith("BEGIN"):
            seen.append((statement, parameters, writes))

    event.listen(ledger.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(ledger.engine, "before_cursor_execute", note)


def plan_of(ledger: Database, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if ledger.sqlite else "EXPLAIN"
    with ledger.reading() as connection:
        if not ledger.sqlite:  # of a small table it reads all even where it has an index
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
        return "\n".join(str(row[-1]) for row in rows)


def test_what_is_kept_is_passed_over_once_and_through_indexes(ledger: Database) -> None:
    ingested_long_ago(ledger)

    with statements(ledger) as first:
        assert retention.forget_ended(ledger, MONTH) == MANY // 1000
    with statements(ledger) as second:
        assert retention.forget_ended(ledger, MONTH) == 0

    pages = -(-MANY // retention.PAGE)
    assert len([each for each in first if not each[2]]) <= 3 * (pages + 1)
    # What is kept costs reading alone: nobody who writes waits for it.
    assert [statement for statement, _, writes in second if writes] == []
    for statement, parameters, _ in first[:6]:
        plan = plan_of(ledger, statement, parameters)
        for table in ("documents", "versions", "jobs"):
            assert f"SCAN {table}" not in plan, statement
            assert f"Seq Scan on {table}" not in plan, statement
