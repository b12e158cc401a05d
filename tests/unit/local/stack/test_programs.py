import sys
from pathlib import Path

import pytest

from flotilla.local import redis_server
from flotilla.local.stack.options import Ports, StackOptions
from flotilla.local.stack.programs import (
    Stage,
    cache_url,
    http_address,
    programs,
    qdrant_url,
    redis_url,
)
from flotilla.settings import Settings

PORTS = Ports(gateway=8100, redis=6400, cache=6403, qdrant=6401, flower=6402)


def test_the_stack_brings_its_own_stores(tmp_path: Path) -> None:
    table = {p.name: p for p in programs(Settings(), StackOptions(data=tmp_path), PORTS)}
    assert list(table) == [
        "redis",
        "cache",
        "qdrant",
        "document-1",
        "vectorstore-1",
        "rag-1",
        "default-1",
        "beat",
        "flower",
        "gateway",
    ]
    redis = " ".join(table["redis"].command)
    assert "--appendonly yes" in redis
    assert "--maxmemory-policy noeviction" in redis
    assert str(tmp_path / "redis") in redis
    cache = " ".join(table["cache"].command)
    assert "--appendonly no" in cache
    assert "--save  " in cache
    assert f"--maxmemory {256 * 1024 * 1024}" in cache
    assert "--maxmemory-policy allkeys-lru" in cache
    assert "--port 6403" in cache
    assert table["qdrant"].command[:3] == (sys.executable, "-m", "flotilla.local.qdrant_node")
    assert table["gateway"].probe.address == "http://127.0.0.1:8100/health/ready"
    assert [p.stage for p in table.values()] == sorted(p.stage for p in table.values())


def test_stores_that_the_user_named_are_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:6379/3")
    monkeypatch.setenv("QDRANT_URL", "http://elsewhere:6333")
    monkeypatch.setenv("FLOTILLA_CACHE_URL", "redis://elsewhere:6380/0")
    settings = Settings()
    stages = {p.stage for p in programs(settings, StackOptions(data=tmp_path), PORTS)}
    assert not stages & {Stage.REDIS, Stage.QDRANT}
    assert redis_url(settings, PORTS) == "redis://elsewhere:6379/3"
    assert cache_url(settings, PORTS) == "redis://elsewhere:6380/0"
    assert qdrant_url(settings, PORTS) == "http://elsewhere:6333"


def test_without_caches_there_is_no_redis_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANSWER", "RETRIEVAL", "EMBEDDING"):
        monkeypatch.setenv(f"FLOTILLA_CACHE_{name}_TTL", "0")
    settings = Settings()
    assert "cache" not in [p.name for p in programs(settings, StackOptions(data=tmp_path), PORTS)]
    assert cache_url(settings, PORTS) is None


def test_a_machine_without_a_redis_to_run_does_without_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:6379/3")
    monkeypatch.setattr(redis_server, "_candidates", list)
    settings = Settings()
    table = programs(settings, StackOptions(data=tmp_path), PORTS)
    assert not {"redis", "cache"} & {p.name for p in table}
    assert cache_url(settings, PORTS) is None


def test_only_the_gateway_leaves_the_loopback_address(tmp_path: Path) -> None:
    options = StackOptions(data=tmp_path, host="0.0.0.0")
    table = programs(Settings(), options, PORTS)
    assert [p.name for p in table if "0.0.0.0" in p.command] == ["gateway"]
    assert table[-1].address == "http://127.0.0.1:8100"


def test_workers_of_a_fleet_bear_numbers(tmp_path: Path) -> None:
    options = StackOptions(data=tmp_path, workers={"document": 3}, with_flower=False)
    table = programs(Settings(), options, PORTS)
    assert [p.name for p in table if p.fleet == "document"] == [f"document-{n}" for n in (1, 2, 3)]
    assert [p.name for p in table if p.fleet == "rag"] == ["rag-1"]
    assert "flower" not in [p.name for p in table]
    assert table[3].command[-5:] == ("flotilla", "worker", "document", "--name", "document-1")


def test_an_address_to_listen_on_becomes_one_to_connect_to() -> None:
    assert http_address("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert http_address("::", 80) == "http://[::1]:80"
    assert http_address("10.0.0.1", 80) == "http://10.0.0.1:80"
