"""A ledger of its own for each test, on SQLite and on PostgreSQL."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from flotilla.ledger import endings, removals
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id, upgrade
from flotilla.ledger.submissions import NewSource
from flotilla.settings import Settings

_numbers = itertools.count()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "template.sqlite"
    upgrade(Settings(database_url=f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql_url: str) -> str:
    """The name of a database with the newest tables, to be copied."""
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE template")
    upgrade(Settings(database_url=postgresql_url.replace("/postgres", "/template")))
    return "template"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    else:
        yield from _postgresql(request, "template1")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a ledger that holds the first tenant and the first collection alone."""
    if request.param == "sqlite":
        copy = tmp_path / "ledger.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), copy)
        yield f"sqlite:///{copy}"
    else:
        yield from _postgresql(request, request.getfixturevalue("postgresql_template"))


def _postgresql(request: pytest.FixtureRequest, template: str) -> Iterator[str]:
    server: str = request.getfixturevalue("postgresql_url")
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield server.replace("/postgres", f"/{name}")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Database]:
    database = Database(Settings(database_url=ledger_url).ledger_url)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Redis is needed to end a job."""
    for module in (endings, removals):
        monkeypatch.setattr(module, "announce", lambda _task: None)


@pytest.fixture
def source() -> Callable[..., NewSource]:
    """Makes an upload: `source("terms.pdf", b"...")`."""
    import hashlib

    def make(name: str = "terms.pdf", data: bytes = b"bytes", **values: object) -> NewSource:
        version_id = new_id()
        given: dict[str, object] = {
            "version_id": version_id,
            "source": name,
            "name": name,
            "metadata": {},
            "first_stage": "document.convert",
            "blob": f"{DEFAULT_TENANT}/{version_id}/source",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
        return NewSource(**(given | values))  # type: ignore[arg-type]

    return make
