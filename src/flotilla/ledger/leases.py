"""Keeping leases: one thread a process renews what its tasks hold.

It dies with the process, and the leases run out: that is how the reaper learns of it. A lease that
could not be renewed, since another has taken the work over or the job is over, is marked lost; its
task notices at its next checkpoint.

A thread cannot be ended from outside. One that has shown no sign of life for too long loses its
lease, so that another goes on with its work; its process then takes no more, and ends as soon as
nothing but what is stuck is left in it.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from sqlalchemy import Connection

from flotilla.errors import DependencyUnavailable
from flotilla.ledger.database import Database
from flotilla.ledger.steps import lease_time
from flotilla.logging import get_logger

logger = get_logger(__name__)

RETRY_SECONDS = 1.0


STUCK_EXIT = 70
"""With this a process ends that has nothing left but threads that are stuck; whoever runs it starts
the next."""


class Lease:
    """What a task holds.

    Args:
        database: the ledger.
        renew: holds it for longer; says whether the task still has it.
        patience: seconds without a sign of life after which the task is taken for stuck; None
            where something else ends what takes too long.
        give_up: called then, once; it tells the ledger.
    """

    def __init__(
        self,
        database: Database,
        renew: Callable[[Connection], bool],
        patience: float | None = None,
        give_up: Callable[[], object] | None = None,
    ) -> None:
        self.database = database
        self.renew = renew
        self.lost = False
        self.stuck = False
        self.give_up = give_up
        self.thread = threading.get_ident()
        self._patience = patience
        self._alive_at = time.monotonic()

    def alive(self) -> None:
        """The task is getting on."""
        self._alive_at = time.monotonic()

    @property
    def overdue(self) -> bool:
        """Whether the task has shown no sign of life for too long."""
        return self._patience is not None and time.monotonic() - self._alive_at > self._patience


def _take_no_more() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _end_at_once() -> None:
    os._exit(STUCK_EXIT)


class LeaseKeeper:
    """Renews the process's leases until they are let go.

    Args:
        stop: has the process take no more work; called once a task is stuck.
        end: ends it without waiting; called when only what is stuck is left.
    """

    def __init__(
        self,
        stop: Callable[[], object] = _take_no_more,
        end: Callable[[], object] = _end_at_once,
    ) -> None:
        self._held: set[Lease] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._stop = stop
        self._end = end
        self._stopping = False

    @contextmanager
    def holding(self, lease: Lease) -> Iterator[Lease]:
        """Have the lease renewed while the work inside goes on."""
        with self._lock:
            self._held.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
        try:
            yield lease
        finally:
            with self._lock:
                self._held.discard(lease)

    def _run(self) -> None:
        usual = lease_time().total_seconds() / 3
        pause = usual
        while True:
            self._wake.wait(pause)
            with self._lock:
                held = [lease for lease in self._held if not lease.stuck]
            pause = usual
            for lease in held:
                if lease.overdue:
                    self._give_up(lease)
                elif not lease.lost and not self._renewed(lease):
                    pause = min(usual, RETRY_SECONDS)
            self._end_if_stuck()

    def _renewed(self, lease: Lease) -> bool:
        """Whether the ledger has answered."""
        try:
            with lease.database.writing() as connection:
                lease.lost = not lease.renew(connection)
        except DependencyUnavailable as error:
            logger.warning("lease.not_renewed", error=str(error))
            return False
        except Exception:
            logger.exception("lease.not_renewed")
            return False
        return True

    def _give_up(self, lease: Lease) -> None:
        held, lease.lost, lease.stuck = not lease.lost, True, True
        frame = sys._current_frames().get(lease.thread)
        logger.error("lease.stuck", at="".join(traceback.format_stack(frame)) if frame else None)
        try:
            if held and lease.give_up is not None:
                lease.give_up()
        except Exception:  # it runs out in its own time
            logger.exception("lease.not_given_up")

    def _end_if_stuck(self) -> None:
        with self._lock:
            stuck = sum(lease.stuck for lease in self._held)
            others = len(self._held) - stuck
        if stuck and not self._stopping:
            self._stopping = True
            self._stop()
        elif stuck and not others:
            # What has been taken since the last look has begun by now, and is waited for.
            self._end()


@lru_cache(maxsize=1)
def _keeper(_pid: int) -> LeaseKeeper:
    return LeaseKeeper()


def get_keeper() -> LeaseKeeper:
    """The process's keeper. A forked child gets its own: threads do not survive a fork."""
    return _keeper(os.getpid())
