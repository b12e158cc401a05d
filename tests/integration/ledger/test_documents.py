"""Documents: what is shown of them, and how they are deleted."""

from collections.abc import Callable

import pytest

from flotilla.errors import CollectionNotFound, DocumentNotFound
from flotilla.ledger import collections, documents
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id
from flotilla.ledger.submissions import NewSource
from tests.integration.ledger.operations import counts, delete, publish, shown_document, submit

Source = Callable[..., NewSource]


def test_a_deleted_document_is_gone_and_frees_its_name(ledger: Database, source: Source) -> None:
    version = source(data=b"A")
    [first] = submit(ledger, version)
    publish(ledger, first, version)
    delete(ledger, first.document_id)

    with pytest.raises(DocumentNotFound):
        shown_document(ledger, first.document_id)
    with ledger.reading() as connection:
        assert documents.live(connection, [first.document_id]) == {}
    with pytest.raises(DocumentNotFound):
        delete(ledger, first.document_id)

    [second] = submit(ledger, source(data=b"A"))
    assert second.duplicate_of is None
    assert second.document_id != first.document_id


def test_purging_takes_deleted_documents_alone(ledger: Database, source: Source) -> None:
    gone, kept = submit(ledger, source("a", b"A"), source("b", b"B"))
    delete(ledger, gone.document_id)

    with ledger.writing() as connection:
        documents.purge(connection, [gone.document_id, kept.document_id])

    assert counts(ledger) == (1, 1, 2)
    assert shown_document(ledger, kept.document_id).sha256 is not None


def test_a_deleted_collection_takes_its_documents_and_frees_its_name(
    ledger: Database, source: Source
) -> None:
    with ledger.writing() as connection:
        collections.create(connection, DEFAULT_TENANT, "contracts", None)
    version = source()
    [accepted] = submit(ledger, version, collection="contracts")
    publish(ledger, accepted, version)

    with ledger.writing() as connection:
        collections.delete(connection, DEFAULT_TENANT, "contracts")
        assert documents.live(connection, [accepted.document_id]) == {}
    with pytest.raises(CollectionNotFound):
        submit(ledger, source(data=b"B"), collection="contracts")
    with ledger.writing() as connection:
        created = collections.create(connection, DEFAULT_TENANT, "contracts", None)
    assert created.documents == 0


def test_another_tenants_document_is_not_found(ledger: Database, source: Source) -> None:
    [accepted] = submit(ledger, source())

    with pytest.raises(DocumentNotFound), ledger.reading() as connection:
        documents.view(connection, new_id(), accepted.document_id)


def test_a_listing_is_complete_while_documents_are_added(ledger: Database, source: Source) -> None:
    wanted = [
        accepted.document_id
        for accepted in submit(ledger, *(source(f"{n}", b"%d" % n) for n in range(7)))
    ]
    found: list[str] = []
    before = None
    while True:
        with ledger.reading() as connection:
            part = documents.listing(
                connection,
                DEFAULT_TENANT,
                collection_id=None,
                status=None,
                before=before,
                limit=3,
            )
        if not part:
            break
        found += [document.document_id for document in part]
        before = found[-1]
        submit(ledger, source(new_id(), new_id().encode()))

    assert found == sorted(wanted, reverse=True)
