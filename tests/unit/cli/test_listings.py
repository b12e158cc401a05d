"""The nouns: `flotilla documents`, `collections` and `tasks`."""

import json

import pytest

from flotilla.schemas import Progress
from tests.doubles.gateway import GatewayDouble, a_document, a_task, failed
from tests.unit.cli.conftest import Run


@pytest.fixture
def filled(gateway: GatewayDouble) -> GatewayDouble:
    for number in range(5):
        gateway.documents[f"d{number}"] = a_document(f"d{number}", f"{number}.txt")
        gateway.add_task(f"t{number}", a_task(f"t{number}"))
    return gateway


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("noun", ["documents", "tasks"])
def test_a_bare_noun_lists_all_pages(run: Run, noun: str) -> None:
    assert run(noun).stdout == run(noun, "list").stdout
    assert len(json.loads(run(noun, "--json").stdout)) == 5
    assert len(json.loads(run(noun, "list", "--json", "--limit", 3).stdout)) == 3


def test_filters_reach_the_gateway(run: Run, filled: GatewayDouble) -> None:
    run("tasks", "--status", "failed", "--kind", "ingest")
    assert filled.requests[-1].params.items() >= {("status", "failed"), ("kind", "ingest")}
    run("documents", "--status", "ready", "-c", "a")
    assert filled.requests[-1].params.items() >= {("status", "ready"), ("collection", "a")}


def test_a_task_with_its_reason(run: Run, gateway: GatewayDouble) -> None:
    gateway.add_task("t", failed("t", "a.pdf is damaged."))
    result = run("tasks", "show", "t")
    assert result.exit_code == 0
    assert "a.pdf is damaged. (document.convert, file_corrupt)" in result.stdout


def test_waiting_reports_on_stderr_and_ends_with_the_task(run: Run, gateway: GatewayDouble) -> None:
    progress = Progress(done=4, total=12, unit="chunks")
    running = a_task("t", "processing", stage="vectorstore.index", progress=progress)
    gateway.add_task("t", running, a_task("t"))
    result = run("tasks", "wait", "t", "--json")
    assert result.exit_code == 0
    assert "processing  vectorstore.index  4/12 chunks" in result.stderr
    assert json.loads(result.stdout)["status"] == "completed"


def test_following_shows_each_change_and_the_time_that_is_left(
    run: Run, gateway: GatewayDouble
) -> None:
    progress = Progress(done=4, total=12, unit="chunks", eta_seconds=83.6)
    running = a_task("t", "processing", stage="vectorstore.index", progress=progress)
    gateway.add_task("t", running, a_task("t", stage="upkeep.finish", result={"chunks": 12}))
    result = run("tasks", "follow", "t")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "processing  vectorstore.index  4/12 chunks  about 1 min 24 s left",
        "completed  upkeep.finish",
    ]
    gateway.told.clear()
    gateway.add_task("t", running, a_task("t", result={"chunks": 12}))
    lines = run("tasks", "follow", "t", "--json").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == ["state", "end"]
    assert events[-1]["result"] == {"chunks": 12}


def test_following_a_task_that_fails_says_why(run: Run, gateway: GatewayDouble) -> None:
    gateway.add_task("t", failed("t", "a.pdf is damaged."))
    result = run("tasks", "follow", "t")
    assert result.exit_code == 1
    assert "error: a.pdf is damaged." in result.stderr


def test_waiting_for_a_task_that_fails(run: Run, gateway: GatewayDouble) -> None:
    gateway.add_task("t", failed("t", "a.pdf is damaged."))
    assert run("tasks", "wait", "t").exit_code == 1


def test_waiting_ends_in_time(run: Run, gateway: GatewayDouble) -> None:
    gateway.add_task("t", a_task("t", "processing"))
    result = run("tasks", "wait", "t", "--timeout", "0")
    assert result.exit_code == 1
    assert "goes on" in result.stderr


@pytest.mark.usefixtures("filled")
def test_a_document_its_chunks_and_its_end(run: Run, gateway: GatewayDouble) -> None:
    assert "1.txt" in run("documents", "show", "d1").stdout
    assert "Passage 4." in run("documents", "chunks", "d1").stdout
    assert len(json.loads(run("documents", "chunks", "d1", "--limit", 3, "--json").stdout)) == 3
    result = run("documents", "delete", "d1", "--yes", "--json")
    assert json.loads(result.stdout)["kind"] == "delete"
    assert "d1" not in gateway.documents


@pytest.mark.usefixtures("filled")
def test_a_page_is_read_part_by_part(run: Run) -> None:
    first = run("documents", "page", "d1", 2)
    assert first.stdout == "The text of page 2, \n"
    assert "page 2 of 3" in first.stderr
    assert "--start 20" in first.stderr
    rest = run("documents", "page", "d1", 2, "--start", 20, "--json")
    assert json.loads(rest.stdout)["text"] == "at some length."


def test_a_deletion_that_fails_is_told(run: Run, filled: GatewayDouble) -> None:
    filled.add_task = lambda *_: None  # type: ignore[method-assign]
    filled.states["deletion"] = [failed("deletion", "Qdrant is out of reach.")]
    result = run("documents", "delete", "d1", "--yes")
    assert result.exit_code == 1
    assert "Qdrant is out of reach." in result.stderr
    del filled.add_task


@pytest.mark.usefixtures("filled")
def test_nothing_is_deleted_where_nobody_can_confirm(run: Run, gateway: GatewayDouble) -> None:
    result = run("documents", "delete", "d1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--yes" in result.stderr
    result = run("collections", "delete", "default", "--json")
    assert result.exit_code == 2
    assert "add --yes" in json.loads(result.stdout)["error"]["message"]
    assert "d1" in gateway.documents
    assert "default" in gateway.collections


def test_collections_come_and_go(run: Run, gateway: GatewayDouble) -> None:
    assert run("collections", "create", "books", "--description", "All of them").exit_code == 0
    assert gateway.seen("POST", "/collections")[0].json == {
        "name": "books",
        "description": "All of them",
    }
    names = [c["name"] for c in json.loads(run("collections", "--json").stdout)]
    assert names == ["default", "books"]
    assert "books" in run("collections", "show", "books").stdout
    assert run("collections", "delete", "books", "--yes", "--no-wait").exit_code == 0
    assert "books" not in gateway.collections


def test_an_unknown_collection_says_how_to_make_it(run: Run) -> None:
    result = run("collections", "show", "nope")
    assert result.exit_code == 1
    assert "flotilla collections create" in result.stderr


def test_a_problem_of_the_gateway_is_json_with_its_members(run: Run) -> None:
    result = run("collections", "show", "nope", "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["status"]) == ("collection_not_found", 404)
    assert result.stderr.startswith(f"error: {error['message']}")
