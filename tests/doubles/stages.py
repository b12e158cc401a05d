"""A worker of all fleets whose stages do what a document's metadata tells them to.

The ledger, the broker, the canvases and the tasks of `upkeep` are the real ones. A document bears
`{"conduct": {"document.convert": ["retryable", "ok"]}}`: what each attempt at a stage does, the
last for all that follow; `vectorstore.index:1` means one part of a stage. What is not named does
its work. Every call is noted in Redis, under `calls:<job id>`.
"""

import json
import os
import signal
import time
from typing import Any

from billiard.exceptions import SoftTimeLimitExceeded
from celery.canvas import Signature
from sqlalchemy import func, select

import flotilla.upkeep.tasks  # noqa: F401 - registers its tasks
from flotilla import pipelines
from flotilla.broker import app, get_redis
from flotilla.errors import (
    Cancelled,
    FileCorrupt,
    ModelRejected,
    ModelUnavailable,
    SourceUnavailable,
)
from flotilla.ledger import versions
from flotilla.ledger.jobs import Job
from flotilla.ledger.stages import StageRun, reply, stage
from flotilla.ledger.tables import STEPS

PATIENCE = 60.0
SECRET = "the content of a private document"
PARTS = 3


def perform(run: StageRun) -> None:
    redis = get_redis()
    redis.rpush(f"calls:{run.job.id}", f"{run.stage}:{run.part}:{run.attempt}")
    run.version()
    conduct = run.job.payload["metadata"].get("conduct", {})
    acts = conduct.get(f"{run.stage}:{run.part}") or conduct.get(run.stage) or ["ok"]
    act = acts[min(run.attempt, len(acts)) - 1]
    if act == "retryable":
        raise SourceUnavailable("The address did not answer: it will be tried again.")
    if act.startswith("later"):
        wait = float(act.partition(" ")[2])
        raise ModelUnavailable("The model's provider asks for patience.", retry_after=wait)
    if act == "final":
        raise FileCorrupt("The file is damaged: send a whole one.")
    if act == "crash":
        raise ValueError(SECRET)
    if act == "linger":
        raise SoftTimeLimitExceeded
    if act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "hold":
        redis.set(f"held:{run.job.id}", run.stage)
        deadline = time.monotonic() + PATIENCE
        while not redis.exists(f"go:{run.job.id}") and time.monotonic() < deadline:
            time.sleep(0.02)
        run.version()


@stage(pipelines.FETCH, time_limit=1)
def fetch(run: StageRun) -> None:
    perform(run)


@stage(pipelines.CONVERT)
def convert(run: StageRun) -> Signature | None:
    perform(run)
    run.describe(pages=PARTS)
    if run.job.payload["metadata"].get("long"):
        pages = range(1, PARTS + 1)
        return pipelines.convert_ranges(run.job.id, [(page, page) for page in pages])
    return None


@stage(pipelines.CONVERT_RANGE)
def convert_range(run: StageRun, first: int, last: int) -> None:
    perform(run)
    run.finish_part(last - first + 1, PARTS, "pages")


@stage(pipelines.SPLIT)
def split(run: StageRun) -> Signature:
    perform(run)
    with run.database.reading() as connection:
        done = select(func.count()).where(
            STEPS.c.job_id == run.job.id,
            STEPS.c.stage == pipelines.CONVERT_RANGE,
            STEPS.c.state == "done",
        )
        get_redis().rpush(f"ranges:{run.job.id}", str(connection.scalar(done)))
    run.describe(chunks=PARTS)
    run.progress(0, PARTS, "chunks")
    return pipelines.index_batches(run.job.id, PARTS)


@stage(pipelines.INDEX)
def index(run: StageRun) -> None:
    perform(run)
    run.finish_part(1, PARTS, "chunks")


@stage(pipelines.PUBLISH)
def publish(run: StageRun) -> None:
    perform(run)
    version = run.version()
    with run.database.writing() as connection:
        versions.publish(connection, version.document_id, version.id)


@reply(pipelines.ANSWER)
def answer(job: Job) -> str:
    redis = get_redis()
    acts = job.payload.get("conduct", ["ok"])
    act = acts[min(redis.rpush(f"calls:{job.id}", job.stage), len(acts)) - 1]
    if act == "retryable":
        raise ModelUnavailable("The model's provider did not answer: it will be tried again.")
    if act == "final":
        raise ModelRejected("The model's provider refused the request: check its key.")
    if act == "crash":
        raise ValueError(SECRET)
    if act == "cancel":
        raise Cancelled("Nobody waits for it.")
    return json.dumps({"text": "An answer."})


@stage(pipelines.REMOVE)
def remove(run: StageRun) -> None:
    get_redis().rpush(f"calls:{run.job.id}", run.stage)


@app.task(name=pipelines.DISCARD)
def discard(tenant_id: str, document_id: str, version_id: str) -> None:
    get_redis().set(f"discarded:{version_id}", document_id)


def main(*arguments: Any) -> None:
    app.worker_main(["worker", "--pool", "prefork", "--concurrency", "3", *arguments])


if __name__ == "__main__":
    main("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO")
