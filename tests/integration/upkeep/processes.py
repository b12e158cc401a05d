"""The fleets of these tests: a ledger, blobs, and workers that may be killed."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import select, update

from flotilla import pipelines
from flotilla.blobs import BlobStore, source_ref
from flotilla.broker import app
from flotilla.ledger import job_views, jobs, recovery, submissions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, upgrade
from flotilla.ledger.tables import FAILURES, STEPS
from flotilla.priorities import lanes
from flotilla.schemas import DocumentAccepted, Task
from flotilla.settings import FLEETS, Settings, get_settings
from flotilla.upkeep import reaper
from tests.conftest import wait_until
from tests.forking import start

ROOT = Path(__file__).parents[3]
MAX_ATTEMPTS = 5  # more than the three retries at which Celery stops by itself
# Of a step whose worker is gone: the lease, the reaper's round, and a machine that is busy.
LEASE_SECONDS = 3.0
MAX_LOSSES = 4
MEMORY_LIMIT = 400 * 2**20
PATIENCE = 90.0


class Fleets:
    """What a test sees of them: the ledger, the blobs, and what the stages have noted."""

    def __init__(self, settings: Settings, variables: dict[str, str]) -> None:
        self.settings = settings
        self.folder = settings.data_dir
        self.ledger = Database(settings.ledger_url)
        self.blobs = BlobStore(settings.blobs_url)
        self.redis: Any = redis.Redis.from_url(settings.redis_url, decode_responses=True)
        self.variables = variables
        self.workers: list[Worker] = []
        self.started = 0

    # --- workers ---------------------------------------------------------------------------

    @property
    def worker(self) -> "Worker":
        """The one worker that there is."""
        [worker] = self.workers
        return worker

    def start(self, *prefix: str) -> "Worker":
        """A further worker, ready."""
        self.started += 1
        name = f"worker-{self.started}"
        log = self.folder / f"{name}.log"
        worker = Worker(name, log, [*prefix, sys.executable, "-m", "tests.doubles.stages"], self)
        self.workers.append(worker)
        worker.wait_until_ready()
        return worker

    def only_one(self) -> None:
        """One worker, whatever has become of those before."""
        alive = [each for each in self.workers if each.process.poll() is None]
        for worker in alive[1:]:
            worker.end()
        if len(self.workers) > 1 or not alive:
            # What the dead had in their hands would come back in the middle of a later test.
            self.redis.delete("unacked:default", "unacked_index:default")
        self.workers = alive[:1]
        if not alive:
            self.start()

    def stop(self) -> None:
        for worker in self.workers:
            worker.end()
        self.workers.clear()
        self.ledger.close()
        self.redis.close()

    def rest(self) -> None:
        """Have no reaper make a round, neither a message's that is left nor a worker's own.

        What a busy machine holds up would look lost to them: sent again, it would run twice.
        """
        self.redis.mset({reaper.TURN: "1", reaper.ROUND: "1"})

    @contextmanager
    def beat(self) -> Iterator[None]:
        """Have the reaper make its rounds, as beat does."""
        over = threading.Event()

        def run() -> None:
            while not over.wait(0.5):
                self.redis.delete(reaper.TURN)
                app.send_task(pipelines.REAP, ignore_result=True)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.rest()

    # --- jobs ------------------------------------------------------------------------------

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
        self.send(accepted.task_id, stage)
        return accepted

    def send(self, job_id: str, stage: str = pipelines.CONVERT, kind: str = "ingest") -> None:
        with self.ledger.writing() as connection:
            recovery.mark_sent(connection, job_id)
        pipelines.begin(kind, job_id, stage)

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

    def end(self, job_id: str, seconds: float = PATIENCE) -> Task:
        """The task as soon as it is over."""
        wait_until(lambda: self.task(job_id).status.final, seconds)
        return self.task(job_id)

    def step(self, job_id: str, stage: str, part: int = 0) -> Any:
        with self.ledger.reading() as connection:
            return connection.execute(
                select(STEPS).where(
                    STEPS.c.job_id == job_id, STEPS.c.stage == stage, STEPS.c.part == part
                )
            ).one_or_none()

    def set_step(self, job_id: str, **values: Any) -> None:
        with self.ledger.writing() as connection:
            connection.execute(update(STEPS).where(STEPS.c.job_id == job_id).values(values))

    def failures(self, job_id: str) -> list[tuple[int, str]]:
        """The attempts that failed, each with its code."""
        with self.ledger.reading() as connection:
            rows = connection.execute(
                select(FAILURES.c.attempt, FAILURES.c.code)
                .where(FAILURES.c.job_id == job_id)
                .order_by(FAILURES.c.failed_at)
            )
            return [(row.attempt, row.code) for row in rows]

    # --- what the stages have noted --------------------------------------------------------

    def calls(self, job_id: str) -> list[str]:
        """The stages that ran, as `stage:part:attempt`."""
        return list(self.redis.lrange(f"calls:{job_id}", 0, -1))

    def called(self, job_id: str, call: str) -> None:
        """Wait until a stage runs."""
        wait_until(lambda: call in self.calls(job_id), PATIENCE)

    def stages(self, job_id: str) -> list[str]:
        """The stages that ran, without their parts and attempts."""
        return [call.partition(":")[0] for call in self.calls(job_id)]

    def process_of(self, job_id: str) -> int:
        """The process that began a stage last."""
        return int(self.redis.lindex(f"pids:{job_id}", -1).rpartition(":")[2])

    def held(self, job_id: str) -> None:
        """Wait until a stage holds."""
        wait_until(lambda: self.redis.exists(f"held:{job_id}"), PATIENCE)

    def release(self, job_id: str) -> None:
        self.redis.set(f"go:{job_id}", 1)

    def idle(self) -> None:
        """Wait until no message is left, neither waiting nor at work."""

        names = [lane for fleet in FLEETS for lane in lanes(fleet)]

        def left() -> dict[str, int]:
            with self.redis.pipeline() as pipe:
                for lane in names:
                    pipe.llen(lane)
                pipe.hlen("unacked:default")
                counts = zip([*names, "unacked:default"], pipe.execute(), strict=True)
                return {name: count for name, count in counts if count}

        try:
            wait_until(lambda: not left(), PATIENCE)
        except AssertionError:
            at_work = self.redis.hvals("unacked:default")
            logs = "\n".join(worker.log.read_text()[-3000:] for worker in self.workers)
            raise AssertionError(f"messages are left: {left()}\n{at_work}\n{logs}") from None


class Worker:
    """A process of `tests.doubles.stages` with its children."""

    def __init__(self, name: str, log: Path, command: list[str], fleets: Fleets) -> None:
        self.log = log
        command = [*command, "--loglevel", "INFO", "--hostname", f"{name}@%h"]
        environment = {
            key: value for key, value in os.environ.items() if key != "DATABASE_URL"
        } | fleets.variables
        self.process = start(command, log, environment)

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, f"the worker ended: {self.log.read_text()}"
            return "ready." in self.log.read_text()

        wait_until(ready, PATIENCE)

    def children(self) -> list[int]:
        pid = self.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(each) for each in text.split()]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker and all its children."""
        for pid in (self.process.pid, *self.children()):
            os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL to all of it, as where a machine goes away."""
        self.signal(signal.SIGSTOP)  # so that the parent does not start further children
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def end(self) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def fleets_on(data: Path, redis_url: str) -> Iterator[Fleets]:
    """The fleets' ledger and variables, and no worker yet; this process's app sends to them.

    Once a process: from then on its app keeps the connections that it opens.
    """
    settings = Settings(data=data, redis_url=redis_url, database_url=None)
    upgrade(settings)
    backend = app.conf.result_backend.replace(get_settings().redis_url, redis_url)
    app.conf.update(broker_url=redis_url, result_backend=backend)
    # Other tests of this process may have sent something, or made a canvas, at another address:
    # the app keeps what it has opened.
    app._after_fork()
    app._backend_cache = None
    vars(app._local).pop("backend", None)
    fleets = Fleets(
        settings,
        {
            "REDIS_URL": redis_url,
            "FLOTILLA_DATA": str(data),
            "FLOTILLA_ENV_FILE": os.devnull,
            "FLOTILLA_JOB_MAX_ATTEMPTS": str(MAX_ATTEMPTS),
            "FLOTILLA_JOB_BACKOFF_BASE": "0.1",
            "FLOTILLA_JOB_BACKOFF_CAP": "0.2",
            "FLOTILLA_JOB_LEASE_SECONDS": str(LEASE_SECONDS),
            "FLOTILLA_JOB_GRACE_SECONDS": "2",
            "FLOTILLA_JOB_MAX_LOSSES": str(MAX_LOSSES),
            "FLOTILLA_DOCUMENT_MEMORY_LIMIT": str(MEMORY_LIMIT),
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        },
    )
    try:
        yield fleets
    finally:
        fleets.stop()
