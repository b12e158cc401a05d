"""Keeping leases: one thread a process renews what its tasks hold.

It dies with the process, and the leases run out: that is how the reaper learns of it. A lease that
could not be renewed, since another has taken the work over or the job is over, is marked lost; its
task notices at its next checkpoint.
"""

import os
import threading
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


class Lease:
    """What a task holds: `renew` says whether it still does."""

    def __init__(self, database: Database, renew: Callable[[Connection], bool]) -> None:
        self.database = database
        self.renew = renew
        self.lost = False


class LeaseKeeper:
    """Renews the process's leases until they are let go."""

    def __init__(self) -> None:
        self._held: set[Lease] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

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
                held = [lease for lease in self._held if not lease.lost]
            pause = usual
            for lease in held:
                try:
                    with lease.database.writing() as connection:
                        lease.lost = not lease.renew(connection)
                except DependencyUnavailable as error:
                    logger.warning("lease.not_renewed", error=str(error))
                    pause = min(usual, RETRY_SECONDS)
                except Exception:
                    logger.exception("lease.not_renewed")
                    pause = min(usual, RETRY_SECONDS)


@lru_cache(maxsize=1)
def _keeper(_pid: int) -> LeaseKeeper:
    return LeaseKeeper()


def get_keeper() -> LeaseKeeper:
    """The process's keeper. A forked child gets its own: threads do not survive a fork."""
    return _keeper(os.getpid())
