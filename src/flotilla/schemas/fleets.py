"""The fleets: their queues and workers, and whether a request can be served."""

from datetime import datetime

from pydantic import Field

from flotilla.schemas.base import Response


class Queue(Response):
    """One fleet's queue."""

    name: str = Field(examples=["document"])
    depth: int = Field(description="Messages that wait for a worker.")
    unacknowledged: int = Field(description="Messages that a worker holds.")


class Worker(Response):
    """One live worker."""

    name: str = Field(examples=["document-1@host"])
    fleet: str = Field(examples=["document"])
    pid: int
    concurrency: int
    seen_at: datetime


class FleetsInfo(Response):
    """The queues, the registered tasks and the live workers."""

    queues: list[Queue]
    tasks: dict[str, list[str]] = Field(description="Names of the registered tasks by fleet.")
    workers: list[Worker]


class DependencyHealth(Response):
    """One part that the gateway stands on."""

    ok: bool
    latency_ms: float | None = None
    detail: str | None = None


class Health(Response):
    """Whether the gateway is alive."""

    status: str = Field(examples=["ok"])
    version: str


class Readiness(Response):
    """Whether a request can be served, each dependency by its name."""

    status: str = Field(examples=["ready"])
    dependencies: dict[str, DependencyHealth]
