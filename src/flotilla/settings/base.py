"""What all groups of settings have in common."""

import os
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_settings import NoDecode, SettingsConfigDict

MEBIBYTE = 1024 * 1024


def _split_commas(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(filter(None, (part.strip() for part in value.split(","))))


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)]
"""Words that stand in one variable with commas between them."""


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def group_config(prefix: str) -> SettingsConfigDict:
    """How a group with this prefix reads the environment and `.env`."""
    return SettingsConfigDict(
        env_prefix=prefix,
        env_file=os.environ.get("FLOTILLA_ENV_FILE", ".env"),
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # it may be a password
    )
