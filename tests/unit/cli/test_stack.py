"""The commands of the one-machine stack, as far as they go without starting one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from flotilla import heartbeats
from flotilla.cli.connection import gateway_url
from flotilla.cli.quickstart import chosen_questions, documents
from flotilla.local.stack import status as stack_status
from flotilla.local.stack import supervisor
from flotilla.local.stack.options import Ports, StackOptions
from flotilla.local.stack.record import StackAddresses, new_record
from flotilla.local.stack.status import ProcessStatus
from flotilla.settings import Settings, get_settings
from tests.unit.cli.conftest import Run

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[StackOptions]:
    """Options that the supervisor would have been started with."""
    calls: list[StackOptions] = []

    def up(_settings: Settings, options: StackOptions, **_: Any) -> StackAddresses:
        calls.append(options)
        return StackAddresses(
            data=options.data,
            gateway="http://127.0.0.1:8123",
            redis="redis://127.0.0.1:6380/0",
            cache=None,
            qdrant="http://127.0.0.1:6334",
            flower=None,
            logs=options.data / "logs",
        )

    monkeypatch.setattr(supervisor, "up", up)
    return calls


def test_up_hands_over_what_was_asked_for(
    run: Run, started: list[StackOptions], tmp_path: Path
) -> None:
    result = run(
        *("up", "--data", tmp_path, "--port", 8123, "--redis-port", 0, "--cache-port", 6399),
        *("--detach", "--workers", "document=2,rag=4", "--no-flower"),
    )
    assert result.exit_code == 0, result.stderr
    assert "http://127.0.0.1:8123/docs" in result.stdout
    [options] = started
    assert options.data == tmp_path
    assert options.ports == Ports(gateway=8123, redis=0, cache=6399)
    assert options.workers == {"document": 2, "vectorstore": 1, "rag": 4, "default": 1}
    assert options.detach
    assert not options.with_flower


def test_up_takes_the_gateways_place_from_the_settings(
    run: Run, started: list[StackOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOTILLA_GATEWAY_PORT", "8777")
    monkeypatch.setenv("FLOTILLA_GATEWAY_HOST", "0.0.0.0")
    get_settings.cache_clear()
    assert run("up", "--detach").exit_code == 0
    assert (started[0].host, started[0].ports.gateway) == ("0.0.0.0", 8777)


def test_a_fleet_that_is_none_is_told(run: Run, started: list[StackOptions]) -> None:
    result = run("up", "--json", "--workers", "documents=2")
    assert result.exit_code == 2
    assert "did you mean document?" in json.loads(result.stdout)["error"]["message"]
    assert run("up", "--workers", "document=2,document=3").exit_code == 2
    assert not started


@pytest.mark.usefixtures("started")
def test_the_addresses_are_json(run: Run, tmp_path: Path) -> None:
    result = run("up", "--detach", "--json", "--data", tmp_path)
    addresses = json.loads(result.stdout)
    assert addresses["gateway"] == "http://127.0.0.1:8123"
    assert addresses["data"] == str(tmp_path)


def test_where_no_stack_runs(run: Run, tmp_path: Path) -> None:
    status = run("status", "--data", tmp_path, "--json")
    assert (status.exit_code, json.loads(status.stdout)) == (1, [])
    down = run("down", "--data", tmp_path)
    assert down.exit_code == 0
    assert "No stack runs" in down.stderr
    down = run("down", "--data", tmp_path, "--json")
    assert json.loads(down.stdout) == {"data": str(tmp_path), "stopped": False}


@pytest.mark.parametrize(
    ("state", "exit_code"),
    [("running", 0), ("starting", 0), ("restarting", 1), ("failed", 1), ("orphaned", 1)],
)
def test_a_program_that_starts_is_no_failure(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, exit_code: int
) -> None:
    processes = [
        ProcessStatus("gateway", None, "running", 1, 9.0, 0, "http://127.0.0.1:8123", None),
        ProcessStatus("beat", None, state, 2, 0.5, 0, None, None),
    ]
    monkeypatch.setattr(stack_status, "status", lambda _: processes)
    result = run("status", "--data", tmp_path)
    assert result.exit_code == exit_code
    assert state in result.stdout


def test_doctor_tells_what_is_wrong(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOTILLA_EMBEDDING_MODELS_DIR", str(tmp_path / "none"))
    get_settings.cache_clear()
    result = run("doctor", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "flotilla models pull" in result.stdout
    findings = json.loads(run("doctor", "--data", tmp_path / "data", "--json").stdout)
    assert not all(finding["ok"] for finding in findings)


def test_the_gateway_of_a_stack_is_found_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLOTILLA_URL", raising=False)
    settings = Settings(data=tmp_path)
    assert gateway_url(settings) == f"http://127.0.0.1:{settings.gateway.port}"
    options = StackOptions(data=tmp_path, detach=True)
    new_record(settings, options, Ports(gateway=8123), lambda *_: []).save()
    assert gateway_url(settings) == "http://127.0.0.1:8123"
    assert gateway_url(settings, "http://elsewhere") == "http://elsewhere"


@pytest.mark.parametrize(("alive", "code"), [(True, 0), (False, 1)])
def test_a_readiness_probe_speaks_by_its_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, alive: bool, code: int
) -> None:
    asked: list[tuple[str, str | None]] = []
    check: Callable[..., bool] = lambda *arguments: asked.append(arguments) or alive  # noqa: E731
    monkeypatch.setattr(heartbeats, "check_worker", check)
    assert run("worker", "rag", "--name", "rag-2", "--check").exit_code == code
    assert asked == [("rag", "rag-2")]


def test_db_upgrade_makes_the_ledger(run: Run, tmp_path: Path) -> None:
    assert run("db", "upgrade", "--data", tmp_path / "new").exit_code == 0
    again = run("db", "upgrade", "--data", tmp_path / "new", "--json")
    assert json.loads(again.stdout)["up_to_date"] is True
    assert (tmp_path / "new" / "ledger.sqlite").stat().st_size > 0


class TestQuickstart:
    def test_it_takes_the_samples_and_asks_of_different_documents(self) -> None:
        names = {submission.name for submission in documents(SAMPLES)}
        assert {"terms-of-use.pdf", "price-list.pdf", "faq.docx"} <= names
        assert "README.md" not in names
        entries = json.loads((SAMPLES / "questions.json").read_text(encoding="utf-8"))
        document = {entry["question"]: entry["document"] for entry in entries["answerable"]}
        chosen = [document[question] for question in chosen_questions(SAMPLES)]
        assert chosen[:2] == ["terms-of-use.pdf", "price-list.pdf"]
        assert len(chosen) == len(set(chosen)) == 3

    def test_marked_questions_come_first(self, tmp_path: Path) -> None:
        entries = [
            {"question": "A?", "document": "a"},
            {"question": "B?", "document": "a", "quickstart": True},
        ]
        (tmp_path / "questions.json").write_text(json.dumps({"answerable": entries}))
        assert chosen_questions(tmp_path) == ["B?"]

    def test_a_folder_without_samples_is_a_mistake(self, run: Run, tmp_path: Path) -> None:
        with pytest.raises(typer.BadParameter):
            documents(tmp_path)
        assert run("quickstart", tmp_path).exit_code == 2
