"""What the user asks of `flotilla up`: the options of a stack."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from flotilla.errors import ConfigurationError
from flotilla.models import Value
from flotilla.settings import FLEETS

LOOPBACK = "127.0.0.1"

MAX_WORKERS = 64
"""Most workers of one fleet on one machine; more is a typing slip."""


class Ports(Value):
    """The ports of the stack's servers; 0 asks for any free one."""

    gateway: int = 8000
    redis: int = 6379
    cache: int = 6380
    qdrant: int = 6333
    flower: int = 5555


@dataclass(frozen=True)
class StackOptions:
    """What the user asked of `flotilla up`.

    `host` is where the gateway listens; Redis, the Qdrant node and Flower ask nobody for a
    password and therefore listen on the loopback address alone. `workers` counts the worker
    processes of each fleet. A stack that is not detached ends with the process that started it.
    `preload` lets the supervisor load what the programs import once, for all of them, and fork
    them (Linux); without it each is a new interpreter.
    """

    data: Path
    host: str = LOOPBACK
    ports: Ports = field(default_factory=Ports)
    workers: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(FLEETS, 1))
    )
    detach: bool = False
    with_flower: bool = True
    preload: bool = True

    def __post_init__(self) -> None:
        folder = str(self.data.expanduser().resolve())
        # The folder's name stands in supervisord's configuration, where these have a meaning.
        if any(sign in folder for sign in ("%", " #", " ;", "\n", "\r")):
            raise ConfigurationError(
                f"The data folder {folder!r} has a name that the supervisor cannot take: "
                "choose one without %, line breaks and without # or ; after a space."
            )
        object.__setattr__(self, "data", Path(folder))

    def make_folder(self) -> None:
        """Make the data folder where it is missing.

        Raises:
            ConfigurationError: it cannot be made or written.
        """
        reason = "Permission denied"
        try:
            self.data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or str(error)
        else:
            if os.access(self.data, os.W_OK | os.X_OK):
                return
        raise ConfigurationError(
            f"The data folder {self.data} cannot be used ({reason}): give --data or "
            "FLOTILLA_DATA a folder that can be written."
        )


def parse_workers(text: str) -> dict[str, int]:
    """Read `document=2,rag=4` into workers per fleet; fleets that are not named get one.

    Raises:
        ConfigurationError: a fleet's name or a number is wrong, or a fleet is named twice.
    """
    named: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        fleet, separator, number = (piece.strip() for piece in part.partition("="))
        if not separator:
            raise ConfigurationError(
                f"--workers: {part!r} is not of the form FLEET=NUMBER, such as document=2,rag=4."
            )
        if fleet not in FLEETS:
            near = difflib.get_close_matches(fleet, FLEETS, 1)
            hint = f"did you mean {near[0]}?" if near else f"the fleets are {', '.join(FLEETS)}."
            raise ConfigurationError(f"--workers: there is no fleet {fleet!r}; {hint}")
        if not number.isdecimal() or not 1 <= int(number) <= MAX_WORKERS:
            raise ConfigurationError(
                f"--workers: {number!r} workers for the fleet {fleet} is not a whole number "
                f"from 1 to {MAX_WORKERS}."
            )
        if fleet in named:
            raise ConfigurationError(f"--workers: the fleet {fleet} is named twice; name it once.")
        named[fleet] = int(number)
    return dict.fromkeys(FLEETS, 1) | named
