from pathlib import Path

import pytest

from flotilla.errors import StackFailed
from flotilla.local.stack.options import Ports, StackOptions
from flotilla.local.stack.programs import programs
from flotilla.local.stack.record import exclusive, new_record, read_addresses, read_record
from flotilla.settings import Settings


def test_a_stack_is_found_again_by_its_data_folder(tmp_path: Path) -> None:
    taken = Ports(gateway=8100, redis=6400, cache=6403, qdrant=6401, flower=6402)
    record = new_record(Settings(), StackOptions(data=tmp_path), taken, programs)
    record.save()
    assert read_record(tmp_path) == record
    addresses = read_addresses(tmp_path)
    assert addresses.gateway == "http://127.0.0.1:8100"
    assert addresses.redis == "redis://127.0.0.1:6400/0"
    assert addresses.cache == "redis://127.0.0.1:6403/0"
    assert addresses.qdrant == "http://127.0.0.1:6401"
    assert addresses.flower == "http://127.0.0.1:6402"


@pytest.mark.parametrize("text", [None, "", "{}", '{"data": "/somewhere", "another": "form"}'])
def test_a_missing_or_foreign_file_is_no_stack(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "stack.json").write_text(text)
    assert read_record(tmp_path) is None
    assert read_addresses(tmp_path) is None


def test_the_callers_settings_are_turned_to_the_stack(tmp_path: Path) -> None:
    taken = Ports(gateway=8100, redis=6400, cache=6403, qdrant=6401)
    record = new_record(Settings(), StackOptions(data=tmp_path), taken, programs)
    settings = record.settings(Settings())
    assert settings.data_dir == tmp_path
    assert settings.redis_url.endswith(":6400/0")
    assert settings.cache.url == "redis://127.0.0.1:6403/0"
    assert settings.qdrant.url.endswith(":6401")
    assert settings.ledger_url == f"sqlite:///{tmp_path / 'ledger.sqlite'}"


def test_only_one_command_at_a_time_works_on_a_stack(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(StackFailed, match="Another"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        pass
