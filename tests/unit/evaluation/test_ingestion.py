"""What is sent, and what becomes of sources that are refused; the gateway is a double."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest

from flotilla.client import FlotillaAPIError
from flotilla.evaluation import ingestion
from flotilla.evaluation.data_sets import DataSet, Kind, Source
from flotilla.evaluation.ingestion import Ingested, ingest
from flotilla.schemas import Document, Problem, TaskError, TaskStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def refusal(status: int, code: str, retry_after: float | None = None) -> FlotillaAPIError:
    problem = Problem(
        title=code, status=status, detail=f"It is {code}.", code=code, retryable=False
    )
    return FlotillaAPIError(problem, retry_after=retry_after)


class Gateway:
    """Keeps documents by name; those whose bytes are `empty` are refused, `broken` ones fail."""

    def __init__(self) -> None:
        self.kept: dict[str, Document] = {}
        self.uploads: list[list[str]] = []
        self.batches: list[str] = []
        self.script: list[Exception | None] = []

    def documents(
        self, *, collection: str, status: str | None = None, limit: int
    ) -> Iterator[Document]:
        yield from (each for each in self.kept.values() if status in (None, each.status))

    def open_batch(self, *, name: str, total: int | None = None) -> Any:
        self.batches.append(f"batch-{len(self.batches)}")
        return SimpleNamespace(task_id=self.batches[-1])

    def close_batch(self, batch: str) -> None:
        assert batch == self.batches[-1]

    def task(self, task_id: str) -> Any:
        return SimpleNamespace(status=TaskStatus.COMPLETED, progress=None)

    def upload_batch(self, *files: tuple[str, BinaryIO], collection: str, batch: str) -> None:
        if self.script and (error := self.script.pop(0)) is not None:
            raise error
        contents = {name: file.read() for name, file in files}
        if b"empty" in contents.values():
            raise refusal(422, "file_empty")
        self.uploads.append(list(contents))
        for name, content in contents.items():
            digest = hashlib.sha256(content).hexdigest()
            if digest not in {each.sha256 for each in self.kept.values()}:
                self.keep(name, digest, broken=content == b"broken")

    def keep(self, name: str, digest: str, *, broken: bool, retryable: bool = False) -> None:
        error = TaskError(
            stage="document.convert", code="file_corrupt", message="Damaged.", retryable=retryable
        )
        self.kept[name] = Document(
            document_id=f"id of {name}",
            name=name,
            collection="c",
            status="failed" if broken else "ready",
            sha256=digest,
            chunks=None if broken else 2,
            created_at=NOW,
            updated_at=NOW,
            error=error if broken else None,
        )


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def data_set(*texts: str) -> DataSet:
    sources = [Source(f"s{n}", f"{n}.txt", text=text) for n, text in enumerate(texts)]
    return DataSet("harbour", Kind.PASSAGES, sources, ())


def run(gateway: Gateway, of: DataSet) -> Ingested:
    return ingest(gateway, of, "c", lambda _done, _total: None)  # type: ignore[arg-type]


def test_what_is_there_is_not_sent_again(gateway: Gateway) -> None:
    first = run(gateway, data_set("a", "b"))
    more = run(gateway, data_set("a", "b", "c"))
    again = run(gateway, data_set("a", "b", "c"))

    assert (first.sent, more.sent, again.sent) == (2, 1, 0)
    assert gateway.uploads == [["0.txt", "1.txt"], ["2.txt"]]
    assert more.found_as == {"0.txt": ["s0"], "1.txt": ["s1"], "2.txt": ["s2"]}
    assert (more.chunks, more.documents["s2"]) == (6, "id of 2.txt")


def test_one_that_is_refused_does_not_keep_the_others(gateway: Gateway) -> None:
    found = run(gateway, data_set("a", "empty", "b"))

    assert [(each.name, each.message) for each in found.failed] == [("1.txt", "It is file_empty.")]
    assert set(found.found_as) == {"0.txt", "2.txt"}
    assert found.sent == 2


def test_one_that_failed_for_good_is_told_and_not_sent_again(gateway: Gateway) -> None:
    first, again = run(gateway, data_set("a", "broken")), run(gateway, data_set("a", "broken"))

    assert [(each.name, each.message) for each in again.failed] == [("1.txt", "Damaged.")]
    assert (len(first.failed), again.sent) == (1, 0)


def test_one_that_may_yet_succeed_is_sent_again(gateway: Gateway) -> None:
    gateway.keep("0.txt", hashlib.sha256(b"a").hexdigest(), broken=True, retryable=True)
    gateway.upload_batch = (  # type: ignore[method-assign]
        lambda *files, **_: gateway.keep(files[0][0], "d", broken=False)
    )

    assert run(gateway, data_set("a")).found_as == {"0.txt": ["s0"]}


def test_two_sources_of_the_same_bytes_are_one_document(gateway: Gateway) -> None:
    first, again = run(gateway, data_set("a", "b", "a")), run(gateway, data_set("a", "b", "a"))

    assert first.found_as == {"0.txt": ["s0", "s2"], "1.txt": ["s1"]}
    assert (first.failed, again.sent) == ([], 0)


def test_a_gateway_with_too_much_to_do_is_waited_for(gateway: Gateway) -> None:
    gateway.script = [refusal(503, "overloaded", retry_after=0.001), refusal(409, "batch_closed")]

    assert run(gateway, data_set("a")).sent == 1
    assert gateway.batches == ["batch-0", "batch-1"]


def test_a_gateway_that_fails_ends_it(gateway: Gateway) -> None:
    gateway.script = [refusal(500, "internal_error")]

    with pytest.raises(FlotillaAPIError):
        run(gateway, data_set("a"))


def test_uploads_are_of_a_bounded_size(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion, "FILES_PER_REQUEST", 3)
    monkeypatch.setattr(ingestion, "BYTES_PER_REQUEST", 10)

    run(gateway, data_set("a", "b", "c", "a long text", "d"))

    assert [len(each) for each in gateway.uploads] == [3, 1, 1]


def test_a_file_is_read_from_where_it_is(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a")
    of = DataSet("h", Kind.PAGES, [Source("a", "a.txt", path=tmp_path / "a.txt")], ())

    assert run(gateway, of).found_as == {"a.txt": ["a"]}
