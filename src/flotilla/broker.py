"""The Celery app: queues, routes, the settings of each fleet, and how a worker is run.

Fleet = queue = task-name prefix: `document.convert` goes to the queue `document`. Tasks of the
package `upkeep` and whatever has no fleet's prefix go to the queue `default`. Fleets never import
one another's tasks: everything is sent by name.
"""

import platform
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.backends.redis import RedisBackend
from celery.schedules import crontab
from celery.signals import (
    setup_logging,
    worker_init,
)
from kombu import Queue

from flotilla import heartbeats
from flotilla.errors import FlotillaError
from flotilla.events import FleetEvents
from flotilla.logging import configure_logging
from flotilla.priorities import STEPS, use_two_lanes
from flotilla.recycling import recycle
from flotilla.settings import FLEETS, Settings, ThreadedFleetSettings, get_settings

TASK_MODULES = {
    "document": "flotilla.document.tasks",
    "vectorstore": "flotilla.vectorstore.tasks",
    "rag": "flotilla.rag.tasks",
    "default": "flotilla.upkeep.tasks",
}

# Seconds after which Redis gives the message of a dead worker to another. Longer than nearly all
# tasks of the fleet take: one that comes back meanwhile finds its step held, and does nothing.
VISIBILITY_TIMEOUT = {"document": 600, "vectorstore": 600, "rag": 300, "default": 300}


def queue_of(task: str) -> str:
    """The queue that a task's name routes to."""
    prefix = task.partition(".")[0]
    return prefix if prefix in FLEETS else "default"


class ChordResults(RedisBackend):
    """Results in Redis for chords to count, and for nobody to wait on.

    Celery's own subscribes to the result of each task that a process sends. A gateway sends for
    ever: it would gather subscriptions, and after Redis was gone for twenty seconds it could send
    nothing until it was started anew.
    """

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Subscribe to nothing: the end of a job is announced by the ledger."""


def create_app(settings: Settings) -> Celery:
    """A Celery app over the settings' Redis; safe wherever tasks are only sent."""
    use_two_lanes()
    backend = f"{__name__}:ChordResults+{settings.redis_url}"
    app = Celery("flotilla", events=FleetEvents, broker=settings.redis_url, backend=backend)
    app.conf.update(
        task_queues=[Queue(fleet) for fleet in FLEETS],
        task_default_queue="default",
        task_routes=(lambda name, *_args, **_kwargs: {"queue": queue_of(name)},),
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        result_expires=3600,  # only chords read them; the ledger keeps what matters
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_track_started=False,
        task_send_sent_event=False,
        task_allow_error_cb_on_chord_header=True,
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        # A task that outlives its connection goes on under its lease; the message that comes back
        # meanwhile finds the step held, and later done.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options("default")
        | {"socket_connect_timeout": 5, "socket_keepalive": True, "priority_steps": STEPS},
        redis_socket_connect_timeout=5,
        redis_socket_keepalive=True,
        event_queue_ttl=60.0,
        event_queue_expires=60.0,
        beat_schedule=BEAT_SCHEDULE,
        beat_schedule_filename=str(settings.data_dir / "beat-schedule"),
    )
    return app


BEAT_SCHEDULE = {
    # No "expires": a worker whose clock is wrong would take every message for an old one.
    "reap": {"task": "upkeep.reap", "schedule": 3.0},
    "forget": {"task": "upkeep.retain", "schedule": 3600.0},
    "sweep": {"task": "upkeep.begin_sweep", "schedule": crontab(hour=3, minute=0)},
}


def _transport_options(fleet: str) -> dict[str, Any]:
    # A worker looks for messages to give back under its own fleet's keys, with its own timeout:
    # otherwise the fleet with the shortest timeout would take the work of all others.
    timeout = VISIBILITY_TIMEOUT[fleet]
    if fleet == "document":
        timeout = max(timeout, get_settings().document.time_limit + 60)
    return {
        "visibility_timeout": timeout,
        "unacked_key": f"unacked:{fleet}",
        "unacked_index_key": f"unacked_index:{fleet}",
        "unacked_mutex_key": f"unacked_mutex:{fleet}",
    }


app = create_app(get_settings())


def fleet_app(fleet: str) -> Celery:
    """The app set up as one fleet's worker: its queue, pool, limits and task module.

    `celery -A workers.document.worker worker` and `flotilla worker document` both start here.
    """
    settings = get_settings()
    pool: dict[str, Any] = {
        "document": {
            # PDFium is not thread-safe and a bad file may kill or bloat its process.
            "worker_pool": "prefork",
            "worker_concurrency": settings.document.concurrency,
            "task_soft_time_limit": settings.document.soft_time_limit,
            "task_time_limit": settings.document.time_limit,
            "worker_max_memory_per_child": settings.document.max_memory_per_child,
            "worker_max_tasks_per_child": settings.document.max_tasks_per_child,
        },
        # The model is loaded once and uses the machine's threads itself.
        "vectorstore": {
            "worker_pool": "threads",
            "worker_concurrency": settings.vectorstore.concurrency,
        },
        "rag": {"worker_pool": "threads", "worker_concurrency": settings.rag.concurrency},
        "default": {"worker_pool": "threads", "worker_concurrency": settings.default.concurrency},
    }[fleet]
    app.conf.update(
        pool,
        task_queues=[Queue(fleet)],
        imports=(TASK_MODULES[fleet],),
        broker_transport_options=app.conf.broker_transport_options | _transport_options(fleet),
    )
    heartbeats.show_as(fleet)
    return app


def run_worker(fleet: str, name: str | None = None, concurrency: int | None = None) -> None:
    """Run a worker of the fleet in this process until it is told to stop.

    Args:
        fleet: one of FLEETS.
        name: unique on the host; `<fleet>` when not given.
        concurrency: in place of the fleet's setting.
    """
    worker_app = fleet_app(fleet)
    settings = get_settings()
    if fleet != "document":  # whose processes the pool replaces itself
        limits: ThreadedFleetSettings = getattr(settings, fleet)
        recycle(limits.max_memory, limits.max_tasks)
    # Celery's own command line would import that of Flower and of every other extension.
    worker = worker_app.Worker(
        hostname=f"{name or fleet}@{platform.node()}",
        without_gossip=True,
        without_mingle=True,
        queues=fleet,
        loglevel=settings.log_level,
        concurrency=concurrency,
    )
    worker.start()
    raise SystemExit(worker.exitcode)


def run_beat(settings: Settings) -> None:
    """Run Celery beat in this process, its schedule in the data folder."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    app.Beat(loglevel=settings.log_level).run()


@setup_logging.connect
def _configure_logging(**_: Any) -> None:
    configure_logging(get_settings())


def at_start(prepare: Callable[[], object]) -> Callable[[], object]:
    """Have a function run before its worker takes work.

    What the worker cannot do without, such as the model or a setting, ends the start with one line
    instead of every task with an error.
    """

    def run(**_: Any) -> None:
        try:
            prepare()
        except FlotillaError as error:
            # Celery logs what other exceptions its signals' receivers raise, and goes on.
            raise SystemExit(f"error: {error.message}") from None

    worker_init.connect(run, weak=False)
    return prepare
