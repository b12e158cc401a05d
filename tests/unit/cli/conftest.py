from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from flotilla.cli import app
from flotilla.settings import get_settings
from tests.doubles.gateway import GatewayDouble

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def served() -> Iterator[GatewayDouble]:
    with GatewayDouble() as double:
        yield double


@pytest.fixture
def gateway(served: GatewayDouble) -> GatewayDouble:
    served.reset()
    return served


@pytest.fixture
def run(gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run a command in this process, with the double as its gateway."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOTILLA_URL", gateway.url)
    get_settings.cache_clear()
    runner = CliRunner()
    yield lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])
    get_settings.cache_clear()
