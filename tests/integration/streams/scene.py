"""Streamed answers with real processes: a Redis, a gateway, two rag workers and the reaper's fleet.

Any of them may be killed. The rag workers are doubles
only in what they find (`tests.doubles.answering`); the model that writes counts words
(`tests.doubles.counted_words`).
"""

import contextlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import redis

from flotilla.answer_streams.entries import key, read_all
from flotilla.ledger import job_views
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.schemas import Task
from flotilla.settings import Settings
from tests.conftest import free_port, wait_until
from tests.doubles.counted_words import counted
from tests.doubles.ledger_rows import lay_ledger
from tests.doubles.openai_server import OpenAIServer
from tests.forking import Process, start
from tests.integration.gateway.processes import PATIENCE, environment_of, running_redis

WORKERS = ("rag-1", "rag-2")
SETTINGS = {
    "FLOTILLA_JOB_LEASE_SECONDS": "2",
    "FLOTILLA_JOB_GRACE_SECONDS": "2",
    "FLOTILLA_JOB_MAX_LOSSES": "1000",
    "FLOTILLA_RAG_CONCURRENCY": "8",
}


class Scene:
    """The processes, by their names, and a look at what they leave behind."""

    def __init__(self, data: Path, redis_url: str, server: OpenAIServer, **settings: str) -> None:
        self.server = server
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._data = data
        self._environment = environment_of(data, redis_url) | SETTINGS | settings
        # The double of the fleet is among the tests.
        root = Path(__file__).parents[3]
        self._environment["PYTHONPATH"] = f"{root / 'src'}:{root}"
        self.ledger = Database(Settings(data=data).ledger_url)
        self.redis = redis.Redis.from_url(redis_url, decode_responses=True)
        self.processes: dict[str, Process] = {}

    def start(self, name: str) -> None:
        """Start a process, and have it be ready."""
        command = [sys.executable, "-m", "flotilla"]
        if name == "gateway":
            command += ["gateway", "--port", str(self.port)]
        elif name == "default":
            command += ["worker", "default"]
        else:
            command = [sys.executable, "-m", "tests.doubles.answering", name]
        self.processes[name] = start(command, self._data / f"{name}.log", self._environment)

    def wait_until_ready(self) -> None:
        """Wait until questions are taken and answered."""

        def ready() -> bool:
            for name, process in self.processes.items():
                log = self._data / f"{name}.log"
                assert process.poll() is None, f"{name} ended: {log.read_text()}"
            with contextlib.suppress(httpx.TransportError):
                fleets = httpx.get(f"{self.url}/tasks/info", timeout=5).json()
                return len(fleets["workers"]) == len(self.processes) - 1
            return False

        wait_until(ready, PATIENCE)

    def kill(self, name: str) -> None:
        """SIGKILL to a process."""
        self.processes[name].kill()
        self.processes[name].wait()

    @contextmanager
    def halted(self, *names: str) -> Iterator[None]:
        """Let processes hang until the block's end."""
        for name in names:
            self.processes[name].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for name in names:
                self.processes[name].send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End all of it."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.ledger.close()
        self.redis.close()

    def task(self, task_id: str) -> Task:
        """A task as the ledger has it."""
        with self.ledger.reading() as connection:
            task = job_views.view(connection, DEFAULT_TENANT, task_id)
        assert task is not None
        return task

    def worker_of(self, task_id: str) -> str | None:
        """The name of the worker that has the task, None while none has."""
        from sqlalchemy import select

        from flotilla.ledger.tables import JOBS

        with self.ledger.reading() as connection:
            owner = connection.scalar(select(JOBS.c.lease_owner).where(JOBS.c.id == task_id))
        return str(owner).partition("@")[0] if owner is not None else None

    def told(self, task_id: str) -> int:
        """How many entries the task's stream has."""
        found: Any = self.redis.xrange(key(task_id))
        return len(read_all(found))


@contextmanager
def running_scene(folder: Path, **settings: str) -> Iterator[Scene]:
    """All of it, with an empty ledger; nothing is left running."""
    data = folder / "data"
    data.mkdir(parents=True)
    lay_ledger(data / "ledger.sqlite")
    with running_redis(folder / "redis") as (redis_url, _), OpenAIServer() as server:
        server.responder = counted
        model = {"LLM_MODEL": "openai:double", "LLM_BASE_URL": server.base_url}
        scene = Scene(data, redis_url, server, **model, **settings)
        try:
            for name in ("gateway", "default", *WORKERS):
                scene.start(name)
            scene.wait_until_ready()
            yield scene
        finally:
            scene.end()
