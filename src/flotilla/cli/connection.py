"""The options that all commands share, and the gateway that they lead to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from flotilla.client import Flotilla
    from flotilla.settings import Settings

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help="Address of the gateway [FLOTILLA_URL], else this machine's."
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder of the local stack [FLOTILLA_DATA]."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
CollectionsOption = Annotated[
    list[str] | None,
    typer.Option("--collection", "-c", metavar="NAME", help="Where to look; may be repeated."),
]


def settings_for(data: Path | None) -> "Settings":
    """The process's settings, with the data folder of `--data` where it is given."""
    from flotilla.settings import get_settings

    settings = get_settings()
    return settings if data is None else settings.model_copy(update={"data": data})


def connect(url: str | None, data: Path | None = None) -> "Flotilla":
    """A client of the gateway that is meant: `--url`, FLOTILLA_URL, the stack of the data
    folder, or the host and port of the settings, in this order.

    Raises:
        StackFailed: `--data` alone says which gateway is meant, and no stack runs there.
    """
    from flotilla.client import Flotilla

    settings = settings_for(data)
    if data is not None and not (url or settings.url):
        _check_stack(settings.data_dir)
    return Flotilla(gateway_url(settings, url))


def gateway_url(settings: "Settings", url: str | None = None) -> str:
    """The address of the gateway that is meant."""
    return url or settings.url or stack_url(settings) or settings_url(settings)


def _check_stack(folder: Path) -> None:
    from flotilla.errors import StackFailed
    from flotilla.local.stack.status import status

    if not status(folder):
        raise StackFailed(
            f"No stack runs in {folder}: start it with `flotilla up --data {folder}`, "
            "or give --url."
        )


def stack_url(settings: "Settings") -> str | None:
    """The address of the gateway of the stack in the data folder, if there is one."""
    from flotilla.local.stack.record import read_addresses

    addresses = read_addresses(settings.data_dir)
    return addresses.gateway if addresses else None


def settings_url(settings: "Settings") -> str:
    """The address that a gateway with these settings has on this machine."""
    from flotilla.local.stack.programs import http_address

    return http_address(settings.gateway.host, settings.gateway.port)


def json_object(text: str | None, option: str) -> dict[str, Any]:
    """The JSON object that an option's value holds.

    Raises:
        typer.BadParameter: it is not JSON, or not an object.
    """
    import json

    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON ({error})", param_hint=option) from None
    if not isinstance(value, dict):
        raise typer.BadParameter("a JSON object is wanted: {…}", param_hint=option)
    return value
