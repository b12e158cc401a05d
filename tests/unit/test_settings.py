"""Settings: read from the environment alone, and a wrong one is named in one line."""

import os
import re
import traceback
from pathlib import Path

import pytest

from flotilla import settings as module
from flotilla.errors import ConfigurationError
from flotilla.settings import FLEETS, Settings, load_settings, unknown_variables, variables


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = {name for _, name, _ in variables()}
    for name in list(os.environ):
        if name in known or name.startswith("FLOTILLA_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    settings = load_settings()

    assert settings.ledger_url == f"sqlite:///{tmp_path / '.flotilla' / 'ledger.sqlite'}"
    assert settings.blobs_url == f"file://{tmp_path / '.flotilla' / 'blobs'}"
    assert settings.llm.model == "extractive"
    assert settings.document.concurrency == module.cores()


def test_a_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOTILLA_GATEWAY_PORT", "9000")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:6379/1")
    monkeypatch.setenv("FLOTILLA_CORS_ORIGINS", "https://a.example,https://b.example")
    settings = load_settings()

    assert settings.gateway.port == 9000
    assert settings.redis_url == "redis://elsewhere:6379/1"
    assert settings.cors_origins == ("https://a.example", "https://b.example")


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOTILLA_GATEWAY_PORT", "")
    monkeypatch.setenv("DATABASE_URL", "")

    assert load_settings().gateway.port == 8000
    assert load_settings().ledger_url.startswith("sqlite:")


def test_every_variable_has_a_meaning_and_none_is_shared() -> None:
    names = [name for _, name, _ in variables()]

    assert len(set(names)) == len(names)
    assert not [name for _, name, field in variables() if not field.description]
    assert {group.__name__ for group, _, _ in variables()} >= {
        f"{fleet.capitalize()}Settings" for fleet in FLEETS
    }


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FLOTILLA_GATEWAY_PORT", "eighty"),
        ("FLOTILLA_GATEWAY_PORT", "70000"),
        ("FLOTILLA_LOG_FORMAT", "xml"),
        ("FLOTILLA_JOB_MAX_ATTEMPTS", "0"),
        ("FLOTILLA_DOCUMENT_CHUNK_TOKENS", "-1"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert raised.value.message.startswith(f"{variable}: ")
    assert value in raised.value.message
    assert "\n" not in raised.value.message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_URL", "redis://user:hidden@127.0.0.1:99999/1"),
        ("REDIS_URL", "redis://user:hidden@127.0.0.1:0/1"),
        ("REDIS_URL", "redis://:hidden#word@127.0.0.1:6379/1"),
        ("REDIS_URL", "redis://:hidden/word@127.0.0.1:6379/1"),
        ("REDIS_URL", "redis://[hidden@127.0.0.1:6379/1"),
        ("REDIS_URL", "redis://:hidden@127.0.0.1:6379/first"),
        ("REDIS_URL", "amqp://:hidden@127.0.0.1"),
        ("REDIS_URL", "redis:hidden"),
        ("REDIS_URL", "hidden@127.0.0.1:6379"),
        ("REDIS_URL", "unix://"),
        ("QDRANT_URL", "127.0.0.1:6333"),
        ("QDRANT_URL", "grpc://:hidden@qdrant:6334"),
        ("QDRANT_URL", "http://:hidden@"),
        ("QDRANT_URL", "https://:hidden@qdrant:65536"),
        ("DATABASE_URL", "hidden"),
        ("DATABASE_URL", "sqlite:/ledger.sqlite"),
        ("DATABASE_URL", "mysql://root:hidden@host/ledger"),
        ("DATABASE_URL", "postgresql://user:word@host:hidden/ledger"),
        ("DATABASE_URL", "postgresql://user:hidden@host:99999/ledger"),
    ],
)
def test_a_wrong_address_is_one_line_without_its_password(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert raised.value.message.startswith(f"{variable}: ")
    assert "hidden" not in raised.value.message
    assert "\n" not in raised.value.message
    assert "Value error" not in raised.value.message
    assert "hidden" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://:p%23ss@redis:6379"),
        ("REDIS_URL", "rediss://user:word@[::1]:6380/3?ssl_cert_reqs=none"),
        ("QDRANT_URL", "http://127.0.0.1:6333"),
        ("QDRANT_URL", "https://cluster.example/qdrant"),
        ("DATABASE_URL", "sqlite:////srv/ledger.sqlite"),
        ("DATABASE_URL", "postgres://user:word@host/ledger"),
        ("DATABASE_URL", "postgresql+psycopg://user:p%40ss@host:5432/ledger?sslmode=require"),
        ("DATABASE_URL", "postgresql:///ledger?host=/run/postgresql"),
    ],
)
def test_an_address_that_can_be_used_is_taken_as_it_is(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    settings = load_settings()

    assert value in (settings.redis_url, settings.qdrant.url, settings.database_url)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FLOTILLA_QDRANT", '{"url": "http://:hidden@qdrant:99999"}'),
        ("FLOTILLA_QDRANT", '{"api_key": ["hidden"]}'),
        ("FLOTILLA_LLM", '["hidden"]'),
        ("FLOTILLA_LLM", "hidden"),
    ],
)
def test_a_whole_group_that_is_wrong_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert "hidden" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_plain_postgresql_address_gets_the_driver_that_is_installed(scheme: str) -> None:
    settings = Settings(database_url=f"{scheme}://user:word@host:5432/ledger")

    assert settings.ledger_url == "postgresql+psycopg://user:word@host:5432/ledger"


def test_other_addresses_of_databases_are_left_alone() -> None:
    url = "postgresql+psycopg://host/ledger?sslmode=require"

    assert Settings(database_url=url).ledger_url == url


def test_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hidden")
    monkeypatch.setenv("QDRANT_API_KEY", "qdrant-hidden")
    settings = load_settings()

    assert settings.llm.api_key is not None
    assert settings.llm.api_key.get_secret_value() == "sk-hidden"
    assert "hidden" not in repr(settings)
    assert "hidden" not in settings.model_dump_json()


def test_the_embedding_model_lies_in_a_folder_of_its_own_name() -> None:
    assert Settings().embedding_model_folder.name == "sentence-transformers--all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EMBEDDING_MODEL", "elsewhere:model"),
        ("EMBEDDING_MODEL", "fastembed:"),
        ("LLM_MODEL", "gpt-4o-mini"),
        ("LLM_MODEL", "openai:"),
        ("LLM_BASE_URL", "nonsense"),
        ("FLOTILLA_BLOB_URL", "gopher://blobs"),
        ("FLOTILLA_DOCUMENT_CHUNK_OVERLAP", "101"),
        ("FLOTILLA_DOCUMENT_TIME_LIMIT", "300"),
    ],
)
def test_values_that_do_not_go_together_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    assert raised.value.message.startswith(f"{variable}: ")
    assert "\n" not in raised.value.message


def test_a_server_of_ones_own_takes_any_models_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:11434/v1")
    monkeypatch.setenv("LLM_MODEL", "llama3")

    assert load_settings().llm.model == "llama3"


def test_a_variable_that_means_nothing_is_told_with_the_nearest_that_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLOTILLA_GATEWAY_PROT", "9000")
    monkeypatch.setenv("FLOTILLA_GATEWAY_PORT", "9000")
    (tmp_path / "own.env").write_text("FLOTILLA_QQQQQQQQQQQQQQQQQQQQQQQQ=1\nOTHER=2\n")
    monkeypatch.setenv("FLOTILLA_ENV_FILE", str(tmp_path / "own.env"))

    assert unknown_variables() == {
        "FLOTILLA_GATEWAY_PROT": "FLOTILLA_GATEWAY_PORT",
        "FLOTILLA_QQQQQQQQQQQQQQQQQQQQQQQQ": None,
    }


def test_nothing_but_the_settings_reads_the_environment() -> None:
    settings = Path(module.__file__).parent
    # A forked program gets an environment of its own there; no setting is read.
    given = {f"local/stack/{name}.py" for name in ("forked", "preload")}
    readers = [
        path
        for path in settings.parent.rglob("*.py")
        if str(path.relative_to(settings.parent)) not in given
        and re.search(r"environ(\.get|\.copy|\[| *\||,|\}|\))|getenv\(", path.read_text("utf-8"))
    ]

    assert {path.parent for path in readers} == {settings}
