"""The caches as a user meets them: what was answered is there at once, until something changes."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import httpx
import pytest
import redis

from flotilla.client import Flotilla, FlotillaAPIError
from flotilla.models import CacheOutcome
from flotilla.schemas import AnswerResponse, CachesState, Document, TaskStatus
from tests.acceptance.stack import PATIENCE, Stack, wait_until

HIT, MISS, BYPASS, OFF = (CacheOutcome(each) for each in ("hit", "miss", "bypass", "off"))
_numbers = count()


@pytest.fixture
def collection(client: Flotilla) -> str:
    """A collection of its own."""
    name = f"caches-{next(_numbers)}"
    client.create_collection(name)
    return name


def ingest(client: Flotilla, collection: str, text: str, name: str = "a.txt") -> str:
    accepted = client.ingest_text(text, name=name, collection=collection)
    task = client.wait(accepted.task_id, timeout=PATIENCE)
    assert task.status == "completed", task.error
    return accepted.document_id


def ask(client: Flotilla, question: str, collection: str, **options: str) -> AnswerResponse:
    return client.ask(question, collections=[collection], **options)  # type: ignore[arg-type]


USED = "The warranty on a used car is 12 months."
ASKED = "How long is the warranty on a used car?"


def test_the_second_time_the_answer_is_there_at_once(client: Flotilla, collection: str) -> None:
    ingest(client, collection, USED)
    first = ask(client, ASKED, collection)
    assert first.answerable
    assert (first.cached.answer, first.cached.semantic, first.cached.retrieval) == (MISS,) * 3
    second = ask(client, f"  {ASKED}", collection)
    assert second.cached.answer is HIT
    assert second.cached.age is not None
    assert second.cached.age < PATIENCE
    assert second.task_id != first.task_id
    assert (second.text, second.citations, second.passages) == (
        first.text,
        first.citations,
        first.passages,
    )
    assert set(second.timings) == {"cache"}
    assert second.usage.calls == 0
    other = client.ask(ASKED, collections=[collection], top_k=3)
    assert other.cached.answer is MISS, "another number of passages is another question"
    found = client.search(ASKED, collections=[collection])
    assert found.cached.retrieval is HIT
    assert [each.chunk_id for each in found.passages] == [each.chunk_id for each in first.passages]


def test_a_changed_document_is_answered_from_at_once(client: Flotilla, collection: str) -> None:
    for months in range(12, 18):
        ingest(client, collection, f"The warranty on a used car is {months} months.")
        answer = ask(client, ASKED, collection)
        assert f"{months} months" in answer.text
        assert answer.cached.answer is MISS
        assert ask(client, ASKED, collection).cached.answer is HIT


def test_a_new_document_is_found_for_a_question_that_had_no_answer(
    client: Flotilla, collection: str
) -> None:
    ingest(client, collection, "Soup is served from noon.", "soup.txt")
    assert not ask(client, ASKED, collection).answerable
    assert not ask(client, ASKED, collection).answerable
    ingest(client, collection, USED, "warranty.txt")
    assert ask(client, ASKED, collection).answerable


def test_a_deleted_document_answers_nothing_from_a_cache(client: Flotilla, collection: str) -> None:
    ingest(client, collection, "Soup is served from noon.", "soup.txt")
    document = ingest(client, collection, USED, "warranty.txt")
    for _ in range(2):
        assert ask(client, ASKED, collection).citations[0].document_id == document
        assert client.search(ASKED, collections=[collection]).passages[0].document_id == document
    client.delete_document(document)
    answer = ask(client, ASKED, collection)
    assert not answer.answerable
    assert document not in {passage.document_id for passage in answer.passages}
    found = client.search(ASKED, collections=[collection]).passages
    assert document not in {passage.document_id for passage in found}


def test_an_indexing_anew_is_searched_anew(client: Flotilla, collection: str) -> None:
    document = ingest(client, collection, USED)
    ask(client, ASKED, collection)
    assert ask(client, ASKED, collection).cached.answer is HIT
    task = client.reindex_document(document)
    assert client.wait(task.task_id, timeout=PATIENCE).status == "completed"
    assert ask(client, ASKED, collection).cached.answer is MISS


def test_a_question_that_means_the_same_gets_the_answer_and_is_told_so(
    client: Flotilla, collection: str
) -> None:
    ingest(client, collection, f"{USED} The warranty on a new car is 36 months.")
    first = ask(client, ASKED, collection)
    asked = "Could you tell me how long the warranty on used cars is?"
    second = ask(client, asked, collection)
    assert (second.cached.answer, second.cached.semantic) == (MISS, HIT)
    assert second.cached.question == ASKED
    assert second.cached.cosine is not None
    assert second.cached.cosine >= 0.85
    assert second.question == asked
    assert second.text == first.text


@pytest.mark.parametrize(
    "asked",
    [
        "How long is the warranty on a new car?",
        "How long is the warranty on a used van?",
        "How long is the warranty on a used car in 2024?",
        "How long is the warranty not on a used car?",
    ],
)
def test_a_question_that_differs_in_one_word_is_answered_by_itself(
    client: Flotilla, collection: str, asked: str
) -> None:
    ingest(client, collection, f"{USED} The warranty on a new car is 36 months.")
    ask(client, ASKED, collection)
    assert ask(client, asked, collection).cached.semantic is MISS


def test_cache_control_says_what_is_read_and_what_is_kept(
    client: Flotilla, collection: str
) -> None:
    ingest(client, collection, USED)
    kept_out = ask(client, ASKED, collection, cache_control="no-store")
    assert (kept_out.cached.answer, kept_out.cached.retrieval) == (BYPASS, BYPASS)
    assert ask(client, ASKED, collection).cached.answer is MISS
    anew = ask(client, ASKED, collection, cache_control="max-age=3, no-cache")
    assert (anew.cached.answer, anew.cached.retrieval) == (BYPASS, BYPASS)
    assert set(anew.timings) >= {"retrieve", "generate"}
    assert ask(client, ASKED, collection).cached.answer is HIT
    assert ask(client, ASKED, collection, cache_control="max-age=600").cached.answer is HIT
    assert ask(client, ASKED, collection, cache_control="max-age=0").cached.answer is BYPASS
    other = "What is the warranty on a used car?"
    ask(client, other, collection, cache_control="no-cache")
    assert ask(client, other, collection).cached.answer is HIT, "it was kept all the same"


def test_hits_are_counted_and_the_caches_cleared(client: Flotilla, collection: str) -> None:
    ingest(client, collection, USED)
    before = client.caches().caches
    for _ in range(4):
        ask(client, ASKED, collection)

    def counted() -> CachesState | None:
        now = client.caches()
        return now if now.caches["answer"].hits >= before["answer"].hits + 3 else None

    state = wait_until(counted, "three hits")
    assert state.available
    for kind in ("answer", "semantic", "retrieval"):
        counts = state.caches[kind]
        assert counts.misses > before[kind].misses
        assert counts.hit_rate == round(counts.hits / (counts.hits + counts.misses), 4)
    assert state.max_bytes == 256 * 1024 * 1024
    assert state.used_bytes
    assert state.entries
    assert state.evictions == 0
    assert client.clear_caches().removed >= 2
    assert ask(client, ASKED, collection).cached.answer is MISS


def test_a_list_of_questions_fills_them(
    client: Flotilla, raw: httpx.Client, collection: str
) -> None:
    ingest(client, collection, USED)
    questions = [f"How long is the warranty on a used car of {year}?" for year in range(1990, 2020)]
    asked = [ASKED, *questions, "", ASKED]
    refused = raw.post(f"/collections/{collection}/warm", json={"questions": asked})
    assert (refused.status_code, refused.json()["code"]) == (422, "question_empty")
    assert refused.json()["errors"][0]["field"] == "questions.31"
    accepted = client.warm(collection, [each for each in asked if each])
    task = client.wait(accepted.task_id, timeout=PATIENCE)
    assert task.status == "completed", task.error
    assert task.kind == "warm"
    assert task.progress is not None
    assert (task.progress.done, task.progress.total, task.progress.unit) == (31, 31, "questions")
    assert task.result["questions"] == task.result["answered"] + task.result["refused"] == 31
    assert task.result["failed"] == 0
    for question in (ASKED, questions[0], questions[-1]):
        assert ask(client, question, collection).cached.answer is HIT
    with pytest.raises(FlotillaAPIError) as unknown:
        client.warm("no-such-collection", [ASKED])
    assert unknown.value.code == "collection_not_found"


def test_a_warming_survives_its_worker_and_can_be_cancelled(
    stack: Stack, client: Flotilla, collection: str
) -> None:
    ingest(client, collection, USED)
    questions = [f"How long is the warranty on used car number {n}?" for n in range(200)]
    task_id = client.warm(collection, questions).task_id

    def begun() -> bool:
        progress = client.task(task_id).progress
        return progress is not None and progress.done >= 10

    wait_until(begun, "the warming has begun")
    for process in stack.processes("rag-1"):
        process.send_signal(signal.SIGKILL)
    task = client.wait(task_id, timeout=2 * PATIENCE)
    assert task.status == "completed", task.error
    assert task.result["questions"] == 200
    assert ask(client, questions[-1], collection).cached.answer is HIT

    client.clear_caches()
    again = client.warm(collection, [f"{each[:-1]} today?" for each in questions]).task_id
    client.cancel(again)
    assert client.wait(again, timeout=PATIENCE).status is TaskStatus.CANCELLED


def test_whoever_asks_while_caches_are_filled_does_not_wait_for_it(
    client: Flotilla, collection: str
) -> None:
    ingest(client, collection, USED)
    questions = [f"How long is the warranty on used van number {n}?" for n in range(600)]
    warmings = [client.warm(collection, questions[at::20]).task_id for at in range(20)]
    for number in range(10):
        answer = ask(client, f"How long is the warranty on a used car, {number}?", collection)
        assert answer.cached.answer is MISS
    left = [client.task(task_id) for task_id in warmings]
    assert any(not task.status.final for task in left), "they were answered before the others"
    for task_id in warmings:
        with contextlib.suppress(FlotillaAPIError):  # some have ended by themselves
            client.cancel(task_id)


@contextmanager
def halted(stack: Stack) -> Iterator[None]:
    processes = stack.processes("cache")
    assert processes
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def test_a_redis_that_hangs_or_dies_costs_no_answer(
    stack: Stack, client: Flotilla, collection: str
) -> None:
    ingest(client, collection, USED)
    ask(client, ASKED, collection)
    assert ask(client, ASKED, collection).cached.answer is HIT
    with halted(stack):
        for _ in range(5):
            answer = ask(client, ASKED, collection)
            assert answer.answerable
            assert answer.cached.answer is OFF
        state = client.caches()
        assert not state.available
        with pytest.raises(FlotillaAPIError) as away:
            client.clear_caches()
        assert away.value.status == 503
    wait_until(lambda: ask(client, ASKED, collection).cached.answer is HIT, "it is asked again")
    [server] = stack.processes("cache")
    os.kill(server.pid, signal.SIGKILL)
    assert ask(client, ASKED, collection).answerable
    # It begins empty, and is filled again.
    wait_until(lambda: ask(client, ASKED, collection).cached.answer is HIT, "it is filled again")


def test_what_is_full_of_other_things_makes_room(
    stack: Stack, client: Flotilla, collection: str
) -> None:
    assert stack.addresses.cache is not None
    ingest(client, collection, USED)
    with redis.Redis.from_url(stack.addresses.cache) as cache:
        before = cache.config_get("maxmemory")["maxmemory"]
        cache.config_set("maxmemory", cache.info("memory")["used_memory"] + 500_000)
        try:
            for number in range(60):
                ask(client, f"{ASKED} {'x' * 3000} {number}", collection)
            assert ask(client, f"{ASKED} {'x' * 3000} 59", collection).cached.answer is HIT
        finally:
            cache.config_set("maxmemory", before)


def test_64_at_once_with_one_question_compute_it_once(
    raw: httpx.Client, client: Flotilla, collection: str, samples: dict[str, Document]
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    began = time.monotonic()
    question = "How long does a reservation hold a vehicle for me, for this one time?"

    def one(_: int) -> AnswerResponse:
        return ask(client, question, "samples")

    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(one, range(64)))
    assert len({answer.text for answer in answers}) == 1
    computed = [answer for answer in answers if "generate" in answer.timings]
    assert len(computed) == 1
    assert time.monotonic() - began < PATIENCE
