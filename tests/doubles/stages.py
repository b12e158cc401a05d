"""A worker of all fleets whose stages do what a document's metadata tells them to.

The ledger, the broker, the canvases and the tasks of `upkeep` are the real ones. A document bears
`{"conduct": {"document.convert": ["retryable", "ok"]}}`: what each call of a stage does, the last
for all that follow; `vectorstore.index:1` means one part of a stage. What is not named does its
work. Every call is noted in Redis, under `calls:<job id>`, with the process under `pids:<job id>`.
"""

import json
import os
import signal
import time
from typing import Any

from billiard.exceptions import SoftTimeLimitExceeded
from celery.canvas import Signature
from celery.signals import worker_process_init
from sqlalchemy import func, select

import flotilla.upkeep.tasks  # noqa: F401 - registers its tasks
from flotilla import pipelines
from flotilla.broker import app
from flotilla.document.memory import watch_memory
from flotilla.errors import (
    Cancelled,
    DependencyUnavailable,
    FileCorrupt,
    FlotillaError,
    LeaseLost,
    ModelRejected,
    ModelUnavailable,
    SourceUnavailable,
)
from flotilla.ledger import jobs, recovery, versions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import get_database
from flotilla.ledger.deaths import OUT_OF_MEMORY_EXIT
from flotilla.ledger.replies import reply
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.ledger.runs import StageRun
from flotilla.ledger.stages import stage
from flotilla.ledger.tables import STEPS
from flotilla.redis_connections import get_redis
from flotilla.settings import get_settings
from tests.doubles.private_content import SECRET

PATIENCE = 120.0
PARTS = 3


ERRORS: dict[str, Exception] = {
    "retryable": SourceUnavailable("The address did not answer: it will be tried again."),
    "outage": DependencyUnavailable("Qdrant does not answer."),
    "final": FileCorrupt("The file is damaged: send a whole one."),
    "crash": ValueError(SECRET),
    "linger": SoftTimeLimitExceeded(),
}
SIGNALS = {"kill": signal.SIGKILL, "segfault": signal.SIGSEGV}


@worker_process_init.connect
def _limit_memory(**_: Any) -> None:
    watch_memory(get_settings().document.memory_limit)


def perform(run: StageRun) -> None:
    redis = get_redis()
    name = f"{run.stage}:{run.part}"
    redis.rpush(f"pids:{run.job.id}", f"{name}:{os.getpid()}")
    redis.rpush(f"calls:{run.job.id}", f"{name}:{run.attempt}")
    call = int(redis.incr(f"call:{run.job.id}:{name}"))
    run.version()
    conduct = run.job.payload["metadata"].get("conduct", {})
    acts = conduct.get(name) or conduct.get(run.stage) or ["ok"]
    act = acts[min(call, len(acts)) - 1]
    if act in ERRORS:
        raise ERRORS[act]
    if act.startswith("later"):
        wait = float(act.partition(" ")[2])
        raise ModelUnavailable("The model's provider asks for patience.", retry_after=wait)
    if act in SIGNALS:
        os.kill(os.getpid(), SIGNALS[act])
    if act == "out of memory":
        os._exit(OUT_OF_MEMORY_EXIT)
    if act.startswith("allocate"):
        allocate(int(act.partition(" ")[2]))
    if act.startswith("grab"):
        bytearray(int(act.partition(" ")[2]))
    if act == "hold":
        hold(run)
        run.version()
    if act == "hold and write":
        hold(run)
        try:
            run.describe(content_type="text/late")
        except FlotillaError as error:
            redis.rpush(f"refused:{run.job.id}", error.code)
            raise


def hold(run: StageRun | ReplyRun) -> None:
    """Wait until the test lets it go."""
    redis = get_redis()
    redis.set(f"held:{run.job.id}", run.job.stage)
    deadline = time.monotonic() + PATIENCE
    while not redis.exists(f"go:{run.job.id}") and time.monotonic() < deadline:
        time.sleep(0.02)


def allocate(size: int) -> None:
    """Take memory in pieces, as a document that unpacks does."""
    taken = []
    for _ in range(size // 2**24):
        taken.append(bytearray(os.urandom(2**12)) * 2**12)
        time.sleep(0.01)
    time.sleep(2)


@stage(pipelines.FETCH, time_limit=1)
def fetch(run: StageRun) -> None:
    perform(run)


@stage(pipelines.CONVERT)
def convert(run: StageRun) -> Signature | None:
    perform(run)
    run.describe(pages=PARTS)
    if parts := run.job.payload["metadata"].get("long"):
        pages = range(1, (PARTS if parts is True else parts) + 1)
        planned = run.plan(pipelines.CONVERT_RANGE, [(page, page) for page in pages])
        return pipelines.convert_ranges(run.job.id, planned)
    return None


@stage(pipelines.CONVERT_RANGE)
def convert_range(run: StageRun, first: int, last: int) -> None:
    perform(run)
    run.finish_part(last - first + 1, PARTS, "pages")


@stage(pipelines.SPLIT, after=pipelines.CONVERT_RANGE)
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
    return pipelines.index_batches(run.job.id, run.plan(pipelines.INDEX, [()] * PARTS))


@stage(pipelines.INDEX)
def index(run: StageRun) -> None:
    perform(run)
    run.finish_part(1, PARTS, "chunks")


@stage(pipelines.PUBLISH, after=pipelines.INDEX, wave=pipelines.index_batches)
def publish(run: StageRun) -> None:
    perform(run)
    version = run.version()
    with run.writing(document=True) as connection:
        versions.publish(connection, version.document_id, version.id)


@stage(pipelines.REINDEX)
def reindex(run: StageRun) -> Signature:
    perform(run)
    return pipelines.index_again(run.job.id, run.plan(pipelines.INDEX_AGAIN, [()] * PARTS))


@stage(pipelines.INDEX_AGAIN)
def index_again(run: StageRun) -> None:
    perform(run)
    run.finish_part(1, PARTS, "chunks")


@stage(pipelines.CONFIRM, after=pipelines.INDEX_AGAIN, wave=pipelines.index_again)
def confirm(run: StageRun) -> None:
    perform(run)


@reply(pipelines.ANSWER)
def answer(run: ReplyRun) -> str:
    job, redis = run.job, get_redis()
    acts = job.payload.get("conduct", ["ok"])
    act = acts[min(redis.rpush(f"calls:{job.id}", job.stage), len(acts)) - 1]
    if act == "retryable":
        raise ModelUnavailable("The model's provider did not answer: it will be tried again.")
    if act == "outage":
        raise DependencyUnavailable("Qdrant does not answer.")
    if act == "final":
        raise ModelRejected("The model's provider refused the request: check its key.")
    if act == "crash":
        raise ValueError(SECRET)
    if act == "cancel":
        raise Cancelled("Nobody waits for it.")
    if act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "hold":
        hold(run)
        run.checkpoint()
        redis.set(f"paid:{job.id}", 1)
    if act == "write with the end":
        run.with_end.append(lambda connection: jobs.add(connection, [_trace(job.id)]))
        run.after_end.append(lambda: redis.rpush(f"after:{job.id}", 1))
    if act == "fail after the end":
        run.after_end.append(lambda: 1 / 0)
    if act == "lose what it is about":
        run.with_end.append(lambda connection: jobs.add(connection, [_trace(job.id)]))
        run.with_end.append(_gone)
        run.after_end.append(lambda: redis.rpush(f"after:{job.id}", 1))
    if act == "lost":
        raise LeaseLost("Another worker has taken this over.")
    return json.dumps({"text": "An answer."})


def _trace(job_id: str) -> jobs.NewJob:
    """Something that is written: a job that is told of another."""
    return jobs.NewJob(
        tenant_id=DEFAULT_TENANT,
        kind="demo",
        queue="default",
        stage="upkeep.process",
        payload={"name": job_id},
    )


def _gone(_connection: object) -> None:
    raise Cancelled("What it was about was deleted.")


@stage(pipelines.REMOVE)
def remove(run: StageRun) -> None:
    get_redis().rpush(f"calls:{run.job.id}", run.stage)
    run.finish_part(len(run.job.payload["document_ids"]), None, "points")


@app.task(name=pipelines.DISCARD)
def discard(job_id: str) -> None:
    with get_database().reading() as connection:
        job = jobs.get(connection, job_id)
    assert job is not None
    get_redis().set(f"discarded:{job.version_id}", str(job.document_id))
    with get_database().writing() as connection:
        recovery.mark_cleaned(connection, job_id)


def main(*arguments: Any) -> None:
    pool = os.environ.get("STAGES_POOL", "prefork")
    app.worker_main(["worker", "--pool", pool, "--concurrency", "3", *arguments])


if __name__ == "__main__":
    import sys

    main("--without-gossip", "--without-mingle", "--without-heartbeat", *sys.argv[1:])
