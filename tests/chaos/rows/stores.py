"""Rows about what Flotilla keeps things in: Qdrant, the ledger's database, the blobs."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos import mounts
from tests.chaos.postgresql import PostgreSQL
from tests.chaos.trial import Around, Row, Trial
from tests.chaos.verdict import AT_WORK, failed_attempts, hit_work

QDRANT_PAUSE = 40.0
"""Longer than the 30 s that a request to Qdrant may take: some of them fail."""
LOCK_SECONDS = 20.0
FULL_SECONDS = 20.0
READ_ONLY_SECONDS = 15.0

DISK_MEGABYTES = 400
"""The engine maps files of 32 MB that are mostly holes; this holds a few of them."""


# --- Qdrant --------------------------------------------------------------------------------


def _kill_qdrant(trial: Trial) -> None:
    for _ in range(4):
        trial.until_share(0.02, 0.1)
        trial.await_claim(("vectorstore.",))
        trial.restart("qdrant", signal.SIGKILL)
        trial.rest(4.0, 8.0)


def _pause_qdrant(trial: Trial) -> None:
    trial.until_share(0.1, 0.4)
    trial.await_claim(("vectorstore.",))
    trial.halt("qdrant", QDRANT_PAUSE)


@contextmanager
def _small_disk(data: Path) -> Iterator[Around]:
    folder = data / "qdrant"
    folder.mkdir(parents=True, exist_ok=True)
    with mounts.small_disk(folder, DISK_MEGABYTES):
        yield Around()


def _fill_disk(trial: Trial) -> None:
    """Every byte that is left is taken, and given back after a while."""
    trial.until_share(0.1, 0.3)
    trial.await_claim(("vectorstore.",))
    ballast = trial.stack.data / "qdrant" / "ballast"
    with trial.watch.outage():
        _fill(ballast)
        trial.note(f"Qdrant's disk full for {FULL_SECONDS:g} s")
        ends = time.monotonic() + FULL_SECONDS
        while time.monotonic() < ends:
            _fill(ballast)  # what a restart or an optimiser has freed
            time.sleep(0.5)
        ballast.unlink()


def _fill(path: Path) -> None:
    block = b"\0" * 65536
    with path.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(block)
        except OSError:
            return


# --- the ledger ----------------------------------------------------------------------------


def _lock_ledger(trial: Trial) -> None:
    """Another process writes, and does not come to an end."""
    trial.until_share(0.1, 0.4)
    at_work = trial.await_claim(("document.", "vectorstore.")) is not None
    with trial.watch.outage():
        connection = sqlite3.connect(trial.stack.data / "ledger.sqlite", timeout=30)
        try:
            connection.execute("BEGIN IMMEDIATE")
            trial.note(f"the ledger locked for {LOCK_SECONDS:g} s" + at_work * AT_WORK)
            before = trial.stack.ledger.steps(trial.collection)
            time.sleep(LOCK_SECONDS)
            assert trial.stack.ledger.steps(trial.collection) == before, "the lock kept nobody off"
            connection.rollback()
        finally:
            connection.close()


@contextmanager
def _postgresql(_: Path) -> Iterator[Around]:
    with PostgreSQL() as server:
        yield Around({"DATABASE_URL": server.url}, server)


def _restart_postgresql(trial: Trial) -> None:
    """Once as `pg_ctl restart` does it, once by killing it."""
    assert trial.server is not None
    for number in (signal.SIGINT, signal.SIGQUIT):
        trial.until_share(0.05, 0.3)
        at_work = trial.await_claim(("document.", "vectorstore.")) is not None
        with trial.watch.outage():
            trial.server.stop(number)
            trial.note(f"PostgreSQL ended by {number.name}" + at_work * AT_WORK)
            time.sleep(trial.dice.uniform(1, 5))
            trial.server.start()
        trial.rest(5.0, 9.0)


# --- blobs ---------------------------------------------------------------------------------


def _read_only(trial: Trial) -> None:
    trial.until_share(0.0, 0.1)  # while uploads and chunks are written
    with trial.watch.outage(), mounts.read_only(trial.stack.data / "blobs"):
        trial.note(f"the blobs read-only for {READ_ONLY_SECONDS:g} s")
        time.sleep(READ_ONLY_SECONDS)


ROWS = (
    Row(
        "qdrant-killed",
        "SIGKILL of the Qdrant node, four times",
        _kill_qdrant,
        questions=True,
        felt=failed_attempts("vectorstore", "rag"),
    ),
    Row(
        "qdrant-paused",
        f"the Qdrant node paused for {QDRANT_PAUSE:g} s (SIGSTOP)",
        _pause_qdrant,
        questions=True,
        felt=failed_attempts("vectorstore", "rag"),
    ),
    Row(
        "qdrant-full",
        f"the Qdrant node's disk full for {FULL_SECONDS:g} s",
        _fill_disk,
        felt=failed_attempts("vectorstore"),
        obstacle=mounts.obstacle,
        around=_small_disk,
    ),
    Row(
        "ledger-locked",
        f"the ledger (SQLite) locked for {LOCK_SECONDS:g} s",
        _lock_ledger,
        felt=hit_work,
    ),
    Row(
        "postgresql",
        "the ledger on PostgreSQL, which is restarted and killed",
        _restart_postgresql,
        felt=hit_work,
        obstacle=PostgreSQL.obstacle,
        around=_postgresql,
    ),
    Row(
        "blobs",
        f"the blobs read-only for {READ_ONLY_SECONDS:g} s",
        _read_only,
        felt=failed_attempts("document"),
        obstacle=mounts.obstacle,
    ),
)
