"""`flotilla models`: the embedding model of this machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from flotilla.cli.connection import JsonOption

app = typer.Typer(help="Bring the embedding model to this machine.", no_args_is_help=True)


@app.command("pull")
def pull(as_json: JsonOption = False) -> None:
    """Bring the embedding model to this machine; at once when it is here."""
    from flotilla.cli.terminal import print_json, print_note
    from flotilla.local.model.pull import pull as pull_model
    from flotilla.settings import get_settings

    settings = get_settings()
    with download_bar() as report:
        folder = pull_model(settings, report)
    if as_json:
        print_json({"model": settings.embedding_model_name, "folder": folder})
    else:
        print_note(f"The model {settings.embedding_model_name} is in {folder}.")


@contextmanager
def download_bar() -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar on a terminal, or one line a step; on stderr."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TransferSpeedColumn,
    )

    from flotilla.cli.terminal import err, is_interactive, print_note

    if not is_interactive():
        said: set[str] = set()

        def say(message: str, _done: int, _total: int | None) -> None:
            if message not in said:
                said.add(message)
                print_note(message)

        yield say
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=err(), transient=True) as bars:
        bar: TaskID | None = None

        def show(message: str, done: int, total: int | None) -> None:
            nonlocal bar
            if bar is None:
                bar = bars.add_task(message, total=total)
            bars.update(bar, description=message, completed=done, total=total)

        yield show
