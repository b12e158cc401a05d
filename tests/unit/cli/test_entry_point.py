"""The command as a process: its start, its errors and its exit codes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doubles.gateway import GatewayDouble


def flotilla(
    *arguments: str, folder: Path, **environment: str
) -> "subprocess.CompletedProcess[str]":
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FLOTILLA")}
    return subprocess.run(
        [sys.executable, "-m", "flotilla", *arguments],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def silent_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_help_loads_nothing_that_is_not_needed(tmp_path: Path) -> None:
    code = (
        "import sys; from flotilla.cli import app; "
        "print(*{'httpx', 'celery', 'pydantic_settings', 'fastapi', 'rich.progress',"
        " 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == ""


def test_no_gateway_is_one_line(tmp_path: Path, silent_port: int) -> None:
    url = f"http://127.0.0.1:{silent_port}"
    done = flotilla("tasks", "--json", "--url", url, folder=tmp_path)
    assert done.returncode == 1
    message = (
        f"No gateway answers at {url}: start the stack with `flotilla up`, "
        "or give the address of a running one."
    )
    assert done.stderr.splitlines() == [f"error: {message}"]
    problem = {"code": "gateway_unreachable", "message": message}
    assert json.loads(done.stdout) == {"error": problem}


def test_an_explicit_data_folder_leads_to_no_other_stack(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    done = flotilla("tasks", "--data", str(folder), folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"error: No stack runs in {folder}: start it with `flotilla up --data {folder}`, "
        "or give --url."
    ]


def test_debug_shows_the_traceback(tmp_path: Path, silent_port: int) -> None:
    url = f"http://127.0.0.1:{silent_port}"
    done = flotilla("--debug", "tasks", "--url", url, folder=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = flotilla("tasks", folder=tmp_path, FLOTILLA_GATEWAY_PORT="http")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: FLOTILLA_GATEWAY_PORT: ")


def test_the_address_comes_from_the_environment(tmp_path: Path, gateway: GatewayDouble) -> None:
    assert flotilla("tasks", folder=tmp_path, FLOTILLA_URL=gateway.url).returncode == 0
    assert gateway.seen("GET", "/tasks")


def test_the_address_comes_from_the_settings_at_last(tmp_path: Path, silent_port: int) -> None:
    done = flotilla(
        "tasks",
        folder=tmp_path,
        FLOTILLA_GATEWAY_HOST="0.0.0.0",
        FLOTILLA_GATEWAY_PORT=str(silent_port),
    )
    assert f"No gateway answers at http://127.0.0.1:{silent_port}:" in done.stderr


def test_a_closed_pipe_is_no_error(tmp_path: Path, gateway: GatewayDouble) -> None:
    for number in range(300):
        gateway.add_task(f"task-with-a-long-name-{number:04}")
    command = f"{sys.executable} -m flotilla tasks --limit 300 --url {gateway.url} | head -1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("nonsense",), ("ask",), ("worker", "nofleet")])
def test_usage_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert flotilla(*arguments, folder=tmp_path).returncode == 2


def test_a_mistake_in_the_options_is_json_as_well(tmp_path: Path) -> None:
    done = flotilla("tasks", "--json", "--nonsense", folder=tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "usage"
    assert "--nonsense" in done.stderr


def test_a_data_folder_that_cannot_be_made_names_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = flotilla("up", "--detach", folder=tmp_path, FLOTILLA_DATA=str(tmp_path / "file" / "x"))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "FLOTILLA_DATA" in line
