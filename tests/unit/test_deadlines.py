import contextvars
import threading
from collections.abc import Iterator

import pytest

from flotilla.deadlines import Deadline, current, pieces, wait_for
from tests.conftest import wait_until

LONG = 3600.0


def test_the_result_and_the_error_of_work_are_its_waiters() -> None:
    assert wait_for(lambda: 7, Deadline(LONG)) == 7
    with pytest.raises(KeyError, match="missing"):
        wait_for(lambda: {}["missing"], Deadline(LONG))


def test_work_that_hangs_is_left_alone() -> None:
    hanging = threading.Event()
    with pytest.raises(TimeoutError):
        wait_for(hanging.wait, Deadline(0.1))
    hanging.set()


def test_work_has_the_context_of_who_waits() -> None:
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(3)
    deadline = Deadline(LONG)
    with deadline.active():
        assert wait_for(lambda: (variable.get(), current()), Deadline(LONG)) == (3, deadline)
    assert current() is None


def test_pieces_come_as_they_are_made_and_end_with_an_error() -> None:
    def work() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("broken")

    source = pieces(work, Deadline(LONG))
    assert [next(source), next(source)] == [1, 2]
    with pytest.raises(OSError, match="broken"):
        next(source)


def test_silence_between_two_pieces_is_bounded_and_the_first_is_waited_for() -> None:
    go_on, closed = threading.Event(), threading.Event()

    def work() -> Iterator[int]:
        try:
            yield 1
            go_on.wait()
            yield 2
        finally:
            closed.set()

    deadline = Deadline(LONG, silence=0.1)
    source = pieces(work, deadline)
    assert next(source) == 1
    deadline.heard()
    with pytest.raises(TimeoutError):
        next(source)
    go_on.set()
    wait_until(closed.is_set)  # the generator is closed as soon as it moves again
