"""Sending deliveries, in threads of their own: a slow receiver holds up no task of the fleet.

A message or the reaper only wakes them. What is due, and who may send it, is in the ledger, so
that a lost message or a lost worker costs seconds and nothing else.
"""

import os
import platform
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import lru_cache
from typing import Any

from celery.signals import worker_shutting_down

from flotilla import pipelines
from flotilla.broker import app
from flotilla.errors import FlotillaError
from flotilla.ledger import deliveries, signing_secrets, webhooks
from flotilla.ledger.database import Database, get_database, now
from flotilla.ledger.deliveries import Claimed
from flotilla.logging import get_logger
from flotilla.schemas import Callback
from flotilla.settings import WebhookSettings, get_settings
from flotilla.upkeep.callbacks import GONE, Outcome, call, signature

logger = get_logger(__name__)

# Deliveries at once to one receiver, by one worker: one that is slow leaves room for others.
PER_RECEIVER = 4
# Deliveries, and seconds, after which a thread looks whether others have waited for longer.
TURN = 20
TURN_SECONDS = 1.0
# Seconds beyond the receiver's own: for its name to be resolved, and for the ledger.
LEASE_MARGIN = 30.0
LONGEST_DELAY = 30 * 86_400.0  # seconds; longer than anything is tried for


class Senders:
    """The threads that send.

    Args:
        database: the ledger.
        settings: limits, and the secret of callback URLs where the operator gives one.
    """

    def __init__(self, database: Database, settings: WebhookSettings) -> None:
        self._database = database
        self._settings = settings
        self._name = f"{platform.node()}:{os.getpid()}"
        self._lease = timedelta(seconds=settings.timeout + LEASE_MARGIN)
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._turns: dict[str, float] = {}  # when a receiver had its last one
        self._turned_away = False
        self._stopped = False
        self._threads = ThreadPoolExecutor(
            max_workers=settings.concurrency, thread_name_prefix="webhooks"
        )

    def wake(self, receiver: str | None = None) -> int:
        """Begin to send what is due, to one receiver or to all; returns how many threads began.

        Raises:
            DependencyUnavailable: the ledger is out of reach.
        """
        if receiver is not None:
            return self._start({receiver: 1})
        with self._database.reading() as connection:
            due = deliveries.due_receivers(connection, 4 * self._settings.concurrency)
        with self._lock:
            known = due.keys() | self._running.keys()
            self._turns = {each: began for each, began in self._turns.items() if each in known}
        return self._start(due)

    def stop(self, wait: bool = False) -> None:
        """Begin nothing more; with `wait`, until what is being sent is over."""
        with self._lock:
            self._stopped = True
        self._threads.shutdown(wait=wait, cancel_futures=True)

    def _start(self, due: dict[str, int]) -> int:
        started: Counter[str] = Counter()
        with self._lock:
            self._turned_away = False
            # Those that had no turn for longest come first: what is due to a receiver that hangs
            # has waited for longer than what is due to any other, and does so again and again.
            order = sorted(due, key=lambda receiver: self._turns.get(receiver, 0.0))
            # One thread for each receiver first, then second ones.
            for running in range(PER_RECEIVER):
                for receiver in order:
                    if self._running[receiver] != running or started[receiver] >= due[receiver]:
                        continue
                    if self._stopped or self._running.total() >= self._settings.concurrency:
                        self._turned_away = not self._stopped
                        return started.total()
                    self._running[receiver] += 1
                    self._turns[receiver] = time.monotonic()
                    self._threads.submit(self._work, receiver)
                    started[receiver] += 1
        return started.total()

    def _work(self, receiver: str) -> None:
        sent = 0
        over = time.monotonic() + TURN_SECONDS
        turn_over = False
        try:
            while not (turn_over or self._stopped) and self._send_next(receiver):
                sent += 1
                turn_over = sent >= TURN or time.monotonic() >= over
        except FlotillaError as error:  # the ledger is out of reach, and knows what is left
            logger.warning("webhook.interrupted", error=error.message)
        except Exception as error:
            logger.error("webhook.crashed", exc_info=error)
        finally:
            with self._lock:
                self._running[receiver] -= 1
                if not self._running[receiver]:
                    del self._running[receiver]
                others = self._turned_away or turn_over
        if others and not self._stopped:
            try:
                self.wake()
            except (FlotillaError, RuntimeError) as error:  # the reaper wakes it again
                logger.warning("webhook.interrupted", error=str(error))

    def _send_next(self, receiver: str) -> bool:
        """Send what has been due to the receiver for longest; False when nothing is."""
        with self._database.writing() as connection:
            claimed = deliveries.claim(connection, receiver, self._name, self._lease)
            if claimed is None:
                return False
            if claimed.secret is not None:
                secrets: tuple[str, ...] = (claimed.secret,)
            elif self._settings.secret is not None:
                secrets = (self._settings.secret.get_secret_value(),)
            else:
                secrets = signing_secrets.signing(connection, claimed.tenant_id)
        began = time.monotonic()
        outcome = self._call(claimed, secrets)
        self._record(claimed, outcome, time.monotonic() - began)
        return True

    def _call(self, claimed: Claimed, secrets: tuple[str, ...]) -> Outcome:
        try:
            content = Callback.model_validate(
                {
                    "event": claimed.event,
                    "delivery_id": claimed.id,
                    "attempt": claimed.attempt,
                    "created_at": claimed.created_at,
                    "task": claimed.task,
                }
            )
            body = content.model_dump_json().encode()
            headers = {
                "Flotilla-Event": claimed.event,
                "Flotilla-Delivery": claimed.id,
                "Flotilla-Signature": signature(secrets, int(now().timestamp()), body),
            }
            return call(
                claimed.url,
                body,
                headers,
                timeout=self._settings.timeout,
                allow_private=self._settings.allow_private,
            )
        except Exception as error:
            logger.error("webhook.crashed", delivery_id=claimed.id, exc_info=error)
            message = f"An internal error ({type(error).__name__}): the worker's log has it."
            return Outcome(None, message)

    def _record(self, claimed: Claimed, outcome: Outcome, seconds: float) -> None:
        result: dict[str, Any] = {
            "status": outcome.status,
            "message": outcome.message,
            "seconds": seconds,
        }
        with self._database.writing() as connection:
            if outcome.success:
                known = deliveries.record_success(connection, claimed, **result)
            else:
                delay = None if outcome.final else self._delay(claimed.attempt, outcome.retry_after)
                known = deliveries.record_failure(connection, claimed, **result, delay=delay)
                if known and outcome.status == GONE and claimed.webhook_id is not None:
                    webhooks.disable(connection, claimed.webhook_id, outcome.message)
        logger.info(
            "webhook.sent" if outcome.success else "webhook.not_sent",
            delivery_id=claimed.id,
            attempt=claimed.attempt,
            status=outcome.status,
            late=not known,
        )

    def _delay(self, attempt: int, retry_after: float | None) -> timedelta:
        """Until the next attempt: exponential with full jitter, never before Retry-After."""
        settings = self._settings
        ceiling = min(settings.backoff_cap, settings.backoff_base * 2 ** min(attempt - 1, 30))
        seconds = max(retry_after or 0.0, random.uniform(0, ceiling))
        return timedelta(seconds=min(seconds, LONGEST_DELAY))


_making = threading.Lock()


@lru_cache(maxsize=1)
def _made(_pid: int) -> Senders:
    return Senders(get_database(), get_settings().webhook)


def _senders() -> Senders:
    """The process's: a forked child has none of its parent's threads."""
    with _making:
        return _made(os.getpid())


def send_due() -> int:
    """Begin to send whatever is due, and return at once; says how many threads began.

    Raises:
        DependencyUnavailable: the ledger is out of reach.
    """
    return _senders().wake()


@app.task(name=pipelines.CALL_BACK)
def call_back(delivery_id: str) -> None:
    """Begin to send to the receiver of a delivery that has just become due."""
    with get_database().reading() as connection:
        receiver = deliveries.receiver_of(connection, delivery_id)
    if receiver is not None:
        _senders().wake(receiver)


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    # What is being sent is waited for when the process ends; the rest is another worker's.
    if _made.cache_info().currsize:
        _senders().stop()
