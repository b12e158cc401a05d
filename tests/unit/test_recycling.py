from flotilla.recycling import Recycler, resident_bytes


def recycler(ended: list[str], *, max_memory: int = 1 << 60, max_tasks: int = 1 << 60) -> Recycler:
    return Recycler(max_memory, max_tasks, lambda: ended.append("ended"))


def test_worker_that_has_served_long_enough_ends_once() -> None:
    ended: list[str] = []
    worker = recycler(ended, max_tasks=2)
    worker.count()
    worker.look()
    assert ended == []
    worker.count()
    worker.look()
    worker.look()
    assert ended == ["ended"]


def test_worker_that_has_grown_ends() -> None:
    ended: list[str] = []
    worker = recycler(ended, max_memory=resident_bytes() // 2)
    worker.look()
    assert ended == ["ended"]


def test_worker_within_its_limits_goes_on() -> None:
    ended: list[str] = []
    worker = recycler(ended, max_memory=resident_bytes() * 10)
    worker.look()
    assert ended == []
    assert resident_bytes() > 1_000_000
