"""Cached answers and changes at one moment: nobody is given what was replaced before he asked."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import redis

from flotilla.cache_store import CacheStore
from flotilla.ledger import documents, versions
from flotilla.ledger.database import Database
from flotilla.ledger.submissions import NewSource
from flotilla.models import Answer, CacheOutcome
from flotilla.rag.caching.caches import Caches
from flotilla.settings import CacheSettings, Settings
from tests.conftest import PATIENCE
from tests.doubles.cached_answers import Computing, answer, asked, space
from tests.integration.ledger.operations import delete, publish, submit

Source = Callable[..., NewSource]


@pytest.fixture
def caches(ledger: Database, redis_url: str) -> Iterator[Caches]:
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    settings = Settings()
    settings.cache = CacheSettings(url=redis_url, timeout=5.0)
    store = CacheStore(settings.cache)
    yield Caches(store, settings, lambda: ledger)
    store.close()


class Document:
    """A document whose answer is the number of its live version."""

    def __init__(self, ledger: Database, source: Source, several: int) -> None:
        self.ledger = ledger
        self.sources = [source(data=bytes([number])) for number in range(several)]
        self.accepted = [submit(ledger, each)[0] for each in self.sources]
        self.document_id = self.accepted[0].document_id

    def publish(self, number: int) -> None:
        assert publish(self.ledger, self.accepted[number], self.sources[number])

    def live(self) -> int:
        """The number of the live version, -1 where there is none."""
        with self.ledger.reading() as connection:
            live = documents.live(connection, [self.document_id]).get(self.document_id)
            if live is None:
                return -1
            return versions.get(connection, live.version_id).number - 1

    def search(self) -> Answer:
        return answer(str(self.live()))


def test_what_is_asked_again_is_computed_again_after_each_change(
    ledger: Database, caches: Caches, source: Source
) -> None:
    document = Document(ledger, source, 3)
    computing = Computing(document.search)
    for number in range(3):
        document.publish(number)
        for outcome in (CacheOutcome.MISS, CacheOutcome.HIT):
            found = caches.answer(asked(), space(), computing)
            assert (found.text, found.cached.answer) == (str(number), outcome)
    delete(ledger, document.document_id)
    assert caches.answer(asked(), space(), computing).text == "-1"
    assert computing.times == 4


@pytest.mark.parametrize("question", ["How long is the warranty?", "Wie lange ist die Garantie?"])
def test_a_search_that_a_change_overtakes_is_kept_for_nobody(
    ledger: Database, caches: Caches, source: Source, question: str
) -> None:
    document = Document(ledger, source, 2)
    document.publish(0)

    def search() -> Answer:
        found = document.search()
        if document.live() == 0:
            document.publish(1)
        return found

    assert caches.answer(asked(question), space(), search).text == "0", "begun before the change"
    assert caches.answer(asked(question), space(), search).text == "1"


def test_passages_that_a_change_overtakes_are_kept_for_nobody(
    ledger: Database, caches: Caches, source: Source
) -> None:
    document = Document(ledger, source, 2)
    document.publish(0)
    query = asked().query
    passage = answer().passages[0]

    def search() -> list:  # type: ignore[type-arg]
        found = [passage.model_copy(update={"text": str(document.live())})]
        if document.live() == 0:
            document.publish(1)
        return found

    assert caches.passages(query, space(), search)[0].text == "0"
    assert caches.passages(query, space(), search)[0].text == "1"


def test_who_comes_after_a_change_does_not_wait_for_a_search_from_before_it(
    ledger: Database, caches: Caches, source: Source
) -> None:
    document = Document(ledger, source, 2)
    document.publish(0)
    begun, go_on = Event(), Event()

    def slow() -> Answer:
        found = document.search()
        begun.set()
        assert go_on.wait(PATIENCE)
        return found

    with ThreadPoolExecutor(1) as threads:
        before = threads.submit(caches.answer, asked(), space(), slow)
        assert begun.wait(PATIENCE)
        document.publish(1)
        assert caches.answer(asked(), space(), document.search).text == "1"
        go_on.set()
        assert before.result(PATIENCE).text == "0"
    assert caches.answer(asked(), space(), document.search).text == "1"


@pytest.mark.parametrize("seed", range(8))
def test_in_whatever_order_each_gets_what_was_live_while_he_asked(
    ledger: Database, caches: Caches, source: Source, seed: int
) -> None:
    document = Document(ledger, source, 8)
    document.publish(0)
    chance = random.Random(seed)
    over = Event()
    wrong: list[str] = []
    questions = [f"How long is the warranty on car {number}?" for number in range(3)]

    def reader(number: int) -> None:
        mine = random.Random(seed * 100 + number)
        for _ in range(12):
            before = document.live()

            def slow_search(looks: int = mine.randrange(4)) -> Answer:
                found = document.search()
                for _ in range(looks):
                    document.live()
                return found

            found = caches.answer(asked(mine.choice(questions)), space(), slow_search)
            after = document.live()
            if not before <= int(found.text) <= after:
                wrong.append(f"{found.text} where {before} to {after} were live: {found.cached}")

    def writer() -> None:
        for number in range(1, 8):
            for _ in range(chance.randrange(6)):
                document.live()
            document.publish(number)
        over.set()

    with ThreadPoolExecutor(5) as threads:
        work = [threads.submit(reader, number) for number in range(4)] + [threads.submit(writer)]
        for each in work:
            each.result(PATIENCE)
    assert over.is_set()
    assert wrong == []
