"""Collections: named sets of a tenant's documents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from flotilla.errors import CollectionExists, CollectionNotFound
from flotilla.ledger import generations
from flotilla.ledger.database import new_id, now
from flotilla.ledger.tables import COLLECTIONS, DOCUMENTS, VERSIONS
from flotilla.schemas import DEFAULT_COLLECTION, Collection, DocumentStatus

DEFAULT_TENANT = "00000000-0000-7000-8000-000000000000"

collections = COLLECTIONS.c
documents = DOCUMENTS.c
versions = VERSIONS.c


def resolve(
    connection: Connection,
    tenant_id: str,
    names: Sequence[str],
    *,
    lock: bool = False,
    field: str | None = "collection",
) -> dict[str, str]:
    """Ids by name, in the order given.

    With `lock`, whoever else resolves them so, or deletes them, waits for this transaction. `field`
    is the request's field that has the names, None where its address has; with `collections` the
    error's field has the name's place as well, such as `collections.1`.

    Raises:
        CollectionNotFound: naming the first that does not exist.
    """
    query = select(collections.name, collections.id).where(
        collections.tenant_id == tenant_id,
        collections.name.in_(names),
        collections.deleted_at.is_(None),
    )
    # Key-share is not in the way of the foreign keys of documents that are being written.
    rows = connection.execute(query.with_for_update(key_share=True) if lock else query)
    found = {row.name: row.id for row in rows}
    for place, name in enumerate(names):
        if name not in found:
            raise CollectionNotFound(
                f"There is no collection named {name!r}: create it with POST /collections, or "
                + (
                    f"leave the field out to use {DEFAULT_COLLECTION!r}."
                    if field is not None
                    else "see with GET /collections what there is."
                ),
                field=f"{field}.{place}" if field == "collections" else field,
            )
    return {name: found[name] for name in names}


def create(
    connection: Connection, tenant_id: str, name: str, description: str | None
) -> Collection:
    """Raises CollectionExists when the tenant has one of this name."""
    created_at = now()
    try:
        connection.execute(
            insert(COLLECTIONS).values(
                id=new_id(),
                tenant_id=tenant_id,
                name=name,
                description=description,
                created_at=created_at,
            )
        )
    except IntegrityError:
        raise CollectionExists(
            f"A collection named {name!r} exists already: choose another name.", field="name"
        ) from None
    return Collection(
        name=name, description=description, documents=0, chunks=0, created_at=created_at
    )


def _counted(tenant_id: str) -> Select[Any]:
    of_collection = (documents.collection_id == collections.id) & documents.deleted_at.is_(None)
    return (
        select(
            collections.id,
            collections.name,
            collections.description,
            collections.created_at,
            func.count(documents.id).label("documents"),
            func.coalesce(func.sum(versions.chunks), 0).label("chunks"),
        )
        .select_from(COLLECTIONS)
        .outerjoin(DOCUMENTS, of_collection)
        .outerjoin(VERSIONS, versions.id == documents.live_version_id)
        .where(collections.tenant_id == tenant_id, collections.deleted_at.is_(None))
        .group_by(collections.id)
    )


def _collection(row: Row[Any]) -> Collection:
    return Collection(
        name=row.name,
        description=row.description,
        documents=row.documents,
        chunks=row.chunks,
        created_at=row.created_at,
    )


def view(connection: Connection, tenant_id: str, name: str) -> Collection:
    """Raises CollectionNotFound."""
    resolve(connection, tenant_id, [name], field=None)
    row = connection.execute(_counted(tenant_id).where(collections.name == name)).one()
    return _collection(row)


def listing(
    connection: Connection, tenant_id: str, *, after: str | None, limit: int
) -> list[Collection]:
    """The tenant's collections by name; `after` is the last name of the part before."""
    query = _counted(tenant_id).order_by(collections.name).limit(limit)
    if after is not None:
        query = query.where(collections.name > after)
    return [_collection(row) for row in connection.execute(query)]


def delete(
    connection: Connection, tenant_id: str, name: str, moment: datetime | None = None
) -> str:
    """Mark a collection and its documents deleted, all at the same moment; returns its id.

    The default collection is emptied and stays.
    """
    # A submission that is being written has to be seen.
    collection_id = resolve(connection, tenant_id, [name], lock=True, field=None)[name]
    deleted_at = moment or now()
    there = (
        select(documents.id)
        .where(documents.collection_id == collection_id, documents.deleted_at.is_(None))
        .order_by(documents.id)
        .with_for_update(key_share=True)
    )
    connection.execute(
        update(DOCUMENTS)
        .where(documents.id.in_(there))
        .values(deleted_at=deleted_at, updated_at=deleted_at, status=DocumentStatus.DELETING.value)
    )
    generations.advance(connection, collection_id)
    if name != DEFAULT_COLLECTION:
        connection.execute(
            update(COLLECTIONS).where(collections.id == collection_id).values(deleted_at=deleted_at)
        )
    return collection_id
