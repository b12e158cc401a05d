import socket
from pathlib import Path

import pytest

from flotilla.errors import DependencyUnavailable
from flotilla.local import doctor as module
from flotilla.local.doctor import (
    Finding,
    check_cache,
    check_disk,
    check_folder,
    check_ledger,
    check_model_in_use,
    check_packages,
    check_ports,
    check_qdrant,
    check_redis,
    check_variables,
    doctor,
)
from flotilla.settings import Settings


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_finding_that_is_not_well_says_how_to_mend_it(tmp_path: Path) -> None:
    findings = doctor(Settings(), tmp_path / "data")
    assert {"Python", "Redis", "Qdrant", "ledger", "ports"} <= {f.name for f in findings}
    assert [f for f in findings if not f.ok and not f.remedy] == []
    assert not (tmp_path / "data").exists()


def test_a_typing_slip_in_the_environment_or_dotenv_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOTILLA_GATWAY_PORT", "1")
    monkeypatch.setenv("FLOTILLA_STACK", "/marks/the/stack")
    monkeypatch.setenv("FLOTILLA_GATEWAY_HOST", "127.0.0.1")
    (tmp_path / ".env").write_text("FLOTILLA_RAG_TOPK=3\nOTHER=1\n")
    finding = check_variables()
    assert not finding.ok
    assert finding.detail == "unknown: FLOTILLA_GATWAY_PORT, FLOTILLA_RAG_TOPK"
    assert "FLOTILLA_GATWAY_PORT → FLOTILLA_GATEWAY_PORT" in finding.remedy
    assert "FLOTILLA_RAG_TOPK → FLOTILLA_RAG_TOP_K" in finding.remedy


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_packages(["document", "local"]).ok
    monkeypatch.setattr(module, "_is_installed", lambda package: package != "pypdf")
    finding = check_packages(["document", "gateway"])
    assert finding.detail == "missing for document: pypdf"
    assert finding.remedy == "Run: pip install 'flotilla[document]'"


def test_a_redis_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("REDIS_URL", f"redis://:sesame@127.0.0.1:{port}/0")
    finding = check_redis(Settings())
    assert not finding.ok
    assert f"127.0.0.1:{port}" in finding.detail
    assert "sesame" not in finding.detail


def test_a_redis_of_the_caches_has_to_answer_and_to_be_another_than_that_of_the_queues(
    monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    assert check_cache(Settings()).ok
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("FLOTILLA_CACHE_URL", f"redis://:sesame@127.0.0.1:{port}/0")
    finding = check_cache(Settings())
    assert not finding.ok
    assert "does not answer" in finding.detail
    assert "sesame" not in finding.detail
    monkeypatch.setenv("FLOTILLA_CACHE_URL", redis_url)
    assert "noeviction" in check_cache(Settings()).detail
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert "may not forget" in check_cache(Settings()).detail


def test_a_qdrant_that_does_not_answer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("QDRANT_URL", f"http://127.0.0.1:{port}")
    assert not check_qdrant(Settings()).ok


def test_the_ledger_is_new_current_old_or_out_of_reach(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert "not made yet" in check_ledger(settings, lambda _: False).detail
    (tmp_path / "ledger.sqlite").touch()
    assert check_ledger(settings, lambda _: True).ok
    assert check_ledger(settings, lambda _: False).remedy == "Run: flotilla db upgrade"

    def unreachable(_: Settings) -> bool:
        raise DependencyUnavailable("The ledger's database does not answer.")

    assert check_ledger(settings, unreachable).remedy == "The ledger's database does not answer."


def test_a_folder_that_cannot_be_written_to_is_found(tmp_path: Path) -> None:
    assert check_folder(tmp_path / "not" / "there" / "yet").ok
    file = tmp_path / "file"
    file.touch()
    assert not check_folder(file / "below").ok


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_disk(tmp_path).ok
    monkeypatch.setattr(module, "LEAST_DISK", 10**18)
    assert "Free 1 GiB" in check_disk(tmp_path).remedy


def test_a_taken_port_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("FLOTILLA_GATEWAY_PORT", str(port))
        finding = check_ports(Settings(), None)
    assert isinstance(finding, Finding)
    assert finding.ok
    assert f"{port} (gateway)" in finding.detail


def test_a_setting_that_names_another_model_than_the_documents_have_is_told() -> None:
    settings = Settings()
    for used in (None, settings.embedding.model):
        assert check_model_in_use(settings, lambda _, used=used: used).ok  # type: ignore[misc]
    finding = check_model_in_use(settings, lambda _: "fastembed:BAAI/bge-m3")
    assert not finding.ok
    assert finding.remedy is not None
    assert f"flotilla models migrate {settings.embedding_model_name}" in finding.remedy
    assert "EMBEDDING_MODEL=fastembed:BAAI/bge-m3" in finding.remedy
