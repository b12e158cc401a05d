"""`flotilla tasks cancel` and `retry`, re-indexing, and what is shown of failures."""

import json
import time
from datetime import timedelta

import pytest
from starlette.responses import JSONResponse

from flotilla.schemas import BatchResult, FailedMember, Retried, RetryRefused, TaskFailure
from tests.doubles.gateway import STARTED, GatewayDouble, a_document, a_problem, a_task
from tests.unit.cli.conftest import Run


def test_tasks_are_cancelled_one_by_one(run: Run, gateway: GatewayDouble) -> None:
    for name in ("a", "b"):
        gateway.add_task(name, a_task(name, "processing"))
    result = run("tasks", "cancel", "a", "nope", "b", "--json")
    assert result.exit_code == 1
    reply = json.loads(result.stdout)
    assert [(t["task_id"], t["status"]) for t in reply["tasks"]] == [
        ("a", "cancelled"),
        ("b", "cancelled"),
    ]
    assert [(each["task_id"], each["code"]) for each in reply["refused"]] == [("nope", "not_found")]


def test_a_task_that_is_over_says_why_it_cannot_be_cancelled(
    run: Run, gateway: GatewayDouble
) -> None:
    over = a_problem(409, "conflict", "This task is completed already.")
    gateway.scripted["DELETE", "/tasks/t"] = [over]
    result = run("tasks", "cancel", "t")
    assert result.exit_code == 1
    assert "error: t: This task is completed already." in result.stderr


def test_failed_tasks_are_retried_by_id(run: Run, gateway: GatewayDouble) -> None:
    gateway.add_task("t", a_task("t", "failed"))
    result = run("tasks", "retry", "t", "nope")
    assert result.exit_code == 1
    assert "1 task is on the way again." in result.stderr
    assert "error: nope: " in result.stderr


def test_failed_tasks_are_retried_by_what_they_have_in_common(
    run: Run, gateway: GatewayDouble
) -> None:
    gateway.add_task("a")
    gateway.add_task("b")
    narrowed = ("--code", "time_limit", "--stage", "document.convert", "-c", "papers")
    narrowed += ("--kind", "ingest", "--since", "2026-11-20T08:00:00")
    result = run("tasks", "retry", "--failed", *narrowed)
    assert result.exit_code == 0, result.stderr
    assert "2 tasks are on the way again." in result.stderr
    [request] = gateway.seen("POST", "/tasks/retry")
    since = request.json.pop("created_after")
    assert since.startswith("2026-11-20T08:00:00")
    assert len(since) > len("2026-11-20T08:00:00")  # with the zone that was meant
    assert request.json == {
        "code": "time_limit",
        "stage": "document.convert",
        "collection": "papers",
        "kind": "ingest",
    }


def test_all_that_failed_is_retried_in_as_many_requests_as_it_takes(
    run: Run, gateway: GatewayDouble
) -> None:
    refused = RetryRefused(task_id="c", code="conflict", message="It is being retried.")
    parts = [
        Retried(task_ids=["a", "b"], refused=[refused], next_cursor="b"),
        Retried(task_ids=["d"], refused=[], next_cursor="d"),
        Retried(task_ids=["e"], refused=[]),
    ]
    replies = [JSONResponse(part.model_dump(mode="json"), 202) for part in parts]
    gateway.scripted["POST", "/tasks/retry"] = list(replies)
    result = run("tasks", "retry", "--failed", "--kind", "ingest", "--json")
    assert result.exit_code == 1
    reply = json.loads(result.stdout)
    assert reply["task_ids"] == ["a", "b", "d", "e"]
    assert [each["task_id"] for each in reply["refused"]] == ["c"]
    assert [request.json for request in gateway.seen("POST", "/tasks/retry")] == [
        {"kind": "ingest"},
        {"kind": "ingest", "cursor": "b"},
        {"kind": "ingest", "cursor": "d"},
    ]


def test_a_moment_before_all_clocks_is_a_mistake(
    run: Run, gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        result = run("tasks", "retry", "--failed", "--since", "0001-01-01T00:00:00")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert result.exit_code == 2
    assert "--since" in result.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("t", "--failed"), ("t", "--code", "time_limit"), ("--code", "time_limit")]
)
def test_a_retry_is_of_ids_or_of_what_failed(
    run: Run, gateway: GatewayDouble, arguments: tuple[str, ...]
) -> None:
    result = run("tasks", "retry", *arguments)
    assert result.exit_code == 2
    assert "--failed" in result.stderr
    assert gateway.requests == []


def test_the_members_of_a_batch_are_listed_by_name(run: Run, gateway: GatewayDouble) -> None:
    gateway.add_task("t", a_task("t", name="harbour.pdf", parent_id="b"))
    assert "harbour.pdf" in run("tasks", "list", "--parent", "b").stdout
    assert gateway.requests[-1].params["parent"] == "b"


def test_the_dead_letters_are_narrowed_down_as_they_are_retried(
    run: Run, gateway: GatewayDouble
) -> None:
    wanted = {"code": "quarantined", "stage": "document.convert", "collection": "papers"}
    options = [word for name, value in wanted.items() for word in (f"--{name}", value)]
    assert run("tasks", "list", "--status", "failed", *options).exit_code == 0
    assert gateway.requests[-1].params.items() >= wanted.items()


def test_a_task_shows_the_attempts_that_failed(run: Run, gateway: GatewayDouble) -> None:
    failures = [
        TaskFailure(
            stage="vectorstore.index",
            code="dependency_unavailable",
            message=f"Qdrant did not answer, {attempt}.",
            retryable=True,
            part=0,
            attempt=attempt,
            worker="w",
            failed_at=STARTED + timedelta(seconds=attempt),
        )
        for attempt in (2, 1)
    ]
    gateway.add_task("t", a_task("t", failures=failures, name="harbour.pdf"))
    lines = run("tasks", "show", "t").stdout.splitlines()
    shown = [line for line in lines if "Qdrant did not answer" in line]
    assert len(shown) == 2
    assert shown[0].startswith("failures")
    assert "vectorstore.index, attempt 2: Qdrant did not answer, 2." in shown[0]
    assert any("harbour.pdf" in line for line in lines)


def test_a_batch_shows_what_failed_by_name(run: Run, gateway: GatewayDouble) -> None:
    member = FailedMember(name="a.pdf", task_id="m", code="file_corrupt", message="It is damaged.")
    result = BatchResult(documents=50, completed=49, failed=1, cancelled=0, failures=[member])
    gateway.add_task("b", a_task("b", "partial", kind="batch", result=result.model_dump()))
    shown = run("tasks", "show", "b").stdout
    assert "49 of 50" in shown
    assert "a.pdf: It is damaged. (file_corrupt)" in shown
    assert "cancelled" not in shown


def test_documents_and_collections_are_indexed_anew(run: Run, gateway: GatewayDouble) -> None:
    gateway.documents["d"] = a_document("d", "a.txt")
    result = run("documents", "reindex", "d")
    assert (result.exit_code, result.stderr) == (0, "Document d is re-indexed.\n")
    result = run("collections", "reindex", "default", "--json")
    assert json.loads(result.stdout)["kind"] == "batch"
    result = run("collections", "reindex", "default", "--no-wait")
    assert "is being re-indexed by task reindexing" in result.stderr
