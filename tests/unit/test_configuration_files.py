"""The files that show the settings are made from them."""

import re
import subprocess
import sys
from pathlib import Path

from flotilla.settings import variables

ROOT = Path(__file__).parents[2]


def test_the_files_are_up_to_date() -> None:
    script = ROOT / "scripts" / "make_configuration.py"
    told = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, timeout=30
    )

    assert told.returncode == 0, told.stdout + told.stderr


def test_the_example_has_every_variable_once_and_sets_none() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    shown = [found[1] for line in lines if (found := re.match(r"# ([A-Z0-9_]+)=", line))]

    assert sorted(shown) == sorted(name for _, name, _ in variables())
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_the_documentation_has_every_variable_with_its_meaning() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    for _, name, field in variables():
        assert f"| `{name}` |" in text
        assert str(field.description) in text
