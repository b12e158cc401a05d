"""Health: alive, and ready with each dependency by its name."""

import asyncio
import time
from collections.abc import Awaitable

import httpx
from fastapi import APIRouter, Response

from flotilla import __version__
from flotilla.errors import DependencyUnavailable
from flotilla.gateway import examples
from flotilla.gateway.dependencies import Services, ServicesDep
from flotilla.gateway.routes.tasks import read_fleets
from flotilla.schemas import DependencyHealth, Health, Readiness
from flotilla.settings import FLEETS

router = APIRouter(prefix="/health", tags=["health"])

PROBE_TIMEOUT = 3.0


@router.get("/live", summary="Is the gateway alive?")
async def live() -> Health:
    return Health(status="ok", version=__version__)


@router.get(
    "/ready",
    summary="Can a request be served?",
    responses={
        503: {
            "model": Readiness,
            "description": "A dependency does not answer.",
            "content": {"application/json": {"example": examples.NOT_READY}},
        }
    },
)
async def ready(services: ServicesDep, response: Response) -> Readiness:
    names = ["ledger", "redis", "qdrant", "blobs"]
    probes = [
        services.in_thread(services.database.ping),
        services.redis.ping(),
        _qdrant(services),
        services.in_thread(services.blobs.ping),
    ]
    found = await asyncio.gather(*(_probe(probe) for probe in probes))
    dependencies = dict(zip(names, found, strict=True)) | await _fleets(services)
    ok = all(dependency.ok for dependency in dependencies.values())
    response.status_code = 200 if ok else 503
    return Readiness(status="ready" if ok else "not ready", dependencies=dependencies)


async def _probe(awaitable: Awaitable[object]) -> DependencyHealth:
    began = time.perf_counter()
    try:
        await asyncio.wait_for(awaitable, PROBE_TIMEOUT)
    except Exception as error:  # noqa: BLE001 - whatever it is, the dependency is not there
        return DependencyHealth(ok=False, detail=_reason(error))
    return DependencyHealth(ok=True, latency_ms=round(1000 * (time.perf_counter() - began), 2))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "no answer in time"
    return str(error)[:300] or type(error).__name__


async def _qdrant(services: Services) -> None:
    qdrant = services.settings.qdrant
    headers = {"api-key": qdrant.api_key.get_secret_value()} if qdrant.api_key else {}
    response = await services.http.get(f"{qdrant.url.rstrip('/')}/readyz", headers=headers)
    if response.status_code != 200:
        raise DependencyUnavailable(f"Qdrant answers {response.status_code}.")


async def _fleets(services: Services) -> dict[str, DependencyHealth]:
    began = time.perf_counter()
    try:
        info = await asyncio.wait_for(read_fleets(services), PROBE_TIMEOUT)
    except Exception as error:  # noqa: BLE001
        lost = DependencyHealth(ok=False, detail=_reason(error))
        return {f"fleet:{fleet}": lost for fleet in FLEETS}
    latency = round(1000 * (time.perf_counter() - began), 2)
    counts = {fleet: sum(w.fleet == fleet for w in info.workers) for fleet in FLEETS}
    return {
        f"fleet:{fleet}": DependencyHealth(
            ok=count > 0,
            latency_ms=latency,
            detail=f"{count} workers" if count else "no live worker",
        )
        for fleet, count in counts.items()
    }
