"""Retrying all that failed: which jobs that is, and how it goes on from order to order."""

from collections.abc import Callable

import pytest

from flotilla.ledger import endings, failed_jobs, retries
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.submissions import NewSource
from flotilla.schemas import TaskError, TaskStatus
from tests.integration.ledger.operations import (
    add,
    delete,
    new_job,
    publish,
    shown_task,
    submit,
)

Source = Callable[..., NewSource]

ERROR = TaskError(stage="vectorstore.index", code="model_missing", message="None.", retryable=False)


def failed(ledger: Database, source: Source, *names: str) -> list[str]:
    accepted = submit(ledger, *(source(name, name.encode()) for name in names))
    for each in accepted:
        endings.fail(ledger, each.task_id, ERROR)
    return [each.task_id for each in accepted]


def retry_failed(ledger: Database, limit: int = 100, **options: object) -> retries.Outcome:
    wanted = options.pop("wanted", failed_jobs.Filter())
    return retries.retry_failed(ledger, DEFAULT_TENANT, wanted, limit, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("page", [1, 2, failed_jobs.PAGE])
def test_what_can_never_be_taken_stands_before_nothing_else(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(failed_jobs, "PAGE", page)
    [deleted] = submit(ledger, source("deleted", b"deleted"))
    [older] = submit(ledger, source("replaced", b"older"))
    for each in (deleted, older):
        endings.fail(ledger, each.task_id, ERROR)
    delete(ledger, deleted.document_id)
    newer = source("replaced", b"newer")
    [there] = submit(ledger, newer)
    assert publish(ledger, there, newer)
    [wanted] = failed(ledger, source, "wanted")

    outcome = retry_failed(ledger, limit=1)

    assert (outcome.taken, outcome.refused, outcome.last) == ([wanted], {}, None)


def test_an_order_goes_on_where_the_one_before_came_to_its_limit(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "PIECE", 2)
    ids = failed(ledger, source, "a", "b", "c", "d", "e")

    first = retry_failed(ledger, limit=3)
    assert (first.taken, first.last) == (ids[:3], ids[2])
    # What fails again meanwhile is not taken a second time before the others have had their turn.
    endings.fail(ledger, ids[0], ERROR)
    assert first.last is not None
    second = retry_failed(ledger, limit=3, after=first.last)
    assert (second.taken, second.last) == (ids[3:], None)
    assert shown_task(ledger, ids[0]).status is TaskStatus.FAILED


def test_an_order_ends_when_its_time_is_over(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "PIECE", 2)
    ids = failed(ledger, source, "a", "b", "c")

    outcome = retry_failed(ledger, seconds=0)

    assert (outcome.taken, outcome.last) == (ids[:2], ids[1])
    assert shown_task(ledger, ids[2]).status is TaskStatus.FAILED


def test_one_that_is_refused_meanwhile_uses_up_no_room(
    ledger: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = failed(ledger, source, "a", "b")
    find = failed_jobs.failed

    def found_too_late(*given: object) -> list[str]:
        found = find(*given)  # type: ignore[arg-type]
        if first in found:
            retries.retry(ledger, DEFAULT_TENANT, first)
        return found

    monkeypatch.setattr(retries, "failed", found_too_late)
    outcome = retry_failed(ledger, limit=1)
    assert (list(outcome.refused), outcome.taken) == ([first], [second])


def test_questions_and_changes_of_the_model_are_meant_only_where_they_are_named(
    ledger: Database, source: Source
) -> None:
    other = [
        new_job(kind="migration", queue="vectorstore", stage="vectorstore.prepare_space"),
        new_job(kind="drop", queue="vectorstore", stage="vectorstore.drop_space"),
        new_job(kind="query"),
        new_job(kind="search", stage="rag.search"),
    ]
    usual = [
        new_job(kind="reindex", queue="vectorstore", stage="vectorstore.reindex"),
        new_job(kind="delete", queue="vectorstore", stage="vectorstore.remove"),
    ]
    named = dict(zip((job.kind for job in other), add(ledger, *other), strict=True))
    ids = [*add(ledger, *usual), *failed(ledger, source, "a")]
    for job_id in (*named.values(), *ids[:2]):
        endings.fail(ledger, job_id, ERROR)

    assert sorted(retry_failed(ledger).taken) == sorted(ids)
    for kind, job_id in named.items():
        assert retry_failed(ledger, wanted=failed_jobs.Filter(kind=kind)).taken == [job_id]
    for kind in ("batch", "demo", "sweep"):
        assert retry_failed(ledger, wanted=failed_jobs.Filter(kind=kind)).taken == []


@pytest.mark.parametrize("code", ["file_corrupt", "file_encrypted", "quarantined"])
def test_what_lies_in_the_file_is_meant_only_where_it_is_named(
    ledger: Database, source: Source, code: str
) -> None:
    """Else an outage's order to retry would have each poison document end two more workers."""
    [hopeless] = submit(ledger, source("bad", b"bad"))
    endings.fail(ledger, hopeless.task_id, ERROR.model_copy(update={"code": code}))
    [passing] = failed(ledger, source, "good")

    assert retry_failed(ledger).taken == [passing]
    named = retry_failed(ledger, wanted=failed_jobs.Filter(code=code))
    assert named.taken == [hopeless.task_id]
