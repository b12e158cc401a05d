"""Writers over a real Redis, and what their readers find there."""

import itertools
from collections.abc import Callable, Iterator

import pytest
import redis

from flotilla.answer_streams import AnswerStream, Entry
from flotilla.answer_streams.entries import key, read_all
from flotilla.answer_streams.sender import Sender

Open = Callable[..., AnswerStream]
_jobs = itertools.count()


@pytest.fixture
def store(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True, socket_timeout=2) as client:
        yield client


@pytest.fixture
def job() -> str:
    """A run of the test's own."""
    return f"job-{next(_jobs)}"


@pytest.fixture
def sender(store: redis.Redis) -> Sender:
    return Sender(store)


@pytest.fixture
def open_stream(sender: Sender, job: str) -> Iterator[Open]:
    """Opens the job's stream as a worker with a fence does."""
    opened: list[AnswerStream] = []

    def open_stream(fence: int, *, pause: float = 0.0, by: Sender | None = None) -> AnswerStream:
        stream = AnswerStream(job, fence, by or sender, pause=pause)
        stream.start()
        opened.append(stream)
        return stream

    yield open_stream
    for stream in opened:
        stream.close()


@pytest.fixture
def entries(store: redis.Redis, job: str) -> Callable[[], list[Entry]]:
    """What stands in the job's stream."""
    return lambda: read_all(store.xrange(key(job)))  # type: ignore[arg-type]
