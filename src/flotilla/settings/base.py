"""What all groups of settings have in common."""

import os

from pydantic_settings import SettingsConfigDict

MEBIBYTE = 1024 * 1024


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
