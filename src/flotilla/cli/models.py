"""`flotilla models`: the embedding models of the documents, and of this machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from flotilla.cli.connection import DataOption, JsonOption, UrlOption, connect
from flotilla.cli.deletion import YesOption, confirm
from flotilla.cli.groups import ListsByDefault
from flotilla.cli.problems import UsageMistake
from flotilla.cli.submitted import NoWaitOption

if TYPE_CHECKING:
    from flotilla.client import Flotilla
    from flotilla.schemas import Task, TaskAccepted
    from flotilla.schemas.models import ModelSpace, ModelSpaces

app = typer.Typer(cls=ListsByDefault, help="List, change, drop and download the embedding models.")

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A model of fastembed's, such as BAAI/bge-m3, or openai:NAME."
    ),
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Follow the task until it is over; exit code 1 if it fails.")
]


@app.command("list")
def list_models(
    as_json: JsonOption = False, url: UrlOption = None, data: DataOption = None
) -> None:
    """List the embedding models that the documents are embedded with."""
    from flotilla.cli.terminal import print_listing

    with connect(url, data) as flotilla:
        print_listing(
            flotilla.models().items,
            as_json,
            headers=("model", "state", "documents#", "points#", "dimensions#", "task"),
            row=lambda m: (m.model, m.state, m.documents, m.points, m.dimensions, m.task_id),
            empty="No worker of the fleet 'vectorstore' has started yet.",
        )


@app.command("migrate")
def migrate(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A model of fastembed's, such as BAAI/bge-m3, or openai:NAME."
        ),
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to the model that answered before.")
    ] = False,
    wait: WaitOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Change the embedding model: fill a second collection, then let it answer.

    Questions are answered and documents are taken all the while. The workers' machines need the
    model: `flotilla models pull NAME`.
    """
    if rollback == (name is not None):
        raise UsageMistake("Give either the NAME of a model or --rollback.")
    with connect(url, data) as flotilla:
        accepted = flotilla.roll_back_model() if name is None else flotilla.migrate_model(name)
        _follow(flotilla, accepted, wait, as_json, "answers now")


@app.command("rollback")
def roll_back(
    wait: WaitOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Go back to the embedding model that answered before."""
    with connect(url, data) as flotilla:
        _follow(flotilla, flotilla.roll_back_model(), wait, as_json, "answers now")


@app.command("drop")
def drop(
    name: NameArgument,
    yes: YesOption = False,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Stop writing to a model's collection, and delete it; not that of the one that answers."""
    with connect(url, data) as flotilla:
        space = _space(flotilla.models(), name)
        confirm(f"Delete the collection of {space.model} with {space.points} points?", yes)
        accepted = flotilla.drop_model(space.space_id)
        _follow(flotilla, accepted, not no_wait, as_json, "is dropped")


def _space(found: "ModelSpaces", name: str) -> "ModelSpace":
    from flotilla.errors import ModelNotFound
    from flotilla.schemas.models import PROVIDER

    wanted = name.removeprefix(PROVIDER)
    for space in found.items:
        if wanted in (space.model, space.space_id):
            return space
    raise ModelNotFound(
        f"No documents are embedded with {wanted}: `flotilla models list` shows what there is."
    )


def _follow(
    flotilla: "Flotilla", accepted: "TaskAccepted", wait: bool, as_json: bool, done: str
) -> None:
    """Say which task it is, or see it through.

    Raises:
        typer.Exit: with code 1, when the task did not complete.
    """
    from flotilla.cli.task_display import progress
    from flotilla.cli.terminal import print_error, print_json, print_note

    if not wait:
        if as_json:
            print_json(accepted)
        else:
            print_note(f"Task {accepted.task_id}: `flotilla tasks wait` follows it.")
        return

    def report(task: "Task") -> None:
        print_note(f"{task.status}  {task.stage or ''}  {progress(task) or ''}".rstrip())

    task = flotilla.wait(accepted.task_id, on_update=report)
    if as_json:
        print_json(task)
    if task.status != "completed":
        print_error(task.error.message if task.error else f"The task is {task.status}.")
        raise typer.Exit(1)
    if not as_json:
        print_note(f"{task.result['model']} {done}." if task.result else "Done.")
        for warning in (task.result or {}).get("warnings", ()):
            print_note(warning)


@app.command("pull")
def pull(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A model of fastembed's, or openai:NAME; that of EMBEDDING_MODEL when not given.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring an embedding or reranking model to this machine; at once when it is here.

    One of a server's (`openai:NAME`) stays there: the server is asked whether it replies.
    """
    from flotilla.cli.terminal import print_json, print_note
    from flotilla.local.model.pull import pull as pull_model
    from flotilla.local.model.served import ask_server
    from flotilla.schemas.models import with_provider
    from flotilla.settings import get_settings

    settings = get_settings()
    if name is not None:
        model = with_provider(name)
        embedding = settings.embedding.model_copy(update={"model": model})
        settings = settings.model_copy(update={"embedding": embedding})
    if settings.embedding_is_remote:
        dimensions = ask_server(settings)
        if as_json:
            print_json({"model": settings.embedding_model_name, "dimensions": dimensions})
        else:
            print_note(
                f"The model {settings.embedding_model_name} is on its server, which replies with "
                f"{dimensions} dimensions."
            )
        return
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
