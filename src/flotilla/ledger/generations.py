"""Generations: how often what a collection answers with has changed.

The number is in the key of whatever is cached of a collection, and is raised in the transaction
that makes a change. So what was found before is not asked for any more from that transaction on.
Whoever caches reads the numbers before he searches: should a change come in between, what he has
found is kept under the number before, which nobody reads again.
"""

from collections.abc import Collection

from sqlalchemy import Connection, select, update

from flotilla.ledger.tables import COLLECTIONS

collections = COLLECTIONS.c


def of(
    connection: Connection, tenant_id: str, collection_ids: Collection[str] = ()
) -> dict[str, int]:
    """The generations of some collections, or of all that the tenant has, by their ids in order.

    One that is not there, or is another tenant's, is left out.
    """
    query = select(collections.id, collections.generation).where(collections.tenant_id == tenant_id)
    if collection_ids:
        query = query.where(collections.id.in_(collection_ids))
    return {row.id: row.generation for row in connection.execute(query.order_by(collections.id))}


def advance(connection: Connection, collection_id: str) -> None:
    """Note that what the collection answers with changes in this transaction.

    It holds the collection from here on, which by the order of `ledger.database` comes before any
    document.
    """
    connection.execute(
        update(COLLECTIONS)
        .where(collections.id == collection_id)
        .values(generation=collections.generation + 1)
    )
