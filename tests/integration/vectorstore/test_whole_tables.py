"""Reading a version's passages for the tables of which a search has found rows."""

from pathlib import Path

import pytest

from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.models import Query
from flotilla.rag import retrieval, whole_tables
from flotilla.vectorstore import tasks
from flotilla.vectorstore.points import PointStore
from tests.doubles.ledger_rows import add_document
from tests.integration.vectorstore.passages import write
from tests.integration.vectorstore.small_models import CHUNKS, Process, passages, pending


def test_all_live_passages_of_one_version_are_read_and_no_other_tenant_s(
    points: PointStore,
) -> None:
    write(points, "d1", "v1", live=True, chunks=5)
    write(points, "d2", "v2", live=True)
    write(points, "d3", "v3")
    found = points.of_version("t1", "v1", 10)
    assert sorted(each.position for each in found) == [0, 1, 2, 3, 4]
    assert {each.version_id for each in found} == {"v1"}
    assert len(points.of_version("t1", "v1", 4)) == 4
    assert points.of_version("t2", "v1", 10) == []
    assert points.of_version("t1", "v3", 10) == [], "not published"


def test_what_a_search_has_found_is_read_as_a_whole_while_it_is_live(
    ledger: Database, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_tables, "_has_rows", lambda _passage: True)
    document = add_document(ledger)
    first = pending(ledger, tmp_path, document, 1)
    tasks.index.apply([first])
    tasks.publish.apply([first])
    (found,) = passages(process, "passage 1", 1)
    query = Query(tenant_id=DEFAULT_TENANT, question="Which is longest?", collection_ids=())

    def read() -> whole_tables.WholeTables:
        return retrieval.read_tables(query, [found], process.spaces.readable())

    tables = read()
    assert [each.position for each in tables.passages] == list(range(CHUNKS))
    assert tables.versions == {found.version_id}
    assert {each.collection for each in tables.passages} == {found.collection}
    with monkeypatch.context() as fewer:
        fewer.setattr(retrieval, "MOST_CHUNKS", CHUNKS - 1)
        assert read().in_part == {found.version_id}, "too many"
    second = pending(ledger, tmp_path, document, 2)
    tasks.index.apply([second])
    tasks.publish.apply([second])
    assert read().versions == set(), "replaced meanwhile"
