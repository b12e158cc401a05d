"""The single processes that `flotilla up` and the containers start."""

from enum import StrEnum
from typing import Annotated

import typer

from flotilla.cli.connection import DataOption, JsonOption, settings_for

database = typer.Typer(help="Look after the ledger's database.", no_args_is_help=True)


class Fleet(StrEnum):
    """The fleets that a worker may join."""

    DOCUMENT = "document"
    VECTORSTORE = "vectorstore"
    RAG = "rag"
    DEFAULT = "default"


HostOption = Annotated[str | None, typer.Option("--host", help="Address to listen on.")]


def gateway(
    host: HostOption = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port to listen on.")
    ] = None,
) -> None:
    """Run the HTTP gateway."""
    from flotilla.gateway.app import serve
    from flotilla.settings import get_settings

    settings = get_settings()
    serve(settings, host or settings.gateway.host, port or settings.gateway.port)


def worker(
    fleet: Annotated[Fleet, typer.Argument(help="The fleet that it joins.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the worker, unique on this host.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, help="Tasks at once.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only tell whether this worker is ready: exit code 0 or 1."),
    ] = False,
) -> None:
    """Run a worker of a fleet."""
    from flotilla import broker, heartbeats

    if check:
        raise typer.Exit(0 if heartbeats.check_worker(fleet.value, name) else 1)
    broker.run_worker(fleet.value, name, concurrency)


def beat() -> None:
    """Run the clock of the periodic tasks; one process for all."""
    from flotilla import broker
    from flotilla.settings import get_settings

    broker.run_beat(get_settings())


def flower(
    host: HostOption = None,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")
    ] = 5555,
) -> None:
    """Run Flower, the view of the workers and their tasks."""
    from flotilla.local.flower import run
    from flotilla.settings import get_settings

    run(get_settings(), host or "127.0.0.1", port)


@database.command("upgrade")
def upgrade(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Bring the ledger's tables to the newest form; nothing happens when they have it."""
    from sqlalchemy import make_url

    from flotilla.cli.terminal import print_json, print_note
    from flotilla.ledger.database import upgrade as upgrade_database

    settings = settings_for(data)
    upgrade_database(settings)
    if as_json:
        # A password may stand before the host or in the query.
        address = make_url(settings.ledger_url).set(query={})
        shown = address.render_as_string(hide_password=True)
        print_json({"ledger": shown, "up_to_date": True})
    else:
        print_note("The ledger is up to date.")
