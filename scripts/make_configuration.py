"""Write .env.example and docs/configuration.md from the settings, so that they cannot be wrong.

With --check nothing is written, and the exit code is 1 when either is out of date.
"""

import sys
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from flotilla.settings import variables

ROOT = Path(__file__).resolve().parent.parent

ENV_HEAD = """\
# Every setting of Flotilla with its default. Copy this file to .env, and uncomment what you change.
# Made from src/flotilla/settings by scripts/make_configuration.py: do not edit it by hand.
"""

DOC_HEAD = """\
# Configuration

Flotilla reads its settings from environment variables and from a file `.env` in the folder where a
process is started; the environment wins. Nothing needs to be set on one machine. A wrong value
stops the start with one line that names the variable, and `flotilla doctor` names variables that
begin with `FLOTILLA_` but mean nothing.

`.env.example` lists all settings with their defaults; `make env` copies it to `.env`. This page and
that file are made from the code by `scripts/make_configuration.py`, and a test holds them to it.
"""


def default_of(field: FieldInfo) -> str:
    """The default as it is written in the environment; empty where there is none."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default_text" in extra:
        return str(extra["default_text"])
    value = field.default
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


def grouped() -> dict[type[BaseSettings], list[tuple[str, FieldInfo]]]:
    """The variables by group, in the order of definition."""
    groups: dict[type[BaseSettings], list[tuple[str, FieldInfo]]] = {}
    for group, name, field in variables():
        groups.setdefault(group, []).append((name, field))
    return groups


def title(group: type[BaseSettings]) -> str:
    """The group's docstring without its full stop."""
    return (group.__doc__ or group.__name__).strip().splitlines()[0].rstrip(".")


def env_example() -> str:
    """The text of .env.example."""
    parts = [ENV_HEAD]
    for group, fields in grouped().items():
        parts.append(f"\n# --- {title(group)} ---\n")
        for name, field in fields:
            default = default_of(field)
            shown = f"# {name}=" if " " in default else f"# {name}={default}"
            note = f" (default: the {default})" if " " in default else ""
            parts.append(f"\n# {field.description}{note}\n{shown}\n")
    return "".join(parts)


def documentation() -> str:
    """The text of docs/configuration.md."""
    parts = [DOC_HEAD]
    for group, fields in grouped().items():
        parts.append(f"\n## {title(group)}\n\n")
        parts.append("| variable | default | meaning |\n| --- | --- | --- |\n")
        for name, field in fields:
            default = default_of(field)
            shown = default if " " in default else f"`{default}`" if default else "–"
            parts.append(f"| `{name}` | {shown} | {field.description} |\n")
    return "".join(parts)


def main() -> int:
    """Write both files, or compare them."""
    outdated = 0
    for path, text in (
        (ROOT / ".env.example", env_example()),
        (ROOT / "docs" / "configuration.md", documentation()),
    ):
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        outdated += 1
        if "--check" in sys.argv:
            print(f"{path.relative_to(ROOT)} is out of date: run scripts/make_configuration.py")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if outdated and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
