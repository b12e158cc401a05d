"""What is asked for each document reads a few rows, however many jobs there have been."""

import pytest

from flotilla.ledger import endings, failed_jobs, model_migrations, sweep, versions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from tests.integration.ledger.operations import ERROR, publish, submit
from tests.integration.ledger.test_submissions import Source

pytestmark = pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)


def test_a_version_and_its_job_are_found_at_once(
    ledger: Database, source: Source, plans: list[str]
) -> None:
    new = source("terms.pdf", b"A")
    [accepted] = submit(ledger, new)
    submit(ledger, source("copy.pdf", b"A"))
    publish(ledger, accepted, new)
    with ledger.reading() as connection:
        versions.get(connection, new.version_id)
        assert not versions.is_given_up(connection, new.version_id)
        assert not sweep.Judge().judge(connection, [new.version_id]).orphaned
        assert model_migrations.tasks_of(connection) == {}


def test_failed_ingestions_are_found_without_a_look_at_every_version(
    ledger: Database, source: Source, plans: list[str]
) -> None:
    [accepted] = submit(ledger, source("terms.pdf", b"A"))
    endings.fail(ledger, accepted.task_id, ERROR.model_copy(update={"code": "worker_lost"}))
    with ledger.reading() as connection:
        found = failed_jobs.failed(connection, DEFAULT_TENANT, failed_jobs.Filter(), 9)
    assert found == [accepted.task_id]
