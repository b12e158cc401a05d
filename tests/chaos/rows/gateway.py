"""Rows that kill the gateway while clients talk to it."""

import threading
import time

import httpx

from tests.chaos.streams import Followers
from tests.chaos.trial import Row, Trial


def _mid_upload(trial: Trial) -> None:
    """Killed when a file has begun to arrive; its client sends it again."""
    while not trial.submission.over and trial.goes_on():
        arriving = threading.Event()
        hit = threading.Event()

        def kill(arriving: threading.Event = arriving, hit: threading.Event = hit) -> None:
            # Called in the middle of a request: it goes on when the gateway is dead.
            arriving.set()
            hit.wait(timeout=10)

        trial.submission.interrupt = kill
        while not arriving.wait(timeout=0.05):
            if trial.submission.over:
                trial.submission.interrupt = None
                return
        trial.kill("gateway")
        hit.set()
        trial.rest(0.5, 4.0)


def _mid_stream(trial: Trial) -> None:
    """Killed while clients follow tasks and wait for answers."""
    with Followers(trial.stack, trial.collection) as followers:
        while trial.goes_on():
            _await_gateway(trial)
            followers.follow(list(trial.watch.look.jobs.values()))
            trial.rest(2.0, 5.0)
            _await_gateway(trial)
            trial.kill("gateway")
        followers.finish()
    assert followers.cut, "no stream was cut off"
    trial.note("tasks followed to their end", followers.followed)
    trial.note("streams cut off", followers.cut)


def _await_gateway(trial: Trial) -> None:
    """Wait until it answers: who is killed before that has nobody to cut off."""
    while trial.goes_on() and not _answers(trial):
        time.sleep(0.1)


def _answers(trial: Trial) -> bool:
    try:
        return httpx.get(f"{trial.stack.url}/health/live", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


ROWS = (
    Row("upload", "SIGKILL of the gateway amid uploads", _mid_upload),
    Row("stream", "SIGKILL of the gateway amid streams and answers", _mid_stream, questions=True),
)
