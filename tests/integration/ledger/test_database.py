"""Migrations, transactions and what a user is told when the database is not there."""

import random
import string
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from flotilla.errors import ConfigurationError, DependencyUnavailable, InvalidRequest
from flotilla.gateway.routes.sources import LONGEST_SOURCE
from flotilla.ledger import collections, submissions
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, is_current, new_id, upgrade
from flotilla.ledger.submissions import NewSource
from flotilla.ledger.tables import TENANTS, Table
from flotilla.settings import Settings
from tests.conftest import PATIENCE
from tests.forked_workers import forked_workers


def settings_for(url: str) -> Settings:
    return Settings(database_url=url)


def check_one_good_schema(url: str) -> None:
    database = Database(settings_for(url).ledger_url)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
        assert connection.scalar(select(func.count()).select_from(TENANTS)) == 1
        assert collections.resolve(connection, DEFAULT_TENANT, ["default"])
    assert is_current(database)
    database.close()


def test_upgrade_twice_is_upgrade_once(empty_url: str) -> None:
    upgrade(settings_for(empty_url))
    upgrade(settings_for(empty_url))

    check_one_good_schema(empty_url)


def test_four_processes_that_upgrade_at_once_leave_one_good_schema(empty_url: str) -> None:
    forked = forked_workers()
    processes = [forked.Process(target=upgrade, args=(settings_for(empty_url),)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    check_one_good_schema(empty_url)


def test_a_ledger_without_tables_is_not_current_and_says_what_to_do(empty_url: str) -> None:
    database = Database(settings_for(empty_url).ledger_url)

    assert not is_current(database)
    with (
        pytest.raises(DependencyUnavailable, match="flotilla db upgrade"),
        database.reading() as connection,
    ):
        connection.execute(select(TENANTS.c.id))
    database.close()


def test_an_exception_takes_the_whole_transaction_back(ledger: Database) -> None:
    def write() -> None:
        with ledger.writing() as connection:
            collections.create(connection, DEFAULT_TENANT, "contracts", None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()

    with ledger.reading() as connection:
        assert [
            c.name for c in collections.listing(connection, DEFAULT_TENANT, after=None, limit=9)
        ] == ["default"]


def test_a_server_that_is_not_there_is_a_dependency_that_is_unavailable(
    unused_tcp_port: int,
) -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{unused_tcp_port}/ledger"

    with pytest.raises(DependencyUnavailable, match="DATABASE_URL"):
        Database(url).ping()


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="FLOTILLA_DATA"):
        Database(f"sqlite:///{tmp_path / 'file' / 'ledger.sqlite'}")


def test_an_address_that_is_none_names_the_setting() -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        Database("no such thing")


def test_every_connection_in_use_is_told_as_such(ledger_url: str) -> None:
    database = Database(settings_for(ledger_url).ledger_url, pool_size=1)
    database.engine.pool._timeout = 0.05  # type: ignore[attr-defined]
    held = [database.engine.connect() for _ in range(2)]

    with pytest.raises(DependencyUnavailable, match="in use"):
        database.ping()
    for connection in held:
        connection.close()
    database.close()


def test_a_statement_that_cannot_be_carried_out_is_no_outage(ledger: Database) -> None:
    # Tried again it would fail again, for as long as an outage is waited for.
    with pytest.raises(DBAPIError), ledger.reading() as connection:
        connection.execute(text("SELECT nothing_of_this_name"))


def test_two_that_wait_for_one_another_are_told_to_try_again(ledger: Database) -> None:
    if ledger.sqlite:
        pytest.skip("SQLite has one writer at a time")
    names = [new_id(), new_id()]
    with ledger.writing() as connection:
        for name in names:
            collections.create(connection, DEFAULT_TENANT, name, None)
    both = threading.Barrier(2, timeout=PATIENCE)

    def change(first: str, second: str) -> str | None:
        try:
            with ledger.writing() as connection:
                for name in (first, second):
                    collections.resolve(connection, DEFAULT_TENANT, [name], lock=True)
                    if name == first:
                        both.wait()
        except DependencyUnavailable as error:
            return error.message
        return None

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(change, names, reversed(names)))
    [message] = [each for each in told if each is not None]
    assert "try again" in message


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", ["n" * 256, "a\0b"], ids=["too long", "NUL"])
def test_a_value_that_cannot_be_stored_is_the_requests_fault(ledger: Database, name: str) -> None:
    with pytest.raises(InvalidRequest), ledger.writing() as connection:
        collections.create(connection, DEFAULT_TENANT, name, None)


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
def test_the_longest_source_that_is_taken_fits_into_its_index(
    ledger: Database, source: Callable[..., NewSource]
) -> None:
    # What has no pattern is not compressed, and so needs all of its room.
    one = random.Random(1).choices(string.ascii_letters + string.digits, k=LONGEST_SOURCE)
    with ledger.writing() as connection:
        assert submissions.submit(
            connection, DEFAULT_TENANT, "default", [source(source="".join(one))]
        )


def test_readers_do_not_wait_for_a_writer(ledger: Database) -> None:
    with ledger.writing() as writer:
        collections.create(writer, DEFAULT_TENANT, "contracts", None)
        with ledger.reading() as reader:
            assert reader.scalar(text("SELECT count(*) FROM collections")) == 1


def test_ids_grow_with_time() -> None:
    ids = [new_id() for _ in range(1000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
