"""A gateway over a real Redis, ledger and blob folder. No fleet runs, so that what is submitted
stays where it was put."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.gateway.processes import Gateway, running_gateway, running_redis


@pytest.fixture(scope="session")
def gateway_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis that only gateways use."""
    with running_redis(tmp_path_factory.mktemp("redis")) as (url, _):
        yield url


@pytest.fixture(scope="session")
def ingest_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is open to ingestion by path."""
    return tmp_path_factory.mktemp("open")


@pytest.fixture(scope="session")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, gateway_redis: str, ingest_root: Path
) -> Iterator[Gateway]:
    """A gateway with the settings that a user gets."""
    data = tmp_path_factory.mktemp("gateway")
    root = {"FLOTILLA_DOCUMENT_INGEST_ROOT": str(ingest_root)}
    with running_gateway(data, gateway_redis, **root) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def small_gateway(
    tmp_path_factory: pytest.TempPathFactory, gateway_redis: str
) -> Iterator[Gateway]:
    """A gateway that takes files of 1 MB and no folder by path."""
    data = tmp_path_factory.mktemp("small")
    limit = {"FLOTILLA_GATEWAY_MAX_UPLOAD_BYTES": "1000000"}
    with running_gateway(data, gateway_redis, **limit) as gateway:
        yield gateway


@pytest.fixture
def http(gateway: Gateway) -> Iterator[httpx.Client]:
    """Plain HTTP to the gateway."""
    with httpx.Client(base_url=gateway.url, timeout=60) as client:
        yield client


@pytest.fixture
def collection(http: httpx.Client, request: pytest.FixtureRequest) -> str:
    """A collection of the test's own."""
    name = f"c{abs(hash(request.node.nodeid)):x}"
    http.post("/collections", json={"name": name}).raise_for_status()
    return name
