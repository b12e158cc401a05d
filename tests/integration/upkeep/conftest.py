"""A real worker over a real Redis, whose stages do what a document's metadata tells them to."""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from flotilla import pipelines
from flotilla.blobs import BlobStore, source_ref
from flotilla.broker import app
from flotilla.ledger import job_views, jobs, submissions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, upgrade
from flotilla.schemas import DocumentAccepted, Task
from flotilla.settings import Settings, get_settings
from tests.conftest import running, wait_until

ROOT = Path(__file__).parents[3]
MAX_ATTEMPTS = 5  # more than the three retries at which Celery stops by itself


class Fleets:
    """What a test sees of them: the ledger, the blobs, and what the stages have noted."""

    def __init__(self, settings: Settings) -> None:
        self.log = settings.data_dir / "worker.log"
        self.ledger = Database(settings.ledger_url)
        self.blobs = BlobStore(settings.blobs_url)
        self.redis: Any = redis.Redis.from_url(settings.redis_url, decode_responses=True)

    def write(self, name: str | None = None, **metadata: Any) -> DocumentAccepted:
        """Write a submission of new bytes into the ledger, and send nothing."""
        version_id = new_id()
        data = version_id.encode()
        self.blobs.put(source_ref(DEFAULT_TENANT, version_id), data)
        source = submissions.NewSource(
            version_id=version_id,
            source=name or version_id,
            name=name or version_id,
            metadata=metadata,
            first_stage=pipelines.CONVERT,
            sha256=hashlib.sha256(data).hexdigest(),
            password="open sesame",
        )
        with self.ledger.writing() as connection:
            [accepted] = submissions.submit(connection, DEFAULT_TENANT, "default", [source])
        return accepted

    def ingest(
        self, name: str | None = None, stage: str = pipelines.CONVERT, **metadata: Any
    ) -> DocumentAccepted:
        accepted = self.write(name, **metadata)
        pipelines.ingest(accepted.task_id, stage)
        return accepted

    def add(self, **values: Any) -> str:
        """Write a job, a question unless something else is said, and send nothing."""
        given = {"kind": "query", "queue": "rag", "stage": pipelines.ANSWER, "payload": {}}
        job = jobs.NewJob(tenant_id=DEFAULT_TENANT, **(given | values))
        with self.ledger.writing() as connection:
            jobs.add(connection, [job])
        return job.id

    def job(self, job_id: str) -> jobs.Job:
        with self.ledger.reading() as connection:
            job = jobs.get(connection, job_id)
        assert job is not None
        return job

    def task(self, job_id: str) -> Task:
        with self.ledger.reading() as connection:
            task = job_views.view(connection, DEFAULT_TENANT, job_id)
        assert task is not None
        return task

    def end(self, job_id: str, seconds: float = 60.0) -> Task:
        """The task as soon as it is over."""
        wait_until(lambda: self.task(job_id).status.final, seconds)
        return self.task(job_id)

    def calls(self, job_id: str) -> list[str]:
        """The stages that ran, as `stage:part:attempt`."""
        return list(self.redis.lrange(f"calls:{job_id}", 0, -1))

    def held(self, job_id: str) -> None:
        """Wait until a stage holds."""
        wait_until(lambda: self.redis.exists(f"held:{job_id}"))

    def release(self, job_id: str) -> None:
        self.redis.set(f"go:{job_id}", 1)

    def idle(self) -> None:
        """Wait until no message is left, neither waiting nor at work."""

        def empty() -> bool:
            with self.redis.pipeline() as pipe:
                for fleet in ("document", "vectorstore", "default"):
                    pipe.llen(fleet)
                pipe.hlen("unacked:default")
                return not any(pipe.execute())

        wait_until(empty)


@pytest.fixture(scope="session")
def fleets(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleets]:
    """The worker, ready. This process's app sends to the same Redis."""
    data = tmp_path_factory.mktemp("fleets")
    settings = Settings(data=data, redis_url=redis_url, database_url=None)
    upgrade(settings)
    backend = app.conf.result_backend.replace(get_settings().redis_url, redis_url)
    app.conf.update(broker_url=redis_url, result_backend=backend)
    fleets = Fleets(settings)
    environment = os.environ | {
        "REDIS_URL": redis_url,
        "FLOTILLA_DATA": str(data),
        "FLOTILLA_ENV_FILE": os.devnull,
        "FLOTILLA_JOB_MAX_ATTEMPTS": str(MAX_ATTEMPTS),
        "FLOTILLA_JOB_BACKOFF_BASE": "0.1",
        "FLOTILLA_JOB_BACKOFF_CAP": "0.2",
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }
    environment.pop("DATABASE_URL", None)
    log = fleets.log
    command = [sys.executable, "-m", "tests.doubles.stages"]
    with running(command, log, environment) as worker:

        def ready() -> bool:
            assert worker.poll() is None, f"the worker ended: {log.read_text()}"
            return "ready." in log.read_text()

        wait_until(ready)
        yield fleets
    fleets.ledger.close()
