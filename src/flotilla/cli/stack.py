"""`flotilla up`, `down`, `status` and `doctor`: the one-machine stack."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flotilla.cli.connection import DataOption, JsonOption, settings_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from flotilla.local.stack.record import StackAddresses
    from flotilla.settings import Settings

HEALTHY = ("running", "starting")
"""States of a program that are no reason to worry."""


def _port(flag: str, what: str) -> Any:
    return typer.Option(
        flag, min=0, max=65535, help=f"Port of {what}; 0, or one that is taken: the next free one."
    )


def up(
    data: DataOption = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address that the gateway listens on.")
    ] = None,
    port: Annotated[int | None, _port("--port", "the gateway")] = None,
    redis_port: Annotated[int | None, _port("--redis-port", "Redis")] = None,
    cache_port: Annotated[int | None, _port("--cache-port", "the Redis of the caches")] = None,
    qdrant_port: Annotated[int | None, _port("--qdrant-port", "the Qdrant node")] = None,
    flower_port: Annotated[int | None, _port("--flower-port", "Flower")] = None,
    workers: Annotated[
        str,
        typer.Option("--workers", metavar="FLEET=N,…", help="Workers by fleet: document=2,rag=4."),
    ] = "",
    no_flower: Annotated[bool, typer.Option("--no-flower", help="Leave Flower out.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when the stack is ready.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start the whole stack on this machine and wait until it is ready."""
    from flotilla.cli.terminal import print_note
    from flotilla.local.stack.supervisor import follow

    settings = settings_for(data)
    ports = {
        "gateway": port,
        "redis": redis_port,
        "cache": cache_port,
        "qdrant": qdrant_port,
        "flower": flower_port,
    }
    addresses = start(
        settings,
        host=host,
        ports=ports,
        workers=workers,
        flower=not no_flower,
        detach=detach,
        report=print_note,
    )
    print_addresses(addresses, as_json)
    if not detach:
        print_note("Ctrl-C ends the stack.")
        follow(addresses.data, print_note)


def start(
    settings: "Settings",
    *,
    host: str | None = None,
    ports: "dict[str, int | None] | None" = None,
    workers: str = "",
    flower: bool = True,
    detach: bool = True,
    report: "Callable[[str], None]",
) -> "StackAddresses":
    """Start the stack; ports that are not given are the settings' or the usual ones.

    Raises:
        StackFailed: it does not become ready.
        ConfigurationError: the data folder cannot be made or written.
        UsageMistake: `workers` cannot be read.
    """
    from flotilla.cli.problems import UsageMistake
    from flotilla.errors import ConfigurationError
    from flotilla.ledger.database import upgrade
    from flotilla.local.stack.options import Ports, StackOptions, parse_workers
    from flotilla.local.stack.supervisor import up as start_stack

    given = {name: number for name, number in (ports or {}).items() if number is not None}
    try:
        fleets = parse_workers(workers)
    except ConfigurationError as error:
        raise UsageMistake(error.message) from None
    options = StackOptions(
        data=settings.data_dir,
        host=host or settings.gateway.host,
        ports=Ports(**({"gateway": settings.gateway.port} | given)),
        workers=fleets,
        detach=detach,
        with_flower=flower,
    )
    options.make_folder()
    return start_stack(settings, options, migrate=upgrade, report=report)


def down(data: DataOption = None, as_json: JsonOption = False) -> None:
    """End the stack of the data folder, and whatever is left of it."""
    from flotilla.cli.terminal import print_json, print_note
    from flotilla.local.stack.supervisor import down as end_stack

    folder = settings_for(data).data_dir
    was_there = end_stack(folder, report=print_note)
    if as_json:
        print_json({"data": folder, "stopped": was_there})
        return
    print_note("The stack is stopped." if was_there else f"No stack runs in {folder}.")


def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the processes of the stack; exit code 1 unless all of them run or start."""
    from flotilla.cli.terminal import print_json, print_note, print_table
    from flotilla.local.stack.status import status as stack_status

    folder = settings_for(data).data_dir
    processes = stack_status(folder)
    if as_json:
        print_json(processes)
    else:
        print_table(
            ("process", "state", "pid#", "uptime#", "restarts#", "address"),
            (
                (p.name, _state(p.state), p.pid, _duration(p.uptime), p.restarts, p.address)
                for p in processes
            ),
            empty=f"No stack runs in {folder}: `flotilla up` starts one.",
        )
        for process in processes:
            if process.last_line:
                print_note(f"{process.name}: {process.last_line}")
    # A program starts for its first seconds, of which `up` does not wait for the end.
    if not processes or any(process.state not in HEALTHY for process in processes):
        raise typer.Exit(1)


def doctor(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Check this machine and say how to mend what is wrong; exit code 1 if anything is."""
    from rich.text import Text

    from flotilla.cli.terminal import out, print_json
    from flotilla.local.doctor import doctor as examine

    settings = settings_for(data)
    findings = examine(settings, settings.data_dir)
    if as_json:
        print_json(findings)
    else:
        console = out()
        for finding in findings:
            line = Text("ok    " if finding.ok else "wrong ", "green" if finding.ok else "red")
            line.append(finding.name, style="bold").append(f"  {finding.detail}", style="default")
            console.print(line)
            if not finding.ok and finding.remedy:
                console.print(Text(f"      {finding.remedy}", style="yellow"))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def print_addresses(addresses: "StackAddresses", as_json: bool = False) -> None:
    """Where the stack's parts are reached; not Redis, whose address may hold a password."""
    from flotilla.cli.terminal import print_fields, print_json

    if as_json:
        print_json(
            {
                "gateway": addresses.gateway,
                "docs": f"{addresses.gateway}/docs",
                "flower": addresses.flower,
                "logs": addresses.logs,
                "data": addresses.data,
            }
        )
        return
    print_fields(
        [
            ("gateway", addresses.gateway),
            ("API docs", f"{addresses.gateway}/docs"),
            ("Flower", addresses.flower),
            ("logs", addresses.logs),
            ("data", addresses.data),
        ]
    )


def _state(state: str) -> Any:
    from rich.text import Text

    return Text(state, style="green" if state in HEALTHY else "red")


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
