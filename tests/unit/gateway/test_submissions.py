"""The one task that writes for all who ask goes on, whatever happens to one of them."""

import asyncio
from pathlib import Path

import pytest

from flotilla.errors import DependencyUnavailable
from flotilla.gateway import submissions
from flotilla.gateway.submissions import Submissions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, upgrade
from flotilla.ledger.jobs import NewJob
from flotilla.settings import Settings


async def test_without_broker_and_ledger_each_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    upgrade(settings)
    database = Database(settings.ledger_url)

    def fail(*_: object) -> None:
        raise DependencyUnavailable("It does not answer.")

    monkeypatch.setattr(submissions, "fail", fail)
    writing = Submissions(database)
    await writing.start()
    for _ in range(2):
        job = NewJob(DEFAULT_TENANT, "demo", "default", "default.process", {}, sent=True)
        async with asyncio.timeout(20):
            with pytest.raises(DependencyUnavailable):
                await writing.submit(lambda _batch, job=job: job, fail)  # type: ignore[misc]
    await writing.close()
    database.close()
