"""The states of embedding models' spaces: one answers, and whoever comes second learns that."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from flotilla.errors import Conflict, ModelNotFound
from flotilla.ledger import endings, job_ends, jobs, model_migrations, retries, spaces
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.spaces import Space, SpaceState
from flotilla.schemas import TaskError
from tests.conftest import wait_until

FIRST, SECOND, THIRD = "fastembed:first", "fastembed:Second/Model.v2", "fastembed:third"
DIMENSIONS = 4


@pytest.fixture
def active(ledger: Database) -> Space:
    with ledger.writing() as connection:
        spaces.adopt(connection, FIRST, "points-first", DIMENSIONS)
        [space] = spaces.undropped(connection)
    return space


def migrate(ledger: Database, model: str = SECOND) -> str:
    with ledger.writing() as connection:
        return model_migrations.migrate(connection, model, "points")


def fill(ledger: Database, model: str = SECOND) -> str:
    """A migration whose space is being filled; the space's id."""
    migrate(ledger, model)
    [space] = [space for space in known(ledger) if space.model == model]
    with ledger.writing() as connection:
        assert spaces.fill(connection, space.id, DIMENSIONS)
    return space.id


def finish(ledger: Database, space_id: str) -> None:
    """Switch to a space and end the migration to it."""
    with ledger.writing() as connection:
        assert spaces.switch(connection, space_id)
        job_ends.complete(connection, running(ledger), {})


def running(ledger: Database) -> str:
    with ledger.reading() as connection:
        found = connection.execute(
            jobs.JOBS.select().where(
                jobs.JOBS.c.kind == "migration", jobs.JOBS.c.finished_at.is_(None)
            )
        ).one()
    return str(found.id)


def known(ledger: Database) -> list[Space]:
    with ledger.reading() as connection:
        return spaces.undropped(connection)


def states(ledger: Database) -> dict[str, str]:
    return {space.model: space.state.value for space in known(ledger)}


def test_of_processes_that_start_at_once_one_makes_the_first_space(ledger: Database) -> None:
    def adopt(number: int) -> list[str]:
        with ledger.writing() as connection:
            spaces.adopt(connection, f"fastembed:m{number}", f"points-{number}", DIMENSIONS)
            return [space.model for space in spaces.undropped(connection)]

    with ThreadPoolExecutor(4) as threads:
        seen = list(threads.map(adopt, range(4)))
    assert [space.state for space in known(ledger)] == [SpaceState.ACTIVE]
    assert all(models == [known(ledger)[0].model] for models in seen)


def test_the_switch_leaves_the_one_before_on_standby(ledger: Database, active: Space) -> None:
    space_id = fill(ledger)
    assert states(ledger) == {FIRST: "active", SECOND: "filling"}
    finish(ledger, space_id)
    assert states(ledger) == {FIRST: "standby", SECOND: "active"}
    assert [space.model for space in known(ledger)] == [SECOND, FIRST]
    with ledger.writing() as connection:
        job_id = model_migrations.roll_back(connection)
        assert jobs.get(connection, job_id).payload["space"] == active.id  # type: ignore[union-attr]
        assert spaces.switch(connection, active.id)
    assert states(ledger) == {FIRST: "active", SECOND: "standby"}


def test_a_document_goes_to_all_spaces_but_the_one_that_is_prepared(
    ledger: Database, active: Space
) -> None:
    migrate(ledger)
    prepared = known(ledger)[1]
    with ledger.writing() as connection:
        assert [space.model for space in spaces.written(connection)] == [FIRST]
        spaces.fill(connection, prepared.id, DIMENSIONS)
        assert [space.model for space in spaces.written(connection)] == [FIRST, SECOND]


def test_a_switch_changes_nothing_where_it_may_not_be(ledger: Database, active: Space) -> None:
    migrate(ledger)
    preparing = known(ledger)[1]
    with ledger.writing() as connection:
        assert not spaces.switch(connection, preparing.id)
        assert not spaces.switch(connection, active.id)
        assert not spaces.switch(connection, "no such space")
        assert spaces.drop(connection, preparing.id, SpaceState.PREPARING)
        assert not spaces.switch(connection, preparing.id)
        assert not spaces.fill(connection, preparing.id, DIMENSIONS)
    assert states(ledger) == {FIRST: "active"}


def test_of_two_migrations_at_once_one_is_refused(ledger: Database, active: Space) -> None:
    def attempt(model: str) -> str | None:
        try:
            return migrate(ledger, model)
        except Conflict:
            return None

    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(attempt, (SECOND, THIRD)))
    assert sum(job_id is not None for job_id in made) == 1
    assert len(known(ledger)) == 2


@pytest.mark.parametrize("model", [FIRST, SECOND, THIRD])
def test_while_one_is_under_way_there_is_no_other(
    ledger: Database, active: Space, model: str
) -> None:
    fill(ledger)
    with pytest.raises(Conflict):
        migrate(ledger, model)
    with ledger.writing() as connection, pytest.raises(Conflict):
        model_migrations.roll_back(connection)
    with ledger.writing() as connection, pytest.raises(Conflict, match="cancel it"):
        model_migrations.drop(connection, known(ledger)[1].id)


def test_a_failed_migration_is_gone_on_with_or_given_up(ledger: Database, active: Space) -> None:
    space_id = fill(ledger)
    job_id = running(ledger)
    error = TaskError(stage="vectorstore.fill_space", code="x", message="x", retryable=False)
    with ledger.writing() as connection:
        job_ends.fail(connection, job_id, error)
    with pytest.raises(Conflict, match="did not end"):
        migrate(ledger, THIRD)
    again = migrate(ledger, SECOND)
    with ledger.reading() as connection:
        assert jobs.get(connection, again).payload["space"] == space_id  # type: ignore[union-attr]
    with ledger.writing() as connection:
        job_ends.fail(connection, again, error)
        model_migrations.drop(connection, space_id)
    assert states(ledger) == {FIRST: "active"}
    migrate(ledger, THIRD)


def fail(ledger: Database, job_id: str) -> None:
    error = TaskError(stage="vectorstore.fill_space", code="x", message="x", retryable=False)
    with ledger.writing() as connection:
        job_ends.fail(connection, job_id, error)


def test_a_failed_migration_is_not_retried_beside_another(ledger: Database, active: Space) -> None:
    fill(ledger)
    failed = running(ledger)
    fail(ledger, failed)
    other = migrate(ledger, SECOND)
    with pytest.raises(Conflict, match=f"under way.*{other}"):
        retries.retry(ledger, DEFAULT_TENANT, failed)

    fail(ledger, other)
    outcome = retries.retry_many(ledger, DEFAULT_TENANT, [failed, other])
    assert (outcome.taken, list(outcome.refused)) == ([failed], [other])


def test_a_retry_waits_for_a_migration_that_is_being_begun(ledger: Database, active: Space) -> None:
    if ledger.sqlite:
        pytest.skip("SQLite has one writer at a time")
    fill(ledger)
    failed = running(ledger)
    fail(ledger, failed)
    with ThreadPoolExecutor(1) as pool:
        with ledger.writing() as connection:
            model_migrations.migrate(connection, SECOND, "points")
            retry = pool.submit(retries.retry, ledger, DEFAULT_TENANT, failed)
            wait_until(lambda: waits_for_a_lock(ledger), 30)
        with pytest.raises(Conflict, match="under way"):
            retry.result(30)


def waits_for_a_lock(ledger: Database) -> bool:
    with ledger.reading() as connection:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(connection.scalar(text(waiting)))


def test_a_cancelled_migration_drops_what_it_filled(ledger: Database, active: Space) -> None:
    space_id = fill(ledger)
    with ledger.writing() as connection:
        endings.cancel_by_user(connection, DEFAULT_TENANT, running(ledger))
        [dropping] = [
            row.id
            for row in connection.execute(jobs.JOBS.select().where(jobs.JOBS.c.kind == "drop"))
        ]
        assert jobs.get(connection, dropping).payload["space"] == space_id  # type: ignore[union-attr]
    assert states(ledger) == {FIRST: "active"}
    with ledger.writing() as connection, pytest.raises(Conflict, match="cannot be cancelled"):
        endings.cancel_by_user(connection, DEFAULT_TENANT, dropping)


def test_a_cancelled_way_back_drops_nothing(ledger: Database, active: Space) -> None:
    finish(ledger, fill(ledger))
    with ledger.writing() as connection:
        job_id = model_migrations.roll_back(connection)
        endings.cancel_by_user(connection, DEFAULT_TENANT, job_id)
    assert states(ledger) == {SECOND: "active", FIRST: "standby"}


def test_a_model_that_was_dropped_gets_a_collection_of_another_name(
    ledger: Database, active: Space
) -> None:
    space_id = fill(ledger)
    first = known(ledger)[1].collection
    assert first.startswith("points-second-model-v2-")
    finish(ledger, space_id)
    with ledger.writing() as connection:
        model_migrations.drop(connection, active.id)
    migrate(ledger, FIRST)
    assert known(ledger)[1].collection not in (active.collection, first)


def test_a_space_that_lacked_its_model_is_prepared_again(ledger: Database, active: Space) -> None:
    migrate(ledger)
    space = known(ledger)[1]
    with ledger.writing() as connection:
        spaces.drop(connection, space.id, SpaceState.PREPARING)
        assert spaces.revive(connection, space.id)
        assert not spaces.revive(connection, space.id)
        assert spaces.fill(connection, space.id, DIMENSIONS)
        assert spaces.drop(connection, space.id, SpaceState.FILLING)
        assert not spaces.revive(connection, space.id)  # something was written to it


def test_what_cannot_be_done(ledger: Database, active: Space) -> None:
    refusals: list[tuple[type[Exception], Callable[[], object]]] = [
        (Conflict, lambda: migrate(ledger, FIRST)),
        (Conflict, lambda: _write(ledger, model_migrations.roll_back)),
        (Conflict, lambda: _write(ledger, lambda c: model_migrations.drop(c, active.id))),
        (ModelNotFound, lambda: _write(ledger, lambda c: model_migrations.drop(c, "none"))),
    ]
    for error, refused in refusals:
        with pytest.raises(error):
            refused()


def test_before_the_first_worker_there_is_nothing_to_change(ledger: Database) -> None:
    with pytest.raises(Conflict, match="EMBEDDING_MODEL"):
        migrate(ledger)


def _write(ledger: Database, function: Callable[..., object]) -> object:
    with ledger.writing() as connection:
        return function(connection)
