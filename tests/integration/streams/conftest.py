"""A gateway, workers and what they stand on, all of which may be killed."""

from collections.abc import Iterator

import pytest

from tests.integration.streams.scene import Scene, running_scene

GRACE = "3"  # seconds


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The processes, with a grace period that is soon over."""
    folder = tmp_path_factory.mktemp("streams")
    with running_scene(folder, FLOTILLA_GATEWAY_STREAM_GRACE=GRACE) as scene:
        yield scene
