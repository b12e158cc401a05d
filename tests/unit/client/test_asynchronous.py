"""The asyncio client: the same operations, awaited."""

import asyncio
import inspect
import io
from collections.abc import AsyncIterator

import pytest

from flotilla.client import AsyncFlotilla, Flotilla, FlotillaAPIError
from tests.doubles.gateway import GatewayDouble, a_document, a_problem, a_task


@pytest.fixture
async def flotilla(gateway: GatewayDouble) -> AsyncIterator[AsyncFlotilla]:
    async with AsyncFlotilla(gateway.url) as client:
        yield client


def test_it_has_every_method_of_the_blocking_client() -> None:
    def methods(client: type) -> set[str]:
        return {name for name in vars(client) if not name.startswith("_")}

    assert methods(AsyncFlotilla) == methods(Flotilla)
    for name in ("ask", "documents", "wait"):
        ours, theirs = getattr(AsyncFlotilla, name), getattr(Flotilla, name)
        assert inspect.signature(ours) == inspect.signature(theirs)


async def test_upload_and_wait(flotilla: AsyncFlotilla) -> None:
    [accepted] = await flotilla.upload(("a.txt", io.BytesIO(b"abc")))
    stages: list[str | None] = []
    task = await flotilla.wait(accepted.task_id, on_update=lambda t: stages.append(t.stage))
    assert task.status == "completed"
    assert stages[0] == "vectorstore.index"


async def test_lists_are_asynchronous_iterators(
    flotilla: AsyncFlotilla, gateway: GatewayDouble
) -> None:
    for number in range(3):
        gateway.documents[f"d{number}"] = a_document(f"d{number}", f"{number}.txt")
    assert [d.document_id async for d in flotilla.documents()] == ["d0", "d1", "d2"]


async def test_errors_and_retries_are_those_of_the_blocking_client(
    flotilla: AsyncFlotilla, gateway: GatewayDouble
) -> None:
    busy = a_problem(503, "dependency_unavailable", "Redis is out of reach.")
    busy.headers["Retry-After"] = "0"
    gateway.scripted["GET", "/health/live"] = [busy]
    assert (await flotilla.health()).status == "ok"
    with pytest.raises(FlotillaAPIError):
        await flotilla.collection("none")


async def test_waits_do_not_block_one_another(
    flotilla: AsyncFlotilla, gateway: GatewayDouble
) -> None:
    import threading

    gateway.add_task("slow", a_task("slow"))
    gateway.held["slow"] = threading.Event()
    slow = asyncio.create_task(flotilla.wait("slow"))
    assert (await flotilla.health()).status == "ok"
    assert not slow.done()
    gateway.held["slow"].set()
    assert (await slow).status == "completed"
