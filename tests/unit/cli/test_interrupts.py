"""Work in a thread, and Ctrl-C while it is waited for."""

import os
import signal
import threading

import pytest

from flotilla.cli.interrupts import in_thread
from tests.conftest import wait_until


def test_the_work_is_never_in_the_thread_that_ctrl_c_interrupts() -> None:
    assert in_thread(threading.current_thread) is not threading.main_thread()


def test_what_it_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        in_thread(fail)


def test_ctrl_c_ends_the_wait_and_not_the_work() -> None:
    goes_on, done = threading.Event(), threading.Event()

    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        goes_on.wait(10)
        done.set()

    with pytest.raises(KeyboardInterrupt):
        in_thread(work)
    assert not done.is_set()
    goes_on.set()
    wait_until(done.is_set)
