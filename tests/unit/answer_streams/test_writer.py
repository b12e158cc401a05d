"""What a worker tells of an answer is in Redis once, in its order, whoever dies meanwhile."""

import threading
from collections.abc import Callable

import pytest
import redis

from flotilla.answer_streams import AnswerStream, Entry, Kind, fold
from flotilla.answer_streams.entries import SHOWN, Reply, fence_key, key, readers_key
from flotilla.answer_streams.writer import ENDED_SECONDS
from flotilla.errors import LeaseLost
from flotilla.models import Citation, ModelCall, Step
from tests.conftest import wait_until
from tests.unit.answer_streams.conftest import Open

Entries = Callable[[], list[Entry]]


def citation(number: int) -> Citation:
    return Citation(
        number=number,
        document_id="d",
        document_name="terms.pdf",
        chunk_id="c",
        page_start=1,
        page_end=1,
        quote="Two years.",
        start=0,
        end=10,
    )


def told(stream: AnswerStream, entries: Entries, text: str) -> None:
    """Wait until readers have this text."""
    wait_until(lambda: fold(entries()).text == text, 10)


def test_entries_are_numbered_in_the_order_in_which_they_were_told(
    open_stream: Open, entries: Entries, store: redis.Redis, job: str
) -> None:
    with open_stream(1, pause=60) as stream:
        stream.trace(Step(name="retrieve", started=0, took=1))
        stream.token("Two years", "Two years")
        stream.token(" [1]", " [3]")
        stream.citation(citation(1))
    found = entries()
    assert [entry.number for entry in found] == list(range(1, len(found) + 1))
    assert found[0].kind == Kind.TRACE
    assert found[-1].kind == Kind.CITATION
    assert fold(found) == stream.written
    assert (stream.written.text, stream.written.raw) == ("Two years [1]", "Two years [3]")
    assert 0 < store.ttl(key(job)) <= ENDED_SECONDS


def test_the_first_token_is_not_delayed_and_fast_ones_are_joined(
    open_stream: Open, entries: Entries
) -> None:
    with open_stream(1, pause=60) as stream:
        stream.trace(Step(name="retrieve", started=0, took=1))
        wait_until(lambda: len(entries()) == 1, 10)
        stream.token("a", "A")
        told(stream, entries, "a")
        for letter in "bcd":
            stream.token(letter, letter.upper())
        assert fold(entries()).text == "a"
    assert fold(entries()).text == "abcd"
    assert len(entries()) == 3
    assert fold(entries()).raw == "ABCD"


def test_a_worker_that_takes_over_goes_on_where_the_one_before_was(
    open_stream: Open, entries: Entries
) -> None:
    first = open_stream(1)
    first.token("Two ", "Two ")
    first.citation(citation(1))
    wait_until(lambda: len(entries()) == 2, 10)
    with open_stream(2) as second:
        assert (second.written.text, second.written.raw) == ("Two ", "Two ")
        assert [each["number"] for each in second.written.citations] == [1]
        second.token("years", "years")
    assert [entry.number for entry in entries()] == [1, 2, 3]
    assert fold(entries()).text == "Two years"


def test_a_reply_that_has_ended_is_known_to_whoever_takes_over_and_to_no_reader(
    open_stream: Open, entries: Entries
) -> None:
    call = ModelCall(role="answer", model="openai:test", took=1)
    with open_stream(1) as first:
        first.sources(["chunk-1"])
        first.token("Two years", "Two years")
        first.reply("Two years", call)
    assert [entry.kind for entry in entries() if entry.kind in SHOWN] == [Kind.TOKEN]
    with open_stream(2) as second:
        assert second.written.reply == Reply("Two years", call.model_dump(mode="json"))
        second.sources(["chunk-2"])
        assert second.written.reply is None
    assert fold(entries()).reply is None


def test_a_late_worker_is_refused_and_told_so(open_stream: Open, entries: Entries) -> None:
    late, newer = open_stream(1), open_stream(2)
    late.token("late", "late")

    def is_refused() -> bool:
        try:
            late.token(" again", "")
        except LeaseLost:
            return True
        return False

    wait_until(is_refused, 10)
    newer.token("newer", "newer")
    newer.close()
    assert [entry.fence for entry in entries()] == [2]
    with pytest.raises(LeaseLost):
        open_stream(1)


def test_what_redis_has_lost_is_written_again(
    open_stream: Open, entries: Entries, store: redis.Redis, job: str
) -> None:
    """Redis' file of commands ends up to a second before its death."""
    with open_stream(1) as stream:
        for piece in ("a", "b", "c"):
            stream.token(piece, piece)
            told(stream, entries, stream.written.text)
        before = entries()
        store.xdel(key(job), f"{before[-1].number}-0", f"{before[-2].number}-0")
        # XDEL keeps the last id, as a Redis that has lost its newest entries would not.
        kept = store.xrange(key(job))
        store.delete(key(job), fence_key(job))
        for entry_id, fields in kept:  # type: ignore[union-attr]
            store.xadd(key(job), fields, id=entry_id)  # type: ignore[arg-type]
        stream.token("d", "d")
        told(stream, entries, "abcd")
    assert entries()[: len(before)] == before


def test_all_is_written_again_after_redis_lost_everything(
    open_stream: Open, entries: Entries, store: redis.Redis
) -> None:
    first = open_stream(1)
    first.token("Two ", "Two ")
    told(first, entries, "Two ")
    with open_stream(2) as second:
        store.flushall()
        second.token("years", "years")
        told(second, entries, "Two years")
    assert [entry.number for entry in entries()] == [1, 2]


def test_what_a_late_worker_wrote_to_a_redis_that_forgot_the_fence_is_taken_back(
    open_stream: Open, entries: Entries, store: redis.Redis, job: str
) -> None:
    late = open_stream(1)
    late.token("Two ", "Two ")
    told(late, entries, "Two ")
    with open_stream(2) as newer:
        store.delete(fence_key(job))
        late.token("weeks", "weeks")
        told(late, entries, "Two weeks")
        newer.token("years", "years")
        told(newer, entries, "Two years")
    assert [entry.number for entry in entries()] == [1, 2, 3]
    assert fold(entries()).raw == "Two years"


def test_text_that_is_taken_back_is_told_anew(open_stream: Open, entries: Entries) -> None:
    with open_stream(1) as stream:
        stream.token("Two weeks", "Two weeks")
        stream.take_back(4, 4)
        assert stream.written.text == "Two "
        stream.token("years", "years")
    assert fold(entries()).text == fold(entries()).raw == "Two years"


def test_threads_may_tell_at_once(open_stream: Open, entries: Entries) -> None:
    with open_stream(1) as stream:
        threads = [
            threading.Thread(target=lambda: [stream.token("x", "x") for _ in range(200)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = entries()
    assert fold(found).text == "x" * 800
    assert [entry.number for entry in found] == list(range(1, len(found) + 1))


def test_each_entry_is_told_on_the_channel(open_stream: Open, store: redis.Redis, job: str) -> None:
    with store.pubsub() as heard:
        heard.subscribe(key(job))
        heard.get_message(timeout=5)
        with open_stream(1) as stream:
            stream.token("a\nb", "a\nb")
        message = heard.get_message(timeout=5)
    assert message is not None
    number, kind, data = message["data"].split("\n")
    assert (number, kind, data) == ("1", "token", '{"text": "a\\nb", "start": 0}')
    assert readers_key(job) != key(job)
