"""How much waits of each kind, as backpressure counts it."""

from collections.abc import Callable

from sqlalchemy import event

from flotilla.ledger import backlogs, batches, job_ends, reindexing, submissions, versions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.submissions import NewSource
from flotilla.upkeep.batches import advance
from tests.integration.ledger.operations import add, new_job, submit

Source = Callable[..., NewSource]


def counted(ledger: Database) -> tuple[int, int, int]:
    """Ingestions, questions and smoke tests."""
    with ledger.reading() as connection:
        return (
            backlogs.ingestions(connection),
            backlogs.questions(connection),
            backlogs.smoke_tests(connection),
        )


def live(ledger: Database, source: Source, number: int) -> list[str]:
    """Ids of so many documents of which a version answers."""
    found = []
    for at in range(number):
        new = source(f"{at:03}.txt", f"text {at}".encode())
        with ledger.writing() as connection:
            [accepted] = submissions.submit(connection, DEFAULT_TENANT, "default", [new])
            versions.publish(connection, accepted.document_id, new.version_id)
            job_ends.complete(connection, accepted.task_id, {})
        found.append(accepted.document_id)
    return found


def test_each_kind_counts_what_is_not_over(ledger: Database, source: Source) -> None:
    submit(ledger, source())
    smoke = {"kind": "demo", "queue": "default", "stage": "default.process", "sent": True}
    ended, *_ = add(ledger, new_job(**smoke), new_job(**smoke), new_job(), new_job(), new_job())
    assert counted(ledger) == (1, 3, 2)
    with ledger.writing() as connection:
        job_ends.complete(connection, ended, {})
        batches.open_batch(connection, DEFAULT_TENANT)  # no work of its own
    assert counted(ledger) == (1, 3, 1)


def test_the_members_of_a_reindexing_keep_no_upload_out(ledger: Database, source: Source) -> None:
    first, *_ = live(ledger, source, 5)
    with ledger.writing() as connection:
        reindexing.reindex(connection, DEFAULT_TENANT, first)  # somebody has asked for it by itself
        batch_id = reindexing.reindex_collection(connection, DEFAULT_TENANT, "default")
    advance(ledger)
    submit(ledger, source("new.txt", b"new"))
    assert counted(ledger) == (2, 0, 0)
    with ledger.writing() as connection:  # on its way out, and its members not yet over
        batches.close(connection, DEFAULT_TENANT, batch_id)
    assert counted(ledger) == (2, 0, 0)


def test_no_table_is_read_for_it(ledger: Database, source: Source) -> None:
    if not ledger.sqlite:
        return  # whose plans depend on how much there is
    live(ledger, source, 2)
    with ledger.writing() as connection:
        reindexing.reindex_collection(connection, DEFAULT_TENANT, "default")
    seen = []

    def note(_connection: object, _cursor: object, sql: str, given: object, *_: object) -> None:
        if sql.startswith("SELECT"):
            seen.append((sql, given))

    event.listen(ledger.engine, "before_cursor_execute", note)
    counted(ledger)
    event.remove(ledger.engine, "before_cursor_execute", note)
    with ledger.reading() as connection:
        plans = [
            [str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
            for sql, given in seen
        ]
    assert len(plans) == 5
    for plan in plans:
        assert all(" INDEX ix_jobs_" in line for line in plan if "jobs" in line), plan
