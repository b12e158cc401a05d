"""`flotilla ingest` against a gateway on a real socket."""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from flotilla.cli.ingest import collect, parse_pairs
from flotilla.cli.ingestion import Submission
from flotilla.schemas import Progress, TaskNote
from tests.conftest import wait_until
from tests.doubles.gateway import GatewayDouble, a_problem, a_task, failed
from tests.unit.cli.conftest import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "papers"
    for name in ("b.md", "a.pdf", "sub/c.md", "photo.png", ".hidden.md", ".git/config.txt"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


class TestCollect:
    def test_a_folder_gives_what_can_be_read_in_order(self, folder: Path) -> None:
        found, skipped = collect([str(folder)])
        assert [s.name for s in found] == ["a.pdf", "b.md", "sub/c.md"]
        assert skipped == [folder / "photo.png"]

    def test_a_named_file_is_sent_whatever_it_is(self, folder: Path) -> None:
        found, skipped = collect([str(folder / "photo.png"), "https://example.com/a"])
        assert [(s.name, s.url) for s in found] == [
            ("photo.png", None),
            ("https://example.com/a", "https://example.com/a"),
        ]
        assert not skipped

    def test_a_file_named_twice_is_sent_once(self, folder: Path) -> None:
        found, _ = collect([str(folder / "a.pdf"), str(folder)])
        assert [s.name for s in found].count("a.pdf") == 1

    @pytest.mark.parametrize("odd", ["link", "pipe", "loop"])
    def test_what_is_no_file_is_skipped(self, folder: Path, odd: str) -> None:
        path = folder / "odd.txt"
        if odd == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to("odd.txt" if odd == "loop" else "nowhere.txt")
        found, skipped = collect([str(folder)])
        assert [s.name for s in found] == ["a.pdf", "b.md", "sub/c.md"]
        assert skipped == [path, folder / "photo.png"]

    def test_an_empty_folder_is_a_mistake(self, tmp_path: Path) -> None:
        with pytest.raises(typer.BadParameter, match="nothing to ingest"):
            collect([str(tmp_path)])


def test_metadata_keeps_the_types_of_json() -> None:
    assert parse_pairs(["year=2024", "kind=faq", "draft=true", "note=a=b", "list=[1]"]) == {
        "year": 2024,
        "kind": "faq",
        "draft": True,
        "note": "a=b",
        "list": "[1]",
    }


def test_a_folder_is_ingested_and_summed_up(run: Run, gateway: GatewayDouble, folder: Path) -> None:
    gateway.add_collection("papers")
    result = run("ingest", folder, "-c", "papers", "-m", "year=2024")
    assert result.exit_code == 0, result.stderr
    assert "a.pdf     completed      3      12      2.0" in result.stdout
    assert "photo.png" in result.stderr
    uploads = gateway.seen("POST", "/documents")
    assert sorted(name for u in uploads for name, _ in u.files) == ["a.pdf", "b.md", "sub/c.md"]
    assert {u.form["metadata"] for u in uploads} == {'{"year": 2024}'}
    assert {u.form["collection"] for u in uploads} == {"papers"}


def test_one_failure_does_not_stop_the_others(
    run: Run, gateway: GatewayDouble, folder: Path
) -> None:
    gateway.refused["b.md"] = a_problem(422, "empty_file", "b.md is empty.")
    gateway.add_task("task-a.pdf", failed("task-a.pdf", "a.pdf is damaged."))
    result = run("ingest", folder)
    assert result.exit_code == 1
    assert "error: a.pdf: a.pdf is damaged." in result.stderr
    assert "error: b.md: b.md is empty." in result.stderr
    assert "sub/c.md  completed" in result.stdout


def test_a_link_that_leads_nowhere_is_told_and_does_not_stop_the_others(
    run: Run, gateway: GatewayDouble, folder: Path
) -> None:
    (folder / "odd.txt").symlink_to("nowhere.txt")
    result = run("ingest", folder)
    assert result.exit_code == 0, result.stderr
    assert f"skipped {folder / 'odd.txt'}: no file" in result.stderr
    assert len(gateway.seen("POST", "/documents")) == 3


def test_a_file_that_vanishes_does_not_stop_the_others(
    run: Run, gateway: GatewayDouble, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(sources: Sequence[str]) -> tuple[list[Submission], list[Path]]:
        found = collect(sources)
        (folder / "b.md").unlink()
        return found

    monkeypatch.setattr("flotilla.cli.ingest.collect", vanish)
    result = run("ingest", folder)
    assert result.exit_code == 1
    assert "error: b.md: " in result.stderr
    assert len(gateway.seen("POST", "/documents")) == 2


def test_json_is_alone_on_stdout(run: Run, gateway: GatewayDouble, folder: Path) -> None:
    gateway.add_task("task-a.pdf", failed("task-a.pdf", "a.pdf is damaged."))
    result = run("ingest", folder, "--json")
    assert result.exit_code == 1
    reply = json.loads(result.stdout)
    assert [(d["name"], d["status"]) for d in reply["documents"]] == [
        ("a.pdf", "failed"),
        ("b.md", "completed"),
        ("sub/c.md", "completed"),
    ]
    assert reply["documents"][1] | {"status": ""} == {
        "name": "b.md",
        "status": "",
        "document_id": "document-b.md",
        "task_id": "task-b.md",
        "pages": 3,
        "chunks": 12,
        "seconds": 2.0,
        "error": None,
        "notes": [],
    }
    assert reply["skipped"] == [str(folder / "photo.png")]


def test_without_waiting_no_task_is_asked_for(
    run: Run, gateway: GatewayDouble, folder: Path
) -> None:
    result = run("ingest", folder / "a.pdf", "--no-wait", "--json")
    assert json.loads(result.stdout)["documents"][0]["status"] == "pending"
    assert not gateway.seen("GET", "/tasks/task-a.pdf")


def test_an_unknown_collection_is_told_before_anything_is_sent(
    run: Run, gateway: GatewayDouble, folder: Path
) -> None:
    result = run("ingest", folder, "--collection", "nope")
    assert result.exit_code == 1
    assert "`flotilla collections create nope`" in result.stderr
    assert not gateway.seen("POST", "/documents")


def test_a_web_address_goes_to_the_pipeline(run: Run, gateway: GatewayDouble) -> None:
    address = "https://example.com/a.html"
    result = run("ingest", address, "--password", "p", "--converter", "llamaparse")
    assert result.exit_code == 0, result.stderr
    [request] = gateway.seen("POST", "/rag/pipeline")
    assert request.json["url"] == "https://example.com/a.html"
    assert request.json["password"] == "p"
    assert request.json["converter"] == "llamaparse"


def test_what_there_is_to_know_of_a_conversion_is_said(
    run: Run, gateway: GatewayDouble, folder: Path
) -> None:
    notes = [TaskNote(code="scanned_pages", message="They look scanned.", pages="3,7-9")]
    task = a_task("task-a.pdf", "completed", document_id="document-a.pdf", notes=notes)
    gateway.add_task("task-a.pdf", task)
    result = run("ingest", folder / "a.pdf")
    assert result.exit_code == 0, result.stderr
    assert "a.pdf: They look scanned. (pages 3,7-9)" in result.stderr
    shown = run("tasks", "show", "task-a.pdf")
    assert "They look scanned. (pages 3,7-9) (scanned_pages)" in " ".join(shown.stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "no-such-file"),
        ("ingest", "https://x.example", "--metadata", "novalue"),
        ("ingest", "https://x.example", "--metadata-json", "[1]"),
    ],
)
def test_usage_errors_have_their_own_exit_code(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_ctrl_c_ends_the_waiting_and_not_the_work(gateway: GatewayDouble, folder: Path) -> None:
    gateway.add_task("task-a.pdf", a_task("task-a.pdf", "processing"))
    gateway.held["task-a.pdf"] = threading.Event()
    command = [sys.executable, "-m", "flotilla", "ingest", "a.pdf", "--url", gateway.url]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not gateway.seen("GET", "/tasks/task-a.pdf/events"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "What was sent goes on" in errors
    assert "Traceback" not in errors


def test_bars_fit_in_80_columns(gateway: GatewayDouble, folder: Path) -> None:
    name = f"{'long-name-' * 8}.txt"
    (folder / name).write_text("x" * 200_000)
    progress = Progress(done=4, total=12, unit="chunks")
    running = a_task("t", "processing", stage="vectorstore.index", progress=progress)
    gateway.add_task(f"task-{name}", running, a_task("t"))
    finish = gateway.held[f"task-{name}"] = threading.Event()
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    command = [sys.executable, "-m", "flotilla", "ingest", name, "--url", gateway.url]
    process = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    output = ""
    with contextlib.suppress(OSError):  # Linux says EIO where the other end is closed
        while piece := os.read(ours, 65536).decode(errors="replace"):
            output += re.sub(r"\x1b\[[0-9;]*m", "", piece)
            if re.search(r"index .*4/12 chunks", output):
                finish.set()
                break
        while piece := os.read(ours, 65536).decode(errors="replace"):
            output += re.sub(r"\x1b\[[0-9;]*m", "", piece)
    os.close(ours)
    assert process.wait(10) == 0, output
    lines = re.split(r"[\r\n]+|\x1b\[[0-9;?]*[A-Za-z]", output)
    assert max(len(line) for line in lines) <= 80
    assert "completed" in output


class TestBatch:
    def test_a_folder_is_a_batch_that_is_closed_in_the_end(
        self, run: Run, gateway: GatewayDouble, folder: Path
    ) -> None:
        result = run("ingest", folder, "--json")
        assert json.loads(result.stdout)["batch_id"] == "batch"
        [opened] = gateway.seen("POST", "/batches")
        assert opened.json == {"name": "papers", "total": 3}
        assert {u.form["batch"] for u in gateway.seen("POST", "/documents")} == {"batch"}
        order = [r.path for r in gateway.requests if r.method == "POST"]
        assert order.count("/batches/batch/close") == 1
        assert order.index("/batches/batch/close") > max(
            at for at, path in enumerate(order) if path == "/documents"
        )

    def test_one_file_is_none(self, run: Run, gateway: GatewayDouble, folder: Path) -> None:
        result = run("ingest", folder / "a.pdf", "--json")
        assert json.loads(result.stdout)["batch_id"] is None
        assert not gateway.seen("POST", "/batches")
        [upload] = gateway.seen("POST", "/documents")
        assert "batch" not in upload.form

    def test_what_is_refused_is_a_failed_member(
        self, run: Run, gateway: GatewayDouble, folder: Path
    ) -> None:
        gateway.refused["b.md"] = a_problem(413, "file_too_large", "b.md is too large.")
        assert run("ingest", folder).exit_code == 1
        [recorded] = gateway.seen("POST", "/batches/batch/refusals")
        assert recorded.json == {
            "refusals": [
                {"name": "b.md", "code": "file_too_large", "message": "b.md is too large."}
            ]
        }

    def test_where_it_was_closed_meanwhile_another_takes_the_rest(
        self, run: Run, gateway: GatewayDouble, folder: Path
    ) -> None:
        gateway.closed["batch"] = "completed"  # nothing had come for it for too long
        result = run("ingest", folder, "--json")
        assert result.exit_code == 0, result.stderr
        shown = json.loads(result.stdout)
        assert {each["status"] for each in shown["documents"]} == {"completed"}
        assert (shown["batch_id"], shown["earlier_batch_ids"]) == ("batch-2", ["batch"])
        assert len(gateway.seen("POST", "/batches")) == 2
        assert len(gateway.seen("POST", "/batches/batch-2/close")) == 1
        assert not gateway.seen("POST", "/batches/batch/refusals")

    def test_where_it_was_closed_as_idle_and_waits_for_others_another_takes_the_rest(
        self, run: Run, gateway: GatewayDouble, folder: Path
    ) -> None:
        gateway.closed["batch"] = "processing"  # it has a duplicate of what others ingest
        gateway.closed_as_idle.add("batch")
        result = run("ingest", folder, "--json")
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["batch_id"] == "batch-2"

    def test_what_is_refused_is_a_member_of_the_batch_that_follows(
        self, run: Run, gateway: GatewayDouble, folder: Path
    ) -> None:
        gateway.refused["b.md"] = a_problem(413, "file_too_large", "b.md is too large.")
        gateway.closed["batch"] = "completed"
        assert run("ingest", folder).exit_code == 1
        [recorded] = gateway.seen("POST", "/batches/batch-2/refusals")
        assert [each["name"] for each in recorded.json["refusals"]] == ["b.md"]

    def test_a_refusal_that_cannot_be_recorded_is_told(
        self, run: Run, gateway: GatewayDouble, folder: Path
    ) -> None:
        gateway.refused["b.md"] = a_problem(413, "file_too_large", "b.md is too large.")
        gateway.scripted["POST", "/batches/batch/refusals"] = [
            a_problem(409, "batch_closed", "This batch is closed.")
        ]
        result = run("ingest", folder)
        assert result.exit_code == 1
        told = "b.md is not among the batch's failed files: This batch is closed."
        assert told in result.stderr

    @pytest.mark.parametrize("status", ["cancelled", "processing"])
    def test_where_somebody_cancelled_or_closed_it_the_rest_is_told_by_name(
        self, run: Run, gateway: GatewayDouble, folder: Path, status: str
    ) -> None:
        gateway.closed["batch"] = status
        result = run("ingest", folder)
        assert result.exit_code == 1
        for name in ("a.pdf", "b.md", "sub/c.md"):
            assert f"{name}: This batch is closed." in result.stderr
        assert len(gateway.seen("POST", "/batches")) == 1

    def test_a_gateway_that_has_enough_to_do_is_waited_for(
        self, run: Run, gateway: GatewayDouble, folder: Path
    ) -> None:
        for _ in range(4):  # more often than the client itself tries again
            full = a_problem(503, "overloaded", "100 ingestions are waiting.")
            full.headers["Retry-After"] = "0.01"
            gateway.scripted["POST", "/documents"].append(full)
        result = run("ingest", folder / "a.pdf")
        assert result.exit_code == 0, result.stderr
        assert len(gateway.seen("POST", "/documents")) == 5

    @pytest.mark.parametrize(("option", "ended"), [(False, "goes on"), (True, "cancelled")])
    def test_ctrl_c_leaves_or_cancels_it(
        self, gateway: GatewayDouble, folder: Path, option: bool, ended: str
    ) -> None:
        gateway.add_task("task-a.pdf", a_task("task-a.pdf", "processing"))
        gateway.held["task-a.pdf"] = threading.Event()
        command = [sys.executable, "-m", "flotilla", "ingest", ".", "--url", gateway.url]
        command += ["--cancel-on-interrupt"] if option else []
        process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: gateway.seen("GET", "/tasks/task-a.pdf/events"))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 130
        assert ended in errors
        assert "task batch" in errors or "batch is cancelled" in errors
        assert bool(gateway.seen("DELETE", "/tasks/batch")) == option
