"""The thread that keeps a process's leases, and what it does with tasks that are stuck."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from flotilla.ledger import leases
from flotilla.ledger.leases import Lease, LeaseKeeper
from tests.conftest import wait_until


class NoLedger:
    """Transactions of nothing."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        yield


class Watched:
    """A keeper, with what it has done to its process."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.renewed: list[str] = []
        self.keeper = LeaseKeeper(lambda: self.done.append("stop"), lambda: self.done.append("end"))

    def lease(
        self, name: str, patience: float | None, give_up: Callable[[], object] | None = None
    ) -> Lease:
        def renew(_connection: Any) -> bool:
            self.renewed.append(name)
            return True

        return Lease(NoLedger(), renew, patience, give_up)  # type: ignore[arg-type]

    def rounds(self, name: str, count: int = 3) -> None:
        """Wait for some rounds in which this lease is renewed."""
        target = self.renewed.count(name) + count
        wait_until(lambda: self.renewed.count(name) >= target)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(leases, "lease_time", lambda: timedelta(seconds=0.03))
    return Watched()


def test_a_task_that_gets_on_keeps_its_lease(watched: Watched) -> None:
    with (
        watched.keeper.holding(watched.lease("patient", None)),
        watched.keeper.holding(watched.lease("alive", 3600)) as alive,
    ):
        watched.rounds("alive")
        watched.rounds("patient")
        assert not alive.lost
        assert not alive.overdue
    assert watched.done == []


def test_a_sign_of_life_renews_patience(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [0.0]
    monkeypatch.setattr(leases.time, "monotonic", lambda: moment[0])
    lease = watched.lease("one", 10)
    moment[0] = 9
    lease.alive()
    moment[0] = 18
    assert not lease.overdue
    moment[0] = 20
    assert lease.overdue


def test_a_stuck_task_loses_its_lease_and_is_told_of_once(watched: Watched) -> None:
    told: list[str] = []
    with (
        watched.keeper.holding(watched.lease("other", None)),
        watched.keeper.holding(watched.lease("stuck", 0.0, lambda: told.append("it"))) as stuck,
    ):
        wait_until(lambda: stuck.lost)
        watched.rounds("other")
        # The others are waited for, and their leases kept.
        assert watched.done == ["stop"]
    assert told == ["it"]
    assert "stuck" not in watched.renewed


def test_a_process_ends_that_has_nothing_left_but_what_is_stuck(watched: Watched) -> None:
    with watched.keeper.holding(watched.lease("stuck", 0.0)):
        wait_until(lambda: "end" in watched.done)
    assert watched.done[:2] == ["stop", "end"]


def test_a_task_that_is_stuck_after_it_has_lost_its_lease_is_not_told_of(watched: Watched) -> None:
    told: list[str] = []
    lease = watched.lease("stuck", 0.0, lambda: told.append("it"))
    lease.lost = True  # its job was cancelled, say
    with watched.keeper.holding(lease):
        wait_until(lambda: "end" in watched.done)
    assert told == []


def test_a_ledger_that_is_away_does_not_keep_a_process_with_stuck_work(watched: Watched) -> None:
    tried = threading.Event()

    def give_up() -> None:
        tried.set()
        raise ConnectionError

    with watched.keeper.holding(watched.lease("stuck", 0.0, give_up)):
        wait_until(lambda: "end" in watched.done)
    assert tried.is_set()
