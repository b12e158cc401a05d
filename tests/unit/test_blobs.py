"""Blobs: whole or not at all, and every failure an error that a user understands."""

import os
from pathlib import Path

import pytest

from flotilla.blobs import BlobStore, chunks_ref, pages_ref, source_ref, version_prefix
from flotilla.errors import DependencyUnavailable, NotFound
from flotilla.models import Heading, Page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def blobs(folder: Path) -> BlobStore:
    return BlobStore(f"file://{folder}")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_bytes_come_back_as_they_were_put(blobs: BlobStore) -> None:
    data = bytes(range(256)) * 5000
    blobs.put("tenant/version/source", data)

    assert blobs.exists("tenant/version/source")
    assert blobs.get("tenant/version/source") == data
    with blobs.local_path("tenant/version/source") as path:
        assert path.read_bytes() == data


def test_a_file_is_copied(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(b"data")
    blobs.put_file("a", tmp_path / "upload")

    assert blobs.get("a") == b"data"
    assert (tmp_path / "upload").exists()


def test_nobody_sees_a_blob_that_is_being_written(blobs: BlobStore, folder: Path) -> None:
    blobs.put("a", b"old")
    with blobs.writer("a") as sink:
        sink.write(b"new")
        assert blobs.get("a") == b"old"

    assert blobs.get("a") == b"new"
    assert len(files(folder)) == 1


def test_a_writer_that_raises_leaves_nothing(blobs: BlobStore, folder: Path) -> None:
    def break_off(ref: str) -> None:
        with blobs.writer(ref) as sink:
            sink.write(b"half of it")
            raise KeyboardInterrupt

    blobs.put("there", b"whole")
    for ref in ("new", "there"):
        with pytest.raises(KeyboardInterrupt):
            break_off(ref)

    assert not blobs.exists("new")
    assert blobs.get("there") == b"whole"
    assert len(files(folder)) == 1


def test_values_come_back_one_by_one(blobs: BlobStore) -> None:
    pages = [
        Page(
            number=1, text="Ünïcode\nand a line", headings=(Heading(offset=0, level=1, title="Ü"),)
        ),
        Page(number=None, text="\u2028 \u0085 and what else breaks lines \r\n"),
    ]
    assert blobs.put_values("pages", iter(pages)) == 2

    assert list(blobs.values("pages", Page)) == pages


def test_values_that_fail_half_way_leave_nothing(blobs: BlobStore) -> None:
    def broken() -> object:
        yield Page(number=1, text="one")
        raise ValueError("no second page")

    with pytest.raises(ValueError, match="no second page"):
        blobs.put_values("pages", broken())  # type: ignore[arg-type]
    assert not blobs.exists("pages")


def test_deleting_takes_what_is_below_a_prefix_and_nothing_beside_it(blobs: BlobStore) -> None:
    for ref in (source_ref("t", "v1"), pages_ref("t", "v1", 0), chunks_ref("t", "v1", 12)):
        blobs.put(ref, b"x")
    blobs.put(source_ref("t", "v10"), b"y")

    blobs.delete(version_prefix("t", "v1"))
    blobs.delete(version_prefix("t", "v1"))

    assert not blobs.exists(source_ref("t", "v1"))
    assert not blobs.exists(chunks_ref("t", "v1", 12))
    assert blobs.get(source_ref("t", "v10")) == b"y"


def test_what_is_not_there_is_said_to_be_gone(blobs: BlobStore) -> None:
    with pytest.raises(NotFound, match="submit the document again"):
        blobs.get("nothing")
    with pytest.raises(NotFound):
        list(blobs.values("nothing", Page))
    with pytest.raises(NotFound), blobs.local_path("nothing"):
        pass


def test_a_store_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where a folder should be")
    blobs = BlobStore(f"file://{tmp_path / 'file'}")

    with pytest.raises(DependencyUnavailable, match="FLOTILLA_BLOB_URL"):
        blobs.put("a", b"1")
    with pytest.raises(DependencyUnavailable):
        blobs.ping()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_names_the_setting(blobs: BlobStore, folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o500)

    with pytest.raises(DependencyUnavailable, match="FLOTILLA_BLOB_URL"):
        blobs.put("a", b"1")


def test_a_disk_that_is_full_is_told_as_such(
    blobs: BlobStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr(blobs.fs, "open", lambda *_args, **_named: full.open("wb", buffering=0))

    with pytest.raises(DependencyUnavailable, match="free space"):
        blobs.put("a", b"1")
    assert not folder.exists() or files(folder) == []


def test_ping_leaves_nothing(blobs: BlobStore, folder: Path) -> None:
    blobs.ping()

    assert files(folder) == []


def test_an_object_store_keeps_the_same_promises() -> None:
    blobs = BlobStore("memory://bucket/prefix")
    blobs.put_values("t/v/pages", [Page(number=1, text="one")])

    assert list(blobs.values("t/v/pages", Page)) == [Page(number=1, text="one")]
    with blobs.local_path("t/v/pages") as path:
        assert path.read_bytes() == blobs.get("t/v/pages")
    with pytest.raises(NotFound), blobs.local_path("t/v/nothing"):
        pass
    blobs.delete("t/v")
    assert not blobs.exists("t/v/pages")


def test_a_deletion_says_what_it_removed(blobs: BlobStore, folder: Path) -> None:
    blobs.put("t/v/source", b"1234")
    blobs.put("t/v/chunks/00000.jsonl", b"123456")
    blobs.put("t/w/source", b"1")

    assert blobs.delete("t/v") == (2, 10)
    assert blobs.delete("t/v") == (0, 0)
    assert blobs.delete("t/w/source") == (1, 1)
    assert files(folder) == []


def test_what_is_stored_is_listed_by_tenant_and_version(blobs: BlobStore) -> None:
    assert list(blobs.versions()) == []
    for version in ("t/v", "t/w", "u/v"):
        blobs.put(f"{version}/source", b"1")
        blobs.put(f"{version}/pages/00000.jsonl", b"1")
    blobs.put("ping", b"1")

    assert sorted(blobs.versions()) == [("t", "v"), ("t", "w"), ("u", "v")]


def test_usage_tells_the_newest_blob_by_the_stores_own_clock(
    blobs: BlobStore, folder: Path
) -> None:
    blobs.put("t/v/source", b"1234")
    blobs.put("t/v/pages/00000.jsonl", b"12")
    for name, moment in (("source", 1000), ("pages/00000.jsonl", 2000)):
        os.utime(folder / "t/v" / name, (moment, moment))

    assert blobs.usage("t/v") == (2, 6, 2000)
    assert blobs.usage("t/absent") == (0, 0, 0)
    blobs.put("t/w/source", b"1")
    assert blobs.clock() >= blobs.usage("t/w").written_at
    assert sorted(path.name for path in folder.iterdir()) == ["t"]


def test_deletions_and_late_writers_may_meet(blobs: BlobStore, folder: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    for _ in range(20):
        for number in range(20):
            blobs.put(f"t/v/pages/{number:05d}.jsonl", b"1")
        with ThreadPoolExecutor(4) as pool:
            late = pool.submit(blobs.put, "t/v/chunks/00000.jsonl", b"1")
            removals = [pool.submit(blobs.delete, "t/v") for _ in range(3)]
            for removal in removals:
                removal.result()
            # The folder was taken away under its hands: that is a passing failure.
            assert late.exception() is None or isinstance(
                late.exception(), DependencyUnavailable | NotFound
            )
        blobs.delete("t/v")
        assert files(folder) == []


def test_a_bucket_is_listed_and_counted_alike() -> None:
    blobs = BlobStore("memory://bucket/prefix")
    blobs.put("t/v/source", b"1234")
    blobs.put("t/v/pages/00000.jsonl", b"12")

    assert list(blobs.versions()) == [("t", "v")]
    assert blobs.delete("t/v") == (2, 6)
    assert blobs.delete("t/v") == (0, 0)
