"""Files are streamed, one open at a time."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flotilla.client import Flotilla, SourceChanged
from flotilla.client.sources import FileSource
from tests.doubles.gateway import GatewayDouble

MEBIBYTE = 1024 * 1024

UPLOAD = """
import resource, sys
from flotilla.client import Flotilla
with Flotilla(sys.argv[1]) as flotilla:
    flotilla.upload(sys.argv[2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    flotilla.upload(sys.argv[3])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_large_file_is_never_in_memory_whole(gateway: GatewayDouble, tmp_path: Path) -> None:
    small, large = tmp_path / "small.txt", tmp_path / "large.txt"
    small.write_bytes(b"x" * 300_000)
    with large.open("wb") as file:
        file.truncate(64 * MEBIBYTE)
    grown = subprocess.run(
        [sys.executable, "-c", UPLOAD, gateway.url, small, large],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert gateway.requests[-1].files == [("large.txt", 64 * MEBIBYTE)]
    assert int(grown.stdout) < 8 * 1024  # KiB


def test_progress_counts_every_byte_once(flotilla: Flotilla, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 200_000)
    calls: list[tuple[str, int, int | None]] = []
    flotilla.upload(path, progress=lambda *call: calls.append(call))
    assert calls[-1] == ("a.txt", 200_000, 200_000)
    assert [sent for _, sent, _ in calls] == sorted({sent for _, sent, _ in calls})


def test_many_files_do_not_need_as_many_descriptors(
    flotilla: Flotilla, gateway: GatewayDouble, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number}.txt" for number in range(50)]
    for path in paths:
        path.write_text("abc")
    opened: list[int] = []
    flotilla.upload(*paths, progress=lambda *_: opened.append(open_files()))
    assert len(gateway.requests[-1].files) == 50
    assert max(opened) - min(opened) < 10


def test_a_file_is_sent_from_where_it_stands(flotilla: Flotilla, gateway: GatewayDouble) -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    flotilla.upload(("part.txt", file))
    assert gateway.requests[-1].files == [("part.txt", 6)]
    assert not file.closed


def test_a_stream_without_a_size_is_sent(flotilla: Flotilla, gateway: GatewayDouble) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe")
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        flotilla.upload(("pipe.txt", stream))
    assert gateway.requests[-1].files == [("pipe.txt", 11)]


def test_a_file_that_grows_is_sent_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"abc")
    source = FileSource(path)
    path.write_bytes(b"abcdef")
    assert (source.read(100), source.read(100)) == (b"abc", b"")


def test_a_file_that_shrinks_is_told(flotilla: Flotilla, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"x" * 200_000)
    with pytest.raises(SourceChanged, match=r"log\.txt"):
        flotilla.upload(path, progress=lambda *_: path.write_bytes(b"x"))
