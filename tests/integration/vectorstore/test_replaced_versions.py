"""Questions while a version takes another's place: they find the one or the other, wholly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flotilla.errors import FileCorrupt
from flotilla.ledger import endings, versions
from flotilla.ledger.attempts import as_task_error
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.runs import StageRun
from flotilla.models import Passage
from flotilla.vectorstore import tasks
from flotilla.vectorstore.points import PointStore
from flotilla.vectorstore.search import Retriever
from tests.doubles.ledger_rows import add_document
from tests.integration.vectorstore.small_models import (
    CHUNKS,
    FIRST,
    SECOND,
    Process,
    begin_filling,
    passages,
    pending,
)


def ingest(ledger: Database, tmp_path: Path, document_id: str, number: int) -> str:
    """A version that is indexed and not published; the id of its job."""
    job_id = pending(ledger, tmp_path, document_id, number)
    tasks.index.apply([job_id])
    return job_id


def version_id(ledger: Database, job_id: str) -> str:
    with ledger.reading() as connection:
        job = tasks.jobs.get(connection, job_id)
    assert job is not None
    return str(job.version_id)


def found(process: Process, top_k: int = CHUNKS) -> list[str]:
    return [passage.version_id for passage in passages(process, "passage 1", top_k)]


@pytest.fixture
def after_search(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has things happen between the searches of a question and its looks at the ledger."""

    def arrange(*events: Callable[[], Any]) -> None:
        search = Retriever.search
        left = list(events)

        def search_then(self: Retriever, *arguments: Any, **options: Any) -> list[Passage]:
            result = search(self, *arguments, **options)
            if left:
                left.pop(0)()
            return result

        monkeypatch.setattr(Retriever, "search", search_then)

    return arrange


def test_a_version_that_is_published_in_mid_question_is_found(
    ledger: Database, process: Process, tmp_path: Path, after_search: Callable[..., None]
) -> None:
    document = add_document(ledger)
    tasks.publish.apply([ingest(ledger, tmp_path, document, 1)])
    second = ingest(ledger, tmp_path, document, 2)
    after_search(lambda: tasks.publish.apply([second]))

    assert found(process) == [version_id(ledger, second)] * CHUNKS


def test_two_versions_that_are_published_in_mid_question_are_followed(
    ledger: Database, process: Process, tmp_path: Path, after_search: Callable[..., None]
) -> None:
    document = add_document(ledger)
    first, second, third = (ingest(ledger, tmp_path, document, number) for number in (1, 2, 3))
    tasks.publish.apply([first])
    after_search(lambda: tasks.publish.apply([second]), lambda: tasks.publish.apply([third]))

    assert found(process) == [version_id(ledger, third)] * CHUNKS


@pytest.mark.parametrize("dies", ["before the ledger is told", "before the old one is removed"])
def test_a_question_finds_one_whole_version_where_publishing_stopped_half_way(
    ledger: Database, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    document = add_document(ledger)
    first = ingest(ledger, tmp_path, document, 1)
    tasks.publish.apply([first])
    second = ingest(ledger, tmp_path, document, 2)

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    if dies == "before the ledger is told":
        monkeypatch.setattr(StageRun, "writing", die)
        expected = first
    else:
        monkeypatch.setattr(tasks, "_remove_older", die)
        expected = second
    with pytest.raises(Killed):
        tasks.publish.apply([second], throw=True)

    [space] = process.spaces.writable(fresh=True)
    assert space.points.total() == 2 * CHUNKS
    # Also where the passages of the other would fill all that is asked for.
    for top_k in (1, CHUNKS):
        assert set(found(process, top_k)) == {version_id(ledger, expected)}
        assert len(found(process, top_k)) == top_k


def test_a_version_that_is_shown_meanwhile_crowds_none_out(
    ledger: Database, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flotilla.rag import retrieval

    monkeypatch.setattr(retrieval, "SPARE", 0)
    document = add_document(ledger)
    first = ingest(ledger, tmp_path, document, 1)
    tasks.publish.apply([first])
    second = version_id(ledger, ingest(ledger, tmp_path, document, 2))
    [space] = process.spaces.writable(fresh=True)
    space.points.publish(DEFAULT_TENANT, document, second)

    assert found(process) == [version_id(ledger, first)] * CHUNKS


def test_a_space_that_cannot_be_completed_leaves_the_version_hidden_in_all(
    ledger: Database, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = ingest(ledger, tmp_path, add_document(ledger), 1)
    begin_filling(ledger)
    complete = tasks._complete

    def fail_at_the_second(run: Any, version: Any, space: Any) -> None:
        if space.row.model == SECOND:
            raise FileCorrupt("Its stored chunks are damaged: submit the document again.")
        complete(run, version, space)

    monkeypatch.setattr(tasks, "_complete", fail_at_the_second)
    tasks.publish.apply([job_id])

    assert version_state(ledger, job_id) == versions.FAILED
    counts = {
        space.row.model: space.points.count(DEFAULT_TENANT, live=True)
        for space in process.spaces.writable(fresh=True)
    }
    assert counts == {FIRST: 0, SECOND: 0}


def test_a_version_that_failed_after_it_was_shown_does_not_answer(
    ledger: Database, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = add_document(ledger)
    first = ingest(ledger, tmp_path, document, 1)
    tasks.publish.apply([first])
    second = ingest(ledger, tmp_path, document, 2)
    publish = PointStore.publish

    def publish_then_fail(self: PointStore, *arguments: str) -> None:
        publish(self, *arguments)
        endings.fail(
            ledger, second, as_task_error("vectorstore.publish", FileCorrupt("It is damaged."))
        )

    monkeypatch.setattr(PointStore, "publish", publish_then_fail)
    tasks.publish.apply([second])

    assert version_state(ledger, second) == versions.FAILED
    assert found(process) == [version_id(ledger, first)] * CHUNKS


def version_state(ledger: Database, job_id: str) -> str:
    with ledger.reading() as connection:
        return versions.get(connection, version_id(ledger, job_id)).state
