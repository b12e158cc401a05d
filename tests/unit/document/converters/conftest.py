"""What the tests of several converters share."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from flotilla.document.converters import converter_for
from flotilla.document.detect import detect
from flotilla.document.splitter import SectionSplitter
from flotilla.models import Chunk

MEBIBYTE = 1024 * 1024

Rewrite = Callable[[Path, dict[str, bytes | None]], Path]
SplitFile = Callable[[Path], Sequence[Chunk]]


@pytest.fixture
def rewrite() -> Rewrite:
    """The archive with members replaced, added or (None) left out."""

    def written(path: Path, change: dict[str, bytes | None]) -> Path:
        target = path.with_stem("changed")
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", 8) as changed:
            for member in source.namelist():
                if member not in change:
                    changed.writestr(member, source.read(member))
            for member, content in change.items():
                if content is not None:
                    changed.writestr(member, content)
        return target

    return written


@pytest.fixture
def split_file() -> SplitFile:
    """The chunks of a file, whose type is told as a worker tells it."""

    def split(path: Path) -> list[Chunk]:
        converter = converter_for(detect(path, path.name), max_unpacked_bytes=16 * MEBIBYTE)
        splitter = SectionSplitter(lambda text: len(text.split()), chunk_tokens=60, overlap=0)
        return list(splitter.split(converter.pages(path), document_id="d", version_id="v"))

    return split
