"""A real worker over a real Redis, whose stages do what a document's metadata tells them to."""

from collections.abc import Iterator

import pytest

from tests.integration.upkeep.processes import Fleets, fleets_on


@pytest.fixture(scope="session")
def _fleets(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleets]:
    with fleets_on(tmp_path_factory.mktemp("fleets"), redis_url) as fleets:
        yield fleets


@pytest.fixture
def fleets(_fleets: Fleets) -> Fleets:
    """The fleets with one worker, ready, whatever the test before did to its own, and no reaper
    unless a test asks for its rounds."""
    _fleets.only_one()
    _fleets.rest()
    return _fleets
