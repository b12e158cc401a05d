from pathlib import Path

import pytest

from flotilla.errors import FileCorrupt, ModelMissing
from flotilla.vectorstore.manifest import FILE_NAME, Manifest, read_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    manifest = Manifest(
        model="a/b",
        dimensions=4,
        max_tokens=256,
        source="package",
        files={"model.onnx": 7},
        sha256={"model.onnx": "-"},
    )
    (tmp_path / FILE_NAME).write_text(manifest.model_dump_json())
    return tmp_path


def test_a_complete_folder_is_read(folder: Path) -> None:
    assert read_manifest(folder).dimensions == 4


def test_an_empty_folder_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        read_manifest(tmp_path)


def test_a_file_that_is_missing_cut_or_nonsense_is_damage(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"weigh")
    with pytest.raises(FileCorrupt, match="models pull"):
        read_manifest(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(FileCorrupt):
        read_manifest(folder)
    (folder / FILE_NAME).write_text("{}")
    with pytest.raises(FileCorrupt):
        read_manifest(folder)
