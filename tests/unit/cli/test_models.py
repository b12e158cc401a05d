"""`flotilla models`: what is asked of the gateway, and what is refused before that."""

import pytest

from flotilla.client import maintenance
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize("arguments", [(), ("BAAI/bge-m3", "--rollback")])
def test_a_migration_goes_either_to_a_model_or_back(run: Run, arguments: tuple[str, ...]) -> None:
    result = run("models", "migrate", *arguments)
    assert result.exit_code == 2
    assert "either the NAME of a model or --rollback" in result.stderr


def test_each_call_has_its_address() -> None:
    migration = maintenance.migrate_model("BAAI/bge-m3")
    assert (migration.method, migration.path) == ("POST", "/models/migrations")
    assert migration.body == {"model": "BAAI/bge-m3"}
    back = maintenance.roll_back_model()
    assert (back.method, back.path, back.body) == ("POST", "/models/rollback", None)
    drop = maintenance.drop_model("an id")
    assert (drop.method, drop.path) == ("DELETE", "/models/an%20id")
