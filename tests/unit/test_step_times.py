import time

from flotilla.step_times import WHOLE, step, timing_steps, worked_elsewhere


def _work(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_step_within_another_counts_once() -> None:
    with timing_steps() as times, step("outer"):
        with step("inner"):
            _work(0.02)
        with step("inner"):
            _work(0.02)
    assert times.cpu["inner"] >= 0.04
    assert times.cpu["outer"] < times.cpu["inner"]
    for spent in (times.wall, times.cpu):
        assert spent["inner"] + spent["outer"] <= spent[WHOLE]


def test_work_of_other_threads_is_added_to_the_step_and_to_the_whole() -> None:
    with timing_steps() as times, step("embed"):
        worked_elsewhere("embed", 3.0)
    assert times.cpu["embed"] >= 3.0
    assert times.cpu[WHOLE] >= 3.0
    assert times.wall[WHOLE] < 3.0


def test_a_step_that_fails_is_counted_and_nothing_is_where_nobody_asks() -> None:
    with timing_steps() as times:
        try:
            with step("write"):
                raise ValueError
        except ValueError:
            pass
    with step("write"):
        pass
    assert list(times.rounded()["wall"]) == ["write", WHOLE]
