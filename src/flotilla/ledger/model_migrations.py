"""Changes of the embedding model: jobs that fill a space and switch to it, or drop one.

There is one migration at a time. They are of the default tenant's, though they carry the documents
of all tenants, and they count as sent, since they do not wait for admission.
"""

from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, select, update

from flotilla.errors import Conflict, ModelNotFound
from flotilla.ledger import spaces
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.jobs import Job, NewJob
from flotilla.ledger.jobs import add as add_jobs
from flotilla.ledger.spaces import Space, SpaceState
from flotilla.ledger.tables import JOBS

MIGRATION = "migration"
DROP = "drop"

# As `pipelines`, which stands above, names them.
PREPARE_STAGE = "vectorstore.prepare_space"
DROP_STAGE = "vectorstore.drop_space"

jobs = JOBS.c


def migrate(
    connection: Connection, model: str, prefix: str, callback_url: str | None = None
) -> str:
    """Write the job that changes the embedding model; returns its id.

    A space of this model that is there already, be it one that a failed migration has left half
    full, is used.

    Args:
        connection: in a writing transaction.
        model: of the form `fastembed:NAME` or `openai:NAME`.
        prefix: of the names of Qdrant collections.
        callback_url: is told of the job's end.

    Raises:
        Conflict: the model is the present one, or another migration is not over.
    """
    active, others = _settled(connection)
    if active.model == model:
        raise Conflict(f"{active.name} is the embedding model already: there is nothing to change.")
    for space in others:
        if space.model == model:
            return _submit(connection, active, space, callback_url)
        if space.state is not SpaceState.STANDBY:
            raise Conflict(
                f"The migration to {space.name} did not end: retry its task, or give it up with "
                f"`flotilla models drop {space.name}`."
            )
    return _submit(connection, active, spaces.add(connection, model, prefix), callback_url)


def roll_back(connection: Connection, callback_url: str | None = None) -> str:
    """Write the job that goes back to the model that answered before; returns its id.

    Raises:
        Conflict: there is none to go back to, or a migration is not over.
    """
    active, others = _settled(connection)
    standby = [space for space in others if space.state is SpaceState.STANDBY]
    if not standby:
        raise Conflict("There is no model to go back to: `flotilla models list` shows which are.")
    return _submit(connection, active, standby[0], callback_url)


def drop(connection: Connection, space_id: str, callback_url: str | None = None) -> str:
    """Stop writing to a space, and write the job that deletes its collection; returns its id.

    Args:
        connection: in a writing transaction.
        space_id: a space's id.
        callback_url: is told of the job's end.

    Raises:
        ModelNotFound: there is no such space.
        Conflict: it is the one that answers, or a migration is at work on it.
    """
    known = {space.id: space for space in spaces.lock(connection)}
    space = known.get(space_id)
    if space is None:
        raise ModelNotFound(
            f"There is no model space {space_id[:80]!r}: GET /models lists what there is."
        )
    if space.state is SpaceState.ACTIVE:
        raise Conflict(f"{space.name} answers all questions: migrate to another model first.")
    running = _running(connection)
    if running is not None and running.payload.get("space") == space_id:
        raise Conflict(
            f"Task {running.id} is migrating to {space.name}: cancel it, and this goes with it."
        )
    return _drop(connection, space, callback_url)


def give_up(connection: Connection, job: Job) -> None:
    """Drop the space that a cancelled migration was filling; one to go back to stays."""
    space = spaces.get(connection, str(job.payload.get("space")))
    if space is not None and space.state in (SpaceState.PREPARING, SpaceState.FILLING):
        _drop(connection, space)


def _drop(connection: Connection, space: Space, callback_url: str | None = None) -> str:
    states = (SpaceState.PREPARING, SpaceState.FILLING, SpaceState.STANDBY)
    spaces.drop(connection, space.id, *states)
    return _write(connection, DROP, DROP_STAGE, space, callback_url)


def note(connection: Connection, job_id: str, **values: Any) -> None:
    """Keep what one stage of a migration has found for the last one, in the job's payload."""
    payload = connection.scalar(select(jobs.payload).where(jobs.id == job_id).with_for_update())
    connection.execute(
        update(JOBS).where(jobs.id == job_id).values(payload=(payload or {}) | values)
    )


def tasks_of(connection: Connection) -> dict[str, str]:
    """The newest migration's task of each space, by the space's id."""
    # Written out, as the index of migrations says it.
    migration: BindParameter[str] = bindparam("kind", MIGRATION, literal_execute=True)
    rows = connection.execute(
        select(jobs.id, jobs.payload).where(jobs.kind == migration).order_by(jobs.id)
    )
    return {row.payload["space"]: row.id for row in rows}


def _settled(connection: Connection) -> tuple[Space, list[Space]]:
    """The active space and the others, once no migration is under way."""
    known = spaces.lock(connection)
    if not known or known[0].state is not SpaceState.ACTIVE:
        raise Conflict(
            "No worker of the fleet 'vectorstore' has started yet, so there is no model to change: "
            "set EMBEDDING_MODEL."
        )
    _refuse_if_running(connection)
    return known[0], known[1:]


def check_alone(connection: Connection) -> None:
    """Let a migration that failed be tried again; none is begun before this transaction is over.

    Raises:
        Conflict: another one is not over.
    """
    spaces.lock(connection)
    _refuse_if_running(connection)


def _refuse_if_running(connection: Connection) -> None:
    running = _running(connection)
    if running is not None:
        raise Conflict(
            f"A change of the embedding model is under way: follow or cancel task {running.id}.",
            task_id=running.id,
        )


def _running(connection: Connection) -> Any:
    return connection.execute(
        select(jobs.id, jobs.payload)
        .where(jobs.kind == MIGRATION, jobs.finished_at.is_(None))
        .limit(1)
    ).one_or_none()


def _submit(connection: Connection, active: Space, space: Space, callback_url: str | None) -> str:
    return _write(connection, MIGRATION, PREPARE_STAGE, space, callback_url, previous=active.name)


def _write(
    connection: Connection,
    kind: str,
    stage: str,
    space: Space,
    callback_url: str | None,
    **payload: Any,
) -> str:
    job = NewJob(
        tenant_id=DEFAULT_TENANT,
        kind=kind,
        queue="vectorstore",
        stage=stage,
        payload={"space": space.id, "model": space.name, **payload},
        sent=True,
        callback_url=callback_url,
    )
    add_jobs(connection, [job])
    return job.id
