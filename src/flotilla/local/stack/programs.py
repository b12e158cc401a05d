"""Which processes a stack consists of, in what order they end, and how they show readiness."""

import sys
from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Literal

from flotilla.local.redis_server import find_redis_server, has_redis_server
from flotilla.local.stack.options import LOOPBACK, Ports, StackOptions
from flotilla.models import Value
from flotilla.settings import FLEETS, Settings


class Stage(IntEnum):
    """When a program ends: the highest stage first, each after the one above it is gone.

    The number is the priority that supervisord is given, so that it keeps the same order when
    it is told to end by a signal.
    """

    REDIS = 10
    QDRANT = 20
    FLEET = 30
    BESIDE = 40
    """Beat and Flower."""
    GATEWAY = 50


class Probe(Value):
    """How to tell that a program is ready.

    `http`: the address answers 200. `redis`: the address answers PING. `worker`: the gateway's
    list of workers at the address has the process id that the supervisor knows.
    """

    kind: Literal["http", "redis", "worker"]
    address: str


class Program(Value):
    """One process under supervision.

    `start_seconds` is how long it has to live to count as started; a program that ends sooner
    is started again after a pause that grows by a second each time. `stop_seconds` is how long
    it may take to end before its whole process group is killed.
    """

    name: str
    command: tuple[str, ...]
    stage: Stage
    fleet: str | None = None
    address: str | None = None
    probe: Probe | None = None
    start_seconds: int = 2
    stop_seconds: int = 10


VECTOR_FLEETS = ("vectorstore", "rag")
"""The fleets that embed and search."""

ProgramTable = Callable[[Settings, StackOptions, Ports], list[Program]]


def runs_redis(settings: Settings) -> bool:
    """Whether the stack brings its own Redis, since the user named none."""
    return "redis_url" not in settings.model_fields_set


def runs_cache(settings: Settings) -> bool:
    """Whether the stack brings its own Redis of the caches: the user wants any and named none.

    It can do without, where this machine has no Redis to run since that of the queues is elsewhere.
    """
    return settings.cache.url is None and settings.cache.wanted and has_redis_server()


def runs_qdrant(settings: Settings) -> bool:
    """Whether the stack brings its own Qdrant node, since the user named no server."""
    return "url" not in settings.qdrant.model_fields_set


def redis_url(settings: Settings, ports: Ports) -> str:
    """The Redis that the stack uses: its own or the user's."""
    return f"redis://{LOOPBACK}:{ports.redis}/0" if runs_redis(settings) else settings.redis_url


def cache_url(settings: Settings, ports: Ports) -> str | None:
    """The Redis of the caches that the stack uses, its own or the user's; None without caches."""
    own = f"redis://{LOOPBACK}:{ports.cache}/0"
    return own if runs_cache(settings) else settings.cache.url


def qdrant_url(settings: Settings, ports: Ports) -> str:
    """The Qdrant that the stack uses: its own or the user's."""
    return f"http://{LOOPBACK}:{ports.qdrant}" if runs_qdrant(settings) else settings.qdrant.url


def http_address(host: str, port: int) -> str:
    """Where a client on this machine reaches a server that listens on `host`."""
    host = {"": LOOPBACK, "0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def programs(settings: Settings, options: StackOptions, ports: Ports) -> list[Program]:
    """The stack's programs in the order of their start.

    Raises:
        StackFailed: the stack needs its own Redis and this machine has none that will do.
    """
    table = []
    gateway = http_address(options.host, ports.gateway)
    if runs_redis(settings):
        table.append(_redis(options.data / "redis", ports.redis))
    if runs_cache(settings):
        table.append(_cache(options.data / "cache", ports.cache, settings.cache.max_memory))
    if runs_qdrant(settings):
        table.append(_qdrant(options.data / "qdrant", ports.qdrant))
    for fleet in FLEETS:
        table += [
            _worker(fleet, number, gateway)
            for number in range(1, options.workers.get(fleet, 1) + 1)
        ]
    table.append(Program(name="beat", command=_flotilla("beat"), stage=Stage.BESIDE))
    if options.with_flower:
        table.append(_flower(ports.flower))
    table.append(_gateway(options.host, ports.gateway))
    return table


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *arguments)


def _flotilla(*arguments: str) -> tuple[str, ...]:
    return _python("flotilla", *arguments)


def _redis(folder: Path, port: int) -> Program:
    keeps_all = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
    return _redis_server("redis", folder, port, keeps_all)


def _cache(folder: Path, port: int, max_memory: int) -> Program:
    forgets = {
        "appendonly": "no",
        "maxmemory": str(max_memory),
        "maxmemory-policy": "allkeys-lru",
        # Memory is freed beside the work: an eviction makes no question wait.
        "lazyfree-lazy-eviction": "yes",
    }
    return _redis_server("cache", folder, port, forgets)


def _redis_server(name: str, folder: Path, port: int, policy: Mapping[str, str]) -> Program:
    address = f"redis://{LOOPBACK}:{port}/0"
    options = {
        "bind": LOOPBACK,
        "port": str(port),
        "dir": str(folder),
        "daemonize": "no",
        "save": "",
        **policy,
        # Redis writes its title over its environment, by which its stack knows it.
        "set-proc-title": "no",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return Program(
        name=name,
        command=(str(find_redis_server().path), *arguments),
        stage=Stage.REDIS,
        address=address,
        probe=Probe(kind="redis", address=address),
        start_seconds=1,
    )


def _qdrant(folder: Path, port: int) -> Program:
    address = f"http://{LOOPBACK}:{port}"
    where = ("--data", str(folder), "--host", LOOPBACK, "--port", str(port))
    return Program(
        name="qdrant",
        command=_python("flotilla.local.qdrant_node", *where),
        stage=Stage.QDRANT,
        address=address,
        probe=Probe(kind="http", address=f"{address}/readyz"),
    )


def _worker(fleet: str, number: int, gateway: str) -> Program:
    name = f"{fleet}-{number}"
    return Program(
        name=name,
        command=_flotilla("worker", fleet, "--name", name),
        stage=Stage.FLEET,
        fleet=fleet,
        probe=Probe(kind="worker", address=f"{gateway}/tasks/info"),
        stop_seconds=20,
    )


def _flower(port: int) -> Program:
    return Program(
        name="flower",
        command=_flotilla("flower", "--port", str(port)),
        stage=Stage.BESIDE,
        address=f"http://{LOOPBACK}:{port}",
        stop_seconds=5,
    )


def _gateway(host: str, port: int) -> Program:
    address = http_address(host, port)
    return Program(
        name="gateway",
        command=_flotilla("gateway", "--host", host, "--port", str(port)),
        stage=Stage.GATEWAY,
        address=address,
        probe=Probe(kind="http", address=f"{address}/health/ready"),
    )
