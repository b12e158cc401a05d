"""The one thread of a process that writes its runs' streams, all that are due in one round trip."""

import functools
import os
import threading
import time
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from flotilla.answer_streams.entries import fence_key, key, read_all, readers_key
from flotilla.answer_streams.presence import REFRESH_SLACK, SLOWEST_LOOK
from flotilla.logging import get_logger
from flotilla.settings import get_settings

if TYPE_CHECKING:
    from flotilla.answer_streams.writer import AnswerStream

logger = get_logger(__name__)

AWAY_SECONDS = 0.5  # until a Redis that did not answer is asked again


@functools.lru_cache(maxsize=1)
def _script() -> str:
    return files("flotilla.answer_streams").joinpath("append.lua").read_text(encoding="utf-8")


class Sender:
    """Writes what the open streams of a process have to tell.

    Args:
        client: connections that give up soon, with replies decoded.
    """

    def __init__(self, client: redis.Redis) -> None:
        self.reachable = True
        self._client = client
        self._streams: set[AnswerStream] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, stream: "AnswerStream") -> None:
        """Write for this stream from now on."""
        with self._lock:
            self._streams.add(stream)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
                self._thread.start()
        self._wake.set()

    def remove(self, stream: "AnswerStream") -> None:
        """Write for it no more."""
        with self._lock:
            self._streams.discard(stream)

    def wake(self) -> None:
        """A stream has something to tell."""
        self._wake.set()

    def claim(self, stream: "AnswerStream") -> None:
        """Write the stream's fence and read what is there, unless Redis does not answer."""
        try:
            self._claim(stream)
            self.reachable = True
        except (redis.RedisError, OSError) as error:
            self._note_away(error)

    def _claim(self, stream: "AnswerStream") -> None:
        pipe = self._client.pipeline(transaction=False)
        self._append(pipe, stream, 1, ())
        pipe.xrange(key(stream.job_id))
        pipe.pttl(readers_key(stream.job_id))
        (word, _), found, lasts = pipe.execute()
        if word == "late":
            stream.lose()
            return
        entries = read_all(found)
        stream.adopt(entries)
        if stream.interest is not None:
            if lasts < 0 and not entries and self._knows_of_readers(stream):
                stream.interest.give_up()
            else:
                stream.interest.look(lasts)

    def _knows_of_readers(self, stream: "AnswerStream") -> bool:
        """Whether Redis has been up for so long that it would know of a reader."""
        info: Any = self._client.info("server")
        seconds = get_settings().gateway.stream_grace + REFRESH_SLACK
        return float(info["uptime_in_seconds"]) > seconds

    @staticmethod
    def _append(pipe: Any, stream: "AnswerStream", first: int, entries: Sequence[Any]) -> None:
        values: list[Any] = []
        for each in entries:
            values += (each.fence, each.kind, each.data, each.raw, each.at)
        keys = (key(stream.job_id), fence_key(stream.job_id))
        # Not by its hash: a Redis that was started anew does not know it.
        pipe.eval(_script(), 2, *keys, stream.fence, first, stream.keep_seconds, *values)

    def _run(self) -> None:
        while True:
            self._wake.wait(self._pause())
            self._wake.clear()
            try:
                self._send_due()
                if not self.reachable:
                    logger.info("answers.writing_again")
                self.reachable = True
            except (redis.RedisError, OSError) as error:
                self._note_away(error)
                time.sleep(AWAY_SECONDS)
            except Exception:  # whatever it is: without this thread no run would be read any more
                logger.exception("answers.not_written")
                time.sleep(AWAY_SECONDS)

    def _open_streams(self) -> list["AnswerStream"]:
        with self._lock:
            return list(self._streams)

    def _pause(self) -> float | None:
        """Seconds until something is due; None while no stream is open."""
        streams = self._open_streams()
        if not streams:
            return None
        moments = [due for stream in streams if (due := stream.due_at()) is not None]
        moments += [stream.interest.due_at for stream in streams if stream.interest is not None]
        return max(0.0, min(moments, default=time.monotonic() + SLOWEST_LOOK) - time.monotonic())

    def _send_due(self) -> None:
        moment = time.monotonic()
        streams = self._open_streams()
        due = [each for each in streams if (at := each.due_at()) is not None and at <= moment]
        for stream in due:
            if not stream.claimed:
                self._claim(stream)
        due = [each for each in due if each.due_at() is not None]
        looks = [
            (stream, stream.interest)
            for stream in streams
            if stream.interest is not None and stream.interest.due_at <= moment
        ]
        if not due and not looks:
            return
        pipe = self._client.pipeline(transaction=False)
        for stream in due:
            entries = stream.cut()
            self._append(pipe, stream, entries[0].number, entries)
        for stream, _ in looks:
            pipe.pttl(readers_key(stream.job_id))
        replies = pipe.execute()
        for stream, (word, last) in zip(due, replies, strict=False):
            self._take(stream, word, last)
        for (_, interest), lasts in zip(looks, replies[len(due) :], strict=True):
            interest.look(lasts)

    def _take(self, stream: "AnswerStream", word: str, last: int) -> None:
        if word == "late":
            stream.lose()
        elif word == "foreign":
            found: Any = self._client.xrange(key(stream.job_id))
            stream.adopt(read_all(found))
        else:
            # Where the stream is behind, what it lacks is due at once.
            stream.acknowledge(last)
            if word == "behind":
                logger.warning("answer.entries_lost", task_id=stream.job_id, last=last)
                self._wake.set()

    def _note_away(self, error: Exception) -> None:
        if self.reachable:
            logger.warning("answers.redis_away", error=str(error))
        self.reachable = False
        for stream in self._open_streams():
            if stream.interest is not None:
                stream.interest.unknown()


@functools.lru_cache(maxsize=1)
def _sender(_pid: int) -> Sender:
    return Sender(
        redis.Redis.from_url(
            get_settings().redis_url,
            decode_responses=True,
            socket_connect_timeout=1,
            socket_timeout=1,
            # Once more where the server has closed an idle connection, never where it is silent.
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
        )
    )


def get_sender() -> Sender:
    """The process's sender. A forked child gets its own: threads do not survive a fork."""
    return _sender(os.getpid())
