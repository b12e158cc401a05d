"""Vector spaces: an embedding model each, with the Qdrant collection that holds its vectors.

One space answers. Others may be written beside it: one that is being filled, to take its place,
and those that were in its place before and are kept up to date for a way back. The ledger says
which, whatever EMBEDDING_MODEL says.
"""

import re
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, case, insert, select, update
from sqlalchemy.exc import IntegrityError

from flotilla.ledger.database import new_id, now
from flotilla.ledger.tables import SPACES

spaces = SPACES.c


class SpaceState(StrEnum):
    """What a space is for."""

    PREPARING = "preparing"  # the workers are loading its model; nothing is written yet
    FILLING = "filling"  # gets all new documents, and the old ones one after another
    ACTIVE = "active"  # answers
    STANDBY = "standby"  # has answered before, and still gets all new documents
    DROPPED = "dropped"  # its collection is deleted, or about to be


WRITTEN = (SpaceState.ACTIVE, SpaceState.FILLING, SpaceState.STANDBY)
"""States in which a space gets every document that is published."""


@dataclass(frozen=True, slots=True)
class Space:
    """A row: `model` is of the form `fastembed:NAME` or `openai:NAME`, `collection` is Qdrant's
    name."""

    id: str
    model: str
    collection: str
    dimensions: int | None
    state: SpaceState
    created_at: datetime
    switched_at: datetime | None

    @property
    def name(self) -> str:
        """The model's name, without its provider where that is fastembed."""
        return self.model.removeprefix("fastembed:")


_COLUMNS = tuple(spaces[each.name] for each in fields(Space))


def collection_name(prefix: str, model: str, suffix: str | None = None) -> str:
    """The Qdrant collection of a model: with a suffix, one that no other space has ever had."""
    slug = re.sub(r"[^a-z0-9]+", "-", model.partition(":")[2].lower()).strip("-")
    return "-".join(filter(None, (prefix, slug, suffix)))


def undropped(connection: Connection) -> list[Space]:
    """All spaces but the dropped ones: the active one first, then the newest first."""
    return _select(connection)


def written(connection: Connection) -> list[Space]:
    """The spaces that a document has to be in before it is published, the active one first.

    None begins or ceases to be one of them before this transaction is over.
    """
    return [space for space in _select(connection, share=True) if space.state in WRITTEN]


def dropped(connection: Connection) -> list[Space]:
    """The spaces whose collections are gone, or ought to be."""
    query = select(*_COLUMNS).where(spaces.state == SpaceState.DROPPED.value)
    return [_space(row) for row in connection.execute(query)]


def any_being_filled(connection: Connection) -> bool:
    """Whether a migration is writing, or about to write, what is there to a space."""
    states = (SpaceState.PREPARING, SpaceState.FILLING)
    return any(space.state in states for space in undropped(connection))


def get(connection: Connection, space_id: str) -> Space | None:
    """One space, dropped or not."""
    row = connection.execute(select(*_COLUMNS).where(spaces.id == space_id)).one_or_none()
    return _space(row) if row is not None else None


def lock(connection: Connection) -> list[Space]:
    """All spaces but the dropped ones; nobody else changes them before this transaction ends."""
    return _select(connection, exclusive=True)


def _select(connection: Connection, *, share: bool = False, exclusive: bool = False) -> list[Space]:
    query = (
        select(*_COLUMNS)
        .where(spaces.state != SpaceState.DROPPED.value)
        .order_by(
            case((spaces.state == SpaceState.ACTIVE.value, 0), else_=1),
            spaces.switched_at.is_(None),
            spaces.switched_at.desc(),
            spaces.id.desc(),
        )
    )
    if share or exclusive:
        query = query.with_for_update(read=share)
    return [_space(row) for row in connection.execute(query)]


def _space(row: object) -> Space:
    values = {each.name: getattr(row, each.name) for each in fields(Space)}
    return Space(**values | {"state": SpaceState(values["state"])})


# --- changes of state ----------------------------------------------------------------------


def adopt(connection: Connection, model: str, collection: str, dimensions: int) -> None:
    """Make the first space, which answers at once; nothing where there is one that does."""
    try:
        with connection.begin_nested():
            _insert(connection, model, collection, dimensions, SpaceState.ACTIVE)
    except IntegrityError:  # another process was quicker
        return


def add(connection: Connection, model: str, prefix: str) -> Space:
    """A new space whose model is to be loaded by the workers first."""
    space_id = new_id()
    collection = collection_name(prefix, model, space_id[-8:])
    _insert(connection, model, collection, None, SpaceState.PREPARING, space_id)
    space = get(connection, space_id)
    assert space is not None  # noqa: S101 - written a moment ago
    return space


def _insert(
    connection: Connection,
    model: str,
    collection: str,
    dimensions: int | None,
    state: SpaceState,
    space_id: str | None = None,
) -> None:
    moment = now()
    connection.execute(
        insert(SPACES).values(
            id=space_id or new_id(),
            model=model,
            collection=collection,
            dimensions=dimensions,
            state=state.value,
            created_at=moment,
            switched_at=moment if state is SpaceState.ACTIVE else None,
        )
    )


def revive(connection: Connection, space_id: str) -> bool:
    """Prepare a space again that was given up before anything was written to it."""
    try:
        with connection.begin_nested():
            changed = connection.execute(
                update(SPACES)
                .where(
                    spaces.id == space_id,
                    spaces.state == SpaceState.DROPPED.value,
                    spaces.dimensions.is_(None),
                )
                .values(state=SpaceState.PREPARING.value)
            )
    except IntegrityError:  # the model has another space by now
        return False
    return changed.rowcount == 1


def fill(connection: Connection, space_id: str, dimensions: int) -> bool:
    """From this transaction on every document that is published goes into the space, too."""
    lock(connection)
    changed = connection.execute(
        update(SPACES)
        .where(spaces.id == space_id, spaces.state == SpaceState.PREPARING.value)
        .values(state=SpaceState.FILLING.value, dimensions=dimensions)
    )
    return changed.rowcount == 1


def switch(connection: Connection, space_id: str) -> bool:
    """Let another space answer; the one that did goes on being written.

    False, and nothing changed, when the space is not one that is filled or kept up to date.
    """
    open_spaces = {space.id: space for space in lock(connection)}
    target = open_spaces.get(space_id)
    if target is None or target.state not in (SpaceState.FILLING, SpaceState.STANDBY):
        return False
    moment = now()
    connection.execute(
        update(SPACES)
        .where(spaces.state == SpaceState.ACTIVE.value)
        .values(state=SpaceState.STANDBY.value, switched_at=moment)
    )
    connection.execute(
        update(SPACES)
        .where(spaces.id == space_id)
        .values(state=SpaceState.ACTIVE.value, switched_at=moment)
    )
    return True


def drop(connection: Connection, space_id: str, *states: SpaceState) -> bool:
    """End a space that is in one of these states; nothing is written to it from now on."""
    lock(connection)
    changed = connection.execute(
        update(SPACES)
        .where(spaces.id == space_id, spaces.state.in_([state.value for state in states]))
        .values(state=SpaceState.DROPPED.value)
    )
    return changed.rowcount == 1
