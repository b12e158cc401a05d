"""Generations: every change of what a collection answers with raises its number, at once."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection

from flotilla.errors import DocumentNotFound
from flotilla.ledger import collections, documents, generations, versions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.submissions import NewSource
from flotilla.schemas import DEFAULT_COLLECTION
from tests.conftest import PATIENCE
from tests.integration.ledger.operations import delete, publish, submit

Source = Callable[..., NewSource]

EMPTY = ""
"""What a collection without documents answers."""


def generation(ledger: Database, name: str = DEFAULT_COLLECTION) -> int:
    with ledger.reading() as connection:
        [collection_id] = collections.resolve(connection, DEFAULT_TENANT, [name]).values()
        return generations.of(connection, DEFAULT_TENANT, [collection_id])[collection_id]


def answers_with(connection: Connection, document_ids: list[str]) -> str:
    """The versions that answer, as a search would find them."""
    live = documents.live(connection, document_ids)
    return " ".join(sorted(each.version_id for each in live.values()))


def test_a_published_version_and_a_deletion_raise_it(ledger: Database, source: Source) -> None:
    first, second = source(data=b"A"), source(data=b"B", metadata={"year": 2025})
    before = generation(ledger)
    [accepted] = submit(ledger, first)
    assert generation(ledger) == before, "nothing answers otherwise yet"
    publish(ledger, accepted, first)
    published = generation(ledger)
    assert published > before
    [again] = submit(ledger, second)
    assert generation(ledger) == published
    publish(ledger, again, second)
    replaced = generation(ledger)
    assert replaced > published
    delete(ledger, accepted.document_id)
    assert generation(ledger) > replaced


def test_what_changes_nothing_leaves_it(ledger: Database, source: Source) -> None:
    old, new = source(data=b"A"), source(data=b"B")
    [first] = submit(ledger, old)
    [second] = submit(ledger, new)
    publish(ledger, second, new)
    there = generation(ledger)
    assert not publish(ledger, first, old), "a newer one is live"
    with ledger.writing() as connection:
        versions.fail(connection, first.document_id, old.version_id)
    with ledger.writing() as connection, pytest.raises(DocumentNotFound):
        documents.mark_deleted(connection, DEFAULT_TENANT, "no such document")
    assert generation(ledger) == there


def test_emptying_the_default_collection_raises_it(ledger: Database, source: Source) -> None:
    new = source()
    [accepted] = submit(ledger, new)
    publish(ledger, accepted, new)
    there = generation(ledger)
    with ledger.writing() as connection:
        collections.delete(connection, DEFAULT_TENANT, DEFAULT_COLLECTION)
    assert generation(ledger) > there


def test_each_collection_has_its_own(ledger: Database, source: Source) -> None:
    with ledger.writing() as connection:
        collections.create(connection, DEFAULT_TENANT, "other", None)
    there = generation(ledger, "other")
    new = source()
    [accepted] = submit(ledger, new)
    publish(ledger, accepted, new)
    assert generation(ledger, "other") == there
    with ledger.reading() as connection:
        ids = collections.resolve(connection, DEFAULT_TENANT, ["other", DEFAULT_COLLECTION])
        every = generations.of(connection, DEFAULT_TENANT)
        assert set(every) == set(ids.values())
        assert generations.of(connection, "another tenant", list(ids.values())) == {}


def test_it_is_raised_by_the_same_transaction_as_the_change(
    ledger: Database, source: Source
) -> None:
    new = source()
    [accepted] = submit(ledger, new)
    before = generation(ledger)

    def look() -> tuple[int, str]:
        with ledger.reading() as connection:
            number = generations.of(connection, DEFAULT_TENANT)
            return next(iter(number.values())), answers_with(connection, [accepted.document_id])

    with ledger.writing() as connection:
        versions.publish(connection, accepted.document_id, new.version_id)
        assert look() == (before, EMPTY)
    assert look() == (before + 1, new.version_id)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_under_a_generation_never_lacks_a_change_before_it(
    ledger: Database, source: Source, seed: int
) -> None:
    """Searches and changes in whatever order: what a search has found is kept under the number that
    it has read before, and a reader who comes after a change finds nothing older than that."""
    sources = [source(f"{number}.txt", data=bytes([number])) for number in range(4)]
    accepted = submit(ledger, *sources)
    document_ids = [each.document_id for each in accepted]
    chance = random.Random(seed)
    kept: dict[int, str] = {}
    stale: list[str] = []

    def search(pause: float) -> None:
        with ledger.reading() as connection:
            [number] = generations.of(connection, DEFAULT_TENANT).values()
        for _ in range(int(pause * 4)):  # a search takes a while: others have their turn
            with ledger.reading() as connection:
                generations.of(connection, DEFAULT_TENANT)
        with ledger.reading() as connection:
            found = answers_with(connection, document_ids)
        kept.setdefault(number, found)

    def ask() -> None:
        with ledger.reading() as connection:
            [number] = generations.of(connection, DEFAULT_TENANT).values()
            now = answers_with(connection, document_ids)
        cached = kept.get(number)
        # What was found for this number is what answers now, or what came after it.
        if cached is not None and cached != now:
            with ledger.reading() as connection:
                [later] = generations.of(connection, DEFAULT_TENANT).values()
            if later == number:
                stale.append(f"generation {number}: {cached!r} for {now!r}")

    def change(number: int) -> None:
        publish(ledger, accepted[number], sources[number])
        ask()
        if chance.random() < 0.5:
            delete(ledger, document_ids[number])
            ask()

    with ThreadPoolExecutor(6) as threads:
        work = [threads.submit(change, number) for number in range(4)]
        work += [threads.submit(search, chance.random() * 8) for _ in range(12)]
        work += [threads.submit(ask) for _ in range(12)]
        chance.shuffle(work)
        for each in work:
            each.result(PATIENCE)
    ask()
    assert stale == []
