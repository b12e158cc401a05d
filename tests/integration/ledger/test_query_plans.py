"""What is asked for each document reads a few rows, however many jobs there have been."""

import pytest

from flotilla.ledger import model_migrations, sweep, versions
from flotilla.ledger.database import Database
from tests.integration.ledger.operations import publish, submit
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
