"""How long a collection's chunks are, in the terms of BM25: counted as they are indexed."""

from sqlalchemy import Connection, select, update

from flotilla.ledger.tables import COLLECTIONS, VERSIONS

collections = COLLECTIONS.c
versions = VERSIONS.c


def count(connection: Connection, version_id: str, terms: int, chunks: int) -> None:
    """Add chunks of a version that were indexed, and their terms. Chunks that are indexed twice
    count twice, which leaves the average what it is."""
    connection.execute(
        update(VERSIONS)
        .where(versions.id == version_id)
        .values(terms=versions.terms + terms, measured_chunks=versions.measured_chunks + chunks)
    )


def take_over(connection: Connection, collection_id: str, version_id: str) -> None:
    """Add those of a version that is being published to its collection's; once."""
    row = connection.execute(
        select(versions.terms, versions.measured_chunks).where(versions.id == version_id)
    ).one()
    if row.measured_chunks == 0:
        return
    connection.execute(
        update(COLLECTIONS)
        .where(collections.id == collection_id)
        .values(
            terms=collections.terms + row.terms,
            measured_chunks=collections.measured_chunks + row.measured_chunks,
        )
    )
    connection.execute(
        update(VERSIONS).where(versions.id == version_id).values(terms=0, measured_chunks=0)
    )


def of_collection(connection: Connection, collection_id: str) -> tuple[int, int]:
    """The terms of the chunks that were published in a collection, and how many chunks those are;
    what was replaced or removed since is among them."""
    row = connection.execute(
        select(collections.terms, collections.measured_chunks).where(
            collections.id == collection_id
        )
    ).one_or_none()
    return (0, 0) if row is None else (row.terms, row.measured_chunks)
