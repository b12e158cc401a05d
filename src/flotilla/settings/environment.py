"""The environment's variables: which there are, what they say, and which mean nothing."""

import difflib
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import get_args

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsError

from flotilla.errors import ConfigurationError
from flotilla.settings.process import Settings

STACK_MARKER = "FLOTILLA_STACK"
"""Variable that every process of a local stack bears: the path of its data folder."""


def variable_name(group: type[BaseSettings], name: str) -> str:
    """The environment variable that sets a group's field."""
    alias = group.model_fields[name].validation_alias
    prefix = group.model_config.get("env_prefix", "")
    return alias if isinstance(alias, str) else f"{prefix}{name}".upper()


def variables() -> Iterator[tuple[type[BaseSettings], str, FieldInfo]]:
    """Every variable as (group, name in the environment, field), in the order of definition."""
    for name, field in Settings.model_fields.items():
        kind = _group(field)
        if kind is None:
            yield Settings, variable_name(Settings, name), field
        else:
            for inner, inner_field in kind.model_fields.items():
                yield kind, variable_name(kind, inner), inner_field


def _group(field: FieldInfo) -> type[BaseSettings] | None:
    """The group that the field holds, or None where it holds a value."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseSettings) else None


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        ConfigurationError: a value is wrong; its one line names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError(_told(error.title, error.errors()[0])) from None
    except SettingsError as error:
        # Only a whole group is read as JSON, which nobody needs: its variables have names.
        raise ConfigurationError(
            f"A variable that stands for a whole group is not JSON ({error}): set the variables "
            "that .env.example names instead."
        ) from None


def _told(title: str, error: ErrorDetails) -> str:
    """One line that names the variable, and shows its value where that is no secret."""
    group = next((kind for kind, _, _ in variables() if kind.__name__ == title), Settings)
    given = str(error["loc"][0]) if error["loc"] else ""
    names = {variable_name(group, name): name for name in group.model_fields}
    name = names.get(given, given)
    if name not in group.model_fields:
        return f"{title}: {error['msg']}"
    message = f"{variable_name(group, name)}: {error['msg'].removeprefix('Value error, ')}"
    return (
        message if _may_be_secret(group, name, error) else f"{message} (it is {error['input']!r})"
    )


def _may_be_secret(group: type[BaseSettings], name: str, error: ErrorDetails) -> bool:
    field = group.model_fields[name]
    # What our own validators refuse is an address, whose message says enough without it.
    return (
        error["type"] == "value_error"
        or _group(field) is not None
        or SecretStr in (field.annotation, *get_args(field.annotation))
    )


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once."""
    return load_settings()


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with changes, for a process that it starts."""
    return {**os.environ, **changes}


def unknown_variables() -> dict[str, str | None]:
    """Names that begin with FLOTILLA_, are set, and mean nothing; each with the nearest that does.

    Looks at the environment and at `.env`.

    Raises:
        OSError: `.env` is there and cannot be read.
    """
    known = {STACK_MARKER, "FLOTILLA_ENV_FILE"} | {name for _, name, _ in variables()}
    for group in {group for group, _, _ in variables()}:
        # A field with a name of its own, such as REDIS_URL, answers to the prefixed one too.
        prefix = group.model_config.get("env_prefix", "")
        known |= {f"{prefix}{field}".upper() for field in group.model_fields}
    given = {name.upper() for name in {**os.environ, **_dotenv()}}
    unknown = sorted(name for name in given - known if name.startswith("FLOTILLA_"))
    return {
        name: next(iter(difflib.get_close_matches(name, sorted(known), 1)), None)
        for name in unknown
    }


def _dotenv() -> dict[str, str | None]:
    path = Path(os.environ.get("FLOTILLA_ENV_FILE", ".env"))
    return dotenv_values(path) if path.exists() else {}
