"""When a submission is let in, and when it is to come again."""

import pytest

from flotilla.errors import DependencyUnavailable, Overloaded
from flotilla.gateway.backpressure import (
    INGESTIONS,
    QUESTIONS,
    SMOKE_TESTS,
    Backlog,
    Backlogs,
    Count,
)
from flotilla.settings import GatewaySettings


class Ledger:
    """So much waits there; and a clock."""

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = waiting
        self.time = 100.0
        self.counts = 0

    async def count(self) -> int:
        self.counts += 1
        return self.waiting

    def backlog(self, most: int) -> Backlog:
        return Backlog("ingestions", most, self.count, lambda: self.time)


async def refused(backlog: Backlog) -> float:
    with pytest.raises(Overloaded) as caught:
        await backlog.let_in()
    assert caught.value.retry_after is not None
    return caught.value.retry_after


async def test_what_is_let_in_counts_before_the_ledger_is_asked_again() -> None:
    ledger = Ledger(waiting=7)
    backlog = ledger.backlog(most=10)
    for _ in range(3):
        await backlog.let_in()
    await refused(backlog)
    assert ledger.counts == 1
    ledger.time += 1.1
    await backlog.let_in()  # the three were questions that are answered by now
    assert ledger.counts == 2


async def test_the_pause_follows_from_how_fast_the_fleet_works() -> None:
    ledger = Ledger(waiting=100)
    backlog = ledger.backlog(most=100)
    assert await refused(backlog) == 10  # nothing is known yet
    pauses = []
    for _ in range(20):
        ledger.time += 2
        ledger.waiting = 190  # ten a second, as far as it can tell: 100 were let in elsewhere
        await refused(backlog)
        ledger.time += 2
        ledger.waiting = 170
        pauses.append(await refused(backlog))
    assert 5 <= pauses[-1] <= 30
    for _ in range(20):
        ledger.time += 2  # nothing ends any more
        pauses.append(await refused(backlog))
    assert pauses[-1] == 60


async def test_many_who_are_turned_away_do_not_all_come_again_at_once() -> None:
    ledger = Ledger(waiting=110)
    backlog = ledger.backlog(most=100)
    await refused(backlog)
    ledger.time += 1
    ledger.waiting = 100  # ten a second
    pauses = [await refused(backlog) for _ in range(200)]
    assert pauses[0] == 1
    assert pauses[-1] == 20
    assert pauses == sorted(pauses)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/documents", INGESTIONS),
        ("POST", "/rag/pipeline", INGESTIONS),
        ("POST", "/documents/1/reindex", INGESTIONS),
        ("POST", "/collections/a/reindex", INGESTIONS),
        ("POST", "/rag/query", QUESTIONS),
        ("POST", "/rag/query/sync", QUESTIONS),
        ("POST", "/rag/search", QUESTIONS),
        ("POST", "/tasks/process", SMOKE_TESTS),
        ("POST", "/tasks/calculate/add", SMOKE_TESTS),
        ("POST", "/tasks/calculate/divide", SMOKE_TESTS),
        ("POST", "/tasks/workflow/chain", SMOKE_TESTS),
        ("POST", "/tasks/workflow/parallel", SMOKE_TESTS),
        ("POST", "/tasks/retry", None),
        ("GET", "/documents", None),
        ("DELETE", "/documents/1", None),
        ("POST", "/collections", None),
        ("POST", "/tasks/1/retry", None),
    ],
)
async def test_each_submission_has_its_own_limit(method: str, path: str, kind: str | None) -> None:
    asked: list[str] = []

    def count(of: str) -> Count:
        async def counted() -> int:
            asked.append(of)
            return 5

        return counted

    limits = {each: 5 if each == kind else 6 for each in (INGESTIONS, QUESTIONS, SMOKE_TESTS)}
    settings = GatewaySettings(
        max_pending_jobs=limits[INGESTIONS],
        max_pending_queries=limits[QUESTIONS],
        max_pending_smoke_tests=limits[SMOKE_TESTS],
    )
    backlogs = Backlogs(settings, {each: count(each) for each in limits})
    if kind is None:
        await backlogs.let_in(method, path)
        assert asked == []
    else:
        with pytest.raises(Overloaded):
            await backlogs.let_in(method, path)
        assert asked == [kind]


async def test_a_ledger_that_does_not_answer_is_told_and_asked_again() -> None:
    ledger = Ledger()
    backlog = ledger.backlog(most=1)
    count, backlog._count = backlog._count, None  # type: ignore[assignment]

    async def fail() -> int:
        raise DependencyUnavailable("The ledger does not answer.")

    backlog._count = fail
    with pytest.raises(DependencyUnavailable):
        await backlog.let_in()
    backlog._count = count
    await backlog.let_in()
