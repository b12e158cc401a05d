"""The caches over a real Redis: what is kept for whom, and what happens when it goes away."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import redis

from flotilla.cache_store import CacheStore, key_of
from flotilla.cache_use import CachePolicy
from flotilla.errors import DependencyUnavailable, ModelUnavailable
from flotilla.ledger import generations
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.local.redis_server import find_redis_server
from flotilla.models import Answer, CacheOutcome, Mode
from flotilla.rag.caching.caches import Caches
from flotilla.settings import CacheSettings, LLMSettings, Settings
from flotilla.vectorstore.kept_vectors import KeptVectors
from flotilla.vectorstore.query_vectors import QueryVectors
from tests.conftest import PATIENCE, free_port, wait_until
from tests.doubles.cached_answers import ASKED, Computing, WordEmbedder, answer, asked, space
from tests.doubles.ledger_rows import make_ledger

AGAIN = "Tell me how long the warranty on used cars is."
HIT, MISS, BYPASS, OFF = (CacheOutcome(each) for each in ("hit", "miss", "bypass", "off"))


class Server:
    """A Redis of the caches, as the stack starts it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        command = [str(find_redis_server().path), "--port", str(self._port), "--save", ""]
        command += ["--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--maxmemory", "20000000", "--maxmemory-policy", "allkeys-lru"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url) as client:
            wait_until(lambda: _pings(client))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


def _pings(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture
def ledger() -> Iterator[Database]:
    database = make_ledger()
    yield database
    database.close()


def settings_of(server: Server, **values: Any) -> Settings:
    settings = Settings()
    settings.cache = CacheSettings(**{"url": server.url, "rest": 0.2} | values)
    return settings


def make(server: Server, ledger: Database, **values: Any) -> Caches:
    settings = settings_of(server, **values)
    return Caches(CacheStore(settings.cache), settings, lambda: ledger)


@pytest.fixture
def caches(server: Server, ledger: Database) -> Caches:
    return make(server, ledger)


def test_an_answer_is_kept_for_all_processes_and_without_the_run_that_made_it(
    server: Server, ledger: Database, caches: Caches
) -> None:
    computing = Computing()
    first = caches.answer(asked(), space(), computing)
    second = make(server, ledger).answer(asked(f" {ASKED}\n"), space(), computing)
    assert computing.times == 1
    assert (first.cached.answer, second.cached.answer) == (MISS, HIT)
    assert second.text == first.text
    assert second.citations == first.citations
    assert set(second.timings) == {"cache"}
    assert [step.name for step in second.trace] == ["cache"]


@pytest.mark.parametrize(
    "other",
    [
        {"question": "How long is the warranty on a new car?"},
        {"top_k": 7},
        {"filter": {"year": 2024}},
        {"collection_ids": ("another", DEFAULT_TENANT)},
        {"tenant_id": "another tenant"},
        {"retrieval": {"fusion": "linear"}},
        {"mode": Mode.CRAG},
        {"reader": "ann"},
    ],
)
def test_another_question_is_another_key(caches: Caches, other: dict[str, Any]) -> None:
    computing = Computing()
    caches.answer(asked(), space(), computing)
    caches.answer(asked(**other), space(), computing)
    assert computing.times == 2


@pytest.mark.parametrize(
    ("group", "change"),
    [
        ("retrieval", {"prefetch": 20}),
        ("retrieval", {"dense_weight": 0.1}),
        ("llm", {"model": "openai:gpt-4o-mini"}),
        ("llm", {"temperature": 1.0}),
        ("llm", {"max_tokens": 5}),
    ],
)
def test_settings_that_change_answers_change_the_key(
    server: Server, ledger: Database, caches: Caches, group: str, change: dict[str, Any]
) -> None:
    computing = Computing()
    caches.answer(asked(), space(), computing)
    settings = settings_of(server)
    setattr(settings, group, getattr(settings, group).model_copy(update=change))
    others = Caches(CacheStore(settings.cache), settings, lambda: ledger)
    others.answer(asked(), space(), computing)
    assert computing.times == 2


def test_another_embedding_model_is_another_key(caches: Caches) -> None:
    computing = Computing()
    caches.answer(asked(), space("one"), computing)
    caches.answer(asked(), space("other"), computing)
    assert computing.times == 2


def test_what_is_not_what_the_question_deserves_is_not_kept(caches: Caches) -> None:
    fallen = Computing(lambda: answer(fallback_used="extractive"))

    short = Computing(lambda: answer(notes=("The budget was spent.",)))

    def fails() -> Answer:
        raise ModelUnavailable("It is away.")

    for _ in range(2):
        caches.answer(asked(), space(), fallen)
        caches.answer(asked(), space(), short)
        with pytest.raises(ModelUnavailable):
            caches.answer(asked(), space(), fails)
    assert (fallen.times, short.times) == (2, 2)


def test_a_refusal_is_kept_for_less_long_and_lends_itself_to_no_other_question(
    server: Server, caches: Caches
) -> None:
    refusing = Computing(lambda: answer("No.", answerable=False, citations=()))
    caches.answer(asked(), space(), refusing)
    assert caches.answer(asked(), space(), refusing).cached.answer is HIT
    with redis.Redis.from_url(server.url) as client:
        kept = [client.ttl(key) for key in client.scan_iter("flotilla:cache:*:answer:*")]
    assert [ttl <= 300 for ttl in kept] == [True]
    other = caches.answer(asked(AGAIN), space(), refusing)
    assert other.cached.semantic is MISS


def test_without_time_to_live_a_cache_is_off(server: Server, ledger: Database) -> None:
    caches = make(server, ledger, answer_ttl=0)
    computing = Computing()
    for _ in range(2):
        assert caches.answer(asked(), space(), computing).cached.answer is OFF
    assert computing.times == 2
    caches = make(server, ledger, semantic_ttl=0, retrieval_ttl=0)
    found = caches.answer(asked(), space(), computing)
    assert (found.cached.answer, found.cached.semantic) == (MISS, OFF)
    other = caches.answer(asked(AGAIN), space(), computing)
    assert other.cached.semantic is OFF


def test_an_answer_that_is_too_old_for_the_request_is_made_anew(caches: Caches) -> None:
    computing = Computing()
    caches.answer(asked(), space(), computing)
    young = CachePolicy(max_age=0.05)
    wait_until(lambda: caches.answer(asked(), space(), computing, young).cached.answer is MISS)


def test_an_earlier_question_answers_once_its_own_answer_is_there(
    server: Server, ledger: Database, caches: Caches
) -> None:
    computing = Computing()
    caches.answer(asked(), space(), computing)
    other = make(server, ledger, semantic_threshold=0.7)
    found = other.answer(asked(AGAIN), space(), computing)
    assert (found.cached.semantic, found.cached.question) == (HIT, ASKED)
    assert found.question == AGAIN
    with redis.Redis.from_url(server.url) as client:
        for key in client.scan_iter("flotilla:cache:*:answer:*"):
            client.delete(key)
    found = other.answer(asked(AGAIN), space(), computing)
    assert (found.cached.semantic, computing.times) == (MISS, 2)


def test_what_all_models_failed_at_may_be_answered_with_an_earlier_answer(
    server: Server, ledger: Database
) -> None:
    settings = settings_of(server, answer_ttl=1, fallback_ttl=60)
    settings.llm = LLMSettings(model="openai:m", fallbacks=("cached", "extractive"))
    caches = Caches(CacheStore(settings.cache), settings, lambda: ledger)
    assert caches.earlier(asked(), space()) is None
    caches.answer(asked(), space(), Computing())

    def fails() -> Answer:
        found = caches.earlier(asked(), space())
        assert found is not None
        return found[0].model_copy(update={"fallback_used": "cached"})

    # However old it is, and though the request wants it made anew.
    wait_until(lambda: caches.answer(asked(), space(), fails).cached.answer is MISS)
    anew = CachePolicy(reads=False)
    found = caches.answer(asked(), space(), fails, anew)
    assert (found.fallback_used, found.cached.answer) == ("cached", BYPASS)
    # But never what the documents may not say any more.
    with ledger.writing() as connection:
        generations.advance(connection, asked().query.collection_ids[0])
    assert caches.earlier(asked(), space()) is None


def test_who_finds_an_answer_is_told_of_it_before_it_is_returned(caches: Caches) -> None:
    told: list[Answer] = []
    caches.answer(asked(), space(), Computing(), on_hit=told.append)
    assert told == []
    found = caches.answer(asked(), space(), Computing(), on_hit=told.append)
    assert told == [found]


def test_many_at_once_compute_it_once_and_share_a_failure_with_nobody(caches: Caches) -> None:
    begun, go_on = Event(), Event()

    def slow() -> Answer:
        begun.set()
        assert go_on.wait(PATIENCE)
        return answer()

    computing = Computing(slow)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(caches.answer, asked(), space(), computing)
        assert begun.wait(PATIENCE)
        others = [threads.submit(caches.answer, asked(), space(), computing) for _ in range(8)]
        go_on.set()
        assert first.result(PATIENCE).cached.answer is MISS
        assert {each.result(PATIENCE).cached.answer for each in others} == {HIT}
    assert computing.times == 1

    begun.clear()
    go_on.clear()

    def broken() -> Answer:
        begun.set()
        assert go_on.wait(PATIENCE)
        raise ModelUnavailable("It is away.")

    another = asked("Is there a garage?")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(caches.answer, another, space(), broken)
        assert begun.wait(PATIENCE)
        second = threads.submit(caches.answer, another, space(), Computing())
        go_on.set()
        with pytest.raises(ModelUnavailable):
            first.result(PATIENCE)
        assert second.result(PATIENCE).answerable


def test_a_redis_that_is_killed_costs_nothing_but_its_entries(
    server: Server, caches: Caches
) -> None:
    computing = Computing()
    caches.answer(asked(), space(), computing)
    server.kill()
    for _ in range(3):
        assert caches.answer(asked(), space(), computing).cached.answer is OFF
    computed = computing.times
    server.start()
    # A connection that broke may turn up once more, when another one has kept the answer already.
    wait_until(lambda: caches.answer(asked(), space(), computing).cached.answer is HIT)
    assert computing.times > computed


def test_of_a_redis_that_hangs_nobody_waits_twice(server: Server, ledger: Database) -> None:
    caches = make(server, ledger, timeout=0.5, rest=600.0)
    computing = Computing()
    caches.answer(asked(), space(), computing)
    server.send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        for _ in range(50):
            assert caches.answer(asked(), space(), computing).cached.answer is OFF
        # One time-out for all of them, and not one each, nor three.
        assert time.monotonic() - began < 10
    finally:
        server.send(signal.SIGCONT)


def test_after_its_rest_it_is_asked_by_one_and_then_by_all(server: Server) -> None:
    store = CacheStore(CacheSettings(url=server.url, rest=0.1))
    key = key_of("t", "answer", "k")
    server.kill()
    assert not store.put({key: b"1"}, 60)
    assert not store.available
    server.start()
    wait_until(lambda: store.put({key: b"1"}, 60))
    with ThreadPoolExecutor(8) as threads:
        kept = list(threads.map(store.get, [key] * 40))
    assert all(each is not None and each.value == b"1" for each in kept)
    store.close()


def test_a_value_of_another_version_is_passed_over(server: Server, caches: Caches) -> None:
    computing = Computing()
    caches.answer(asked(), space(), computing)
    with redis.Redis.from_url(server.url) as client:
        for key in client.scan_iter("flotilla:cache:*:answer:*"):
            client.set(key, b'60:{"of": "another form"}', ex=60)
    assert caches.answer(asked(), space(), computing).cached.answer is MISS
    assert computing.times == 2


def test_questions_vectors_are_found_by_another_process(server: Server) -> None:
    store = CacheStore(CacheSettings(url=server.url))

    class Counting(WordEmbedder):
        asked: list[str] = []  # noqa: RUF012

        def embed_queries(self, texts: Any) -> Any:
            self.asked += texts
            return super().embed_queries(texts)

    embedder = Counting()

    def process(model: str = "fastembed:letters") -> QueryVectors:
        kept = KeptVectors(store, model, embedder.dimensions, 60)
        return QueryVectors(embedder, kept=kept)  # type: ignore[arg-type]

    vector = process().embed_query(ASKED)
    assert (process().embed_query(ASKED) == vector).all()
    assert embedder.asked == [ASKED]
    process("fastembed:others").embed_query(ASKED)
    assert embedder.asked == [ASKED, ASKED]
    with redis.Redis.from_url(server.url) as client:
        for key in client.scan_iter("*:embedding:*"):
            assert ASKED.encode() not in client.get(key) + key
            client.set(key, b"60:not a vector", ex=60)
    assert (process().embed_query(ASKED) == vector).all()
    store.close()


def test_the_tenants_own_is_cleared_and_counted(server: Server) -> None:
    store = CacheStore(CacheSettings(url=server.url))
    store.put({key_of("one", "answer", str(n)): b"x" for n in range(1200)}, 60)
    store.put({key_of("other", "answer", "1"): b"y"}, 60)
    for _ in range(3):
        store.count("one", "answer", "hit")
    store.count("other", "answer", "miss")
    wait_until(lambda: store.counts("one") == {"answer:hit": 3})
    assert store.counts("other") == {"answer:miss": 1}
    assert store.clear("one") == 1201
    assert store.counts("one") == {}
    assert store.get(key_of("other", "answer", "1")) is not None
    server.kill()
    for ask in (lambda: store.clear("one"), lambda: store.counts("one"), store.size):
        with pytest.raises(DependencyUnavailable):
            ask()
    store.close()
