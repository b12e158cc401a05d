"""Jobs as the API shows them."""

from flotilla.ledger import job_ends, job_views, jobs
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id
from flotilla.schemas import TaskStatus
from tests.integration.ledger.operations import ERROR, add, new_job, shown_task


def test_the_place_in_the_queue_counts_pending_jobs_of_that_queue(ledger: Database) -> None:
    first, _elsewhere, second, third = add(
        ledger, new_job(), new_job(queue="document"), new_job(), new_job()
    )

    def places() -> list[int | None]:
        return [shown_task(ledger, job_id).queue_position for job_id in (first, second, third)]

    assert places() == [1, 2, 3]

    with ledger.writing() as connection:
        jobs.claim(connection, first, "rag.answer", "rag")
        job_ends.cancel(connection, second)
    assert places() == [None, None, 1]


def test_a_listing_is_complete_while_jobs_are_added(ledger: Database) -> None:
    wanted = add(ledger, *(new_job() for _ in range(7)))
    found: list[str] = []
    before = None
    while True:
        with ledger.reading() as connection:
            part = job_views.listing(
                connection, DEFAULT_TENANT, status=None, kind=None, before=before, limit=3
            )
        if not part:
            break
        found += [task.task_id for task in part]
        before = found[-1]
        add(ledger, new_job())

    assert found == sorted(wanted, reverse=True)


def test_a_listing_is_narrowed_by_status_and_kind(ledger: Database) -> None:
    query, demo, failed = add(ledger, new_job(), new_job(kind="demo"), new_job())
    with ledger.writing() as connection:
        job_ends.fail(connection, failed, ERROR)

    def ids(status: TaskStatus | None = None, kind: str | None = None) -> set[str]:
        with ledger.reading() as connection:
            found = job_views.listing(
                connection, DEFAULT_TENANT, status=status, kind=kind, before=None, limit=9
            )
        return {task.task_id for task in found}

    assert ids(status=TaskStatus.FAILED) == {failed}
    assert ids(kind="demo") == {demo}
    assert ids(status=TaskStatus.PENDING, kind="query") == {query}


def test_nobody_sees_another_tenants_job(ledger: Database) -> None:
    [job_id] = add(ledger, new_job())

    with ledger.reading() as connection:
        assert job_views.view(connection, new_id(), job_id) is None
        assert job_views.view(connection, DEFAULT_TENANT, new_id()) is None
