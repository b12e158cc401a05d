"""Each document is what its bytes say: by the ledger, the API, its blobs and its points."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flotilla.schemas import Document, DocumentChunk, DocumentStatus, TaskError
from tests.chaos.contents import Contents
from tests.chaos.documents import Planned, corrupt, markdown, write_document
from tests.chaos.expected import Expected, Fate
from tests.chaos.verdict import Verdict
from tests.unit.chaos.stored_collection import COLLECTION, StoredCollection

MOMENT = datetime(2026, 11, 21, tzinfo=UTC)


class Scene:
    """One document that is all right, until a test changes something about it."""

    def __init__(self, folder: Path, fate: Fate = Fate.ANSWERS) -> None:
        maker = corrupt if fate is Fate.FAILS else markdown
        self.planned: Planned = write_document(folder, maker, 7, 1)
        self.source = Expected(self.planned, fate)
        self.stored = StoredCollection(folder)
        self.answers = fate is Fate.ANSWERS
        sha256 = self.planned.sha256
        self.row: dict[str, Any] = {
            "name": self.planned.name,
            "status": "ready" if self.answers else "failed",
            "state": "live" if self.answers else "failed",
            "sha256": sha256,
            "chunks": 2,
        }
        self.data = self.planned.path.read_bytes()
        self.chunks = _chunks(self.planned.text) if self.answers else []
        self.points = [
            chunk.model_dump(mode="json", exclude={"chunk_id", "tokens"})
            | {"document_name": self.planned.name, "metadata": {"number": 7}, "live": True}
            for chunk in self.chunks
        ]
        self.shown = Document(
            document_id="d",
            name=self.planned.name,
            collection=COLLECTION,
            status=DocumentStatus.READY if self.answers else DocumentStatus.FAILED,
            size=len(self.data),
            sha256=sha256,
            chunks=2,
            version=1 if self.answers else None,
            metadata={"number": 7},
            created_at=MOMENT,
            updated_at=MOMENT,
        )
        if fate is Fate.FAILS:
            self.show(error=TaskError(stage="s", code="file_corrupt", message="m", retryable=False))

    def show(self, **changes: Any) -> None:
        """Have the API show something else."""
        self.shown = self.shown.model_copy(update=changes)

    def judged(self) -> Verdict:
        blob = self.row.pop("blob", None)
        version_id = self.stored.version(blob=blob, **self.row)
        if blob is None:
            self.stored.blob(version_id, "source", data=self.data)
            self.stored.write(
                "UPDATE versions SET blob = ? WHERE id = ?",
                f"tenant/{version_id}/source",
                version_id,
            )
        for point in self.points:
            point["version_id"] = version_id
        self.stored.stack.client = SimpleNamespace(
            document=lambda _: self.shown, chunks=lambda *_, **__: self.chunks
        )
        verdict = Verdict("rag", 1)
        contents = Contents(self.stored.stack, COLLECTION, self.points)
        contents.judge(verdict, {self.planned.name: self.source})
        return verdict


def _chunks(text: str) -> list[DocumentChunk]:
    middle = text.index(" ", len(text) // 2)
    return [
        DocumentChunk(
            chunk_id=f"c{at}",
            position=at,
            text=text[start:end],
            page_start=None,
            page_end=None,
            heading_path=["On clocks"],
            start=start,
            end=end,
            tokens=9,
        )
        for at, (start, end) in enumerate(((0, middle), (middle, len(text))))
    ]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def is_right(verdict: Verdict) -> bool:
    return not (verdict.lost or verdict.duplicates or verdict.broken)


@pytest.mark.parametrize("fate", [Fate.ANSWERS, Fate.FAILS, Fate.CANCELLED])
def test_a_document_that_is_as_it_has_to_be(tmp_path: Path, fate: Fate) -> None:
    assert is_right(Scene(tmp_path, fate).judged())


@pytest.mark.parametrize(
    "change",
    [
        {"status": "processing"},
        {"state": "staged", "is_live": True},
        {"is_live": False},
        {"sha256": "0" * 64},
        {"chunks": 3},
        {"blob": "tenant/gone/source"},
        {"name": "another.md"},
        {"deleted": True},
    ],
)
def test_a_row_that_is_not_true(scene: Scene, change: dict[str, Any]) -> None:
    scene.row |= change
    assert not is_right(scene.judged())


@pytest.mark.parametrize(
    "change",
    [
        {"status": DocumentStatus.PROCESSING},
        {"sha256": "0" * 64},
        {"size": 1},
        {"chunks": 1},
        {"version": 2},
        {"name": "another.md"},
        {"metadata": {}},
    ],
)
def test_an_api_that_shows_what_is_not_true(scene: Scene, change: dict[str, Any]) -> None:
    scene.show(**change)
    assert not is_right(scene.judged())


def test_a_source_of_the_same_size_with_other_bytes_is_lost(scene: Scene) -> None:
    scene.data = b"\0" * len(scene.data)
    assert scene.judged().lost


def test_a_chunk_that_is_not_stored_is_lost(scene: Scene) -> None:
    scene.chunks.pop()
    scene.points.pop()
    scene.row["chunks"] = 1
    scene.show(chunks=1)
    assert scene.judged().lost


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Another document's text."},
        {"start": 5},
        {"heading_path": []},
        {"metadata": {"number": 8}},
        {"document_name": "another.md"},
        {"position": 9},
    ],
)
def test_a_point_that_is_not_its_chunk_is_lost(scene: Scene, change: dict[str, Any]) -> None:
    scene.points[1] |= change
    assert scene.judged().lost


@pytest.mark.parametrize("fate", [Fate.FAILS, Fate.CANCELLED, Fate.DELETED])
def test_what_must_not_answer_and_does_is_told(scene: Scene, fate: Fate) -> None:
    scene.source = Expected(scene.planned, fate)
    assert scene.judged().broken


def test_what_failed_for_another_reason_is_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Fate.FAILS)
    scene.show(error=TaskError(stage="s", code="internal_error", message="m", retryable=False))
    assert scene.judged().broken
