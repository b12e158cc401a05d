"""`flotilla tasks`: what was submitted, and how far it is."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from flotilla.cli.connection import DataOption, JsonOption, UrlOption, connect
from flotilla.cli.groups import ListsByDefault

if TYPE_CHECKING:
    from flotilla.schemas import Task, TaskEvent

app = typer.Typer(cls=ListsByDefault, help="List, show and await tasks.", no_args_is_help=False)

TaskArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the task.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Most entries to show.")]


@app.command("list")
def list_tasks(
    status: Annotated[
        str | None, typer.Option("--status", help="Only tasks of this status, such as failed.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only tasks of this kind, such as ingest.")
    ] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """List tasks, newest first."""
    from flotilla.cli.terminal import print_listing

    with connect(url, data) as flotilla:
        pages = flotilla.tasks(status=status, kind=kind, limit=min(limit, 100))
        print_listing(
            islice(pages, limit),
            as_json,
            headers=("task", "kind", "status", "stage", "progress#", "created"),
            row=lambda t: (t.task_id, t.kind, t.status, t.stage, progress(t), t.created_at),
            empty="There are no such tasks.",
        )


@app.command("show")
def show_task(
    task_id: TaskArgument,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Show one task."""
    with connect(url, data) as flotilla:
        print_task(flotilla.task(task_id), as_json)


@app.command("wait")
def wait_for_task(
    task_id: TaskArgument,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Most seconds to wait.")
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Wait until a task is final; exit code 1 unless it is completed."""
    from flotilla.cli.terminal import print_note

    said = ""

    def report(task: "Task") -> None:
        nonlocal said
        if (line := state_line(task)) != said:
            said = line
            print_note(f"{line}{remaining(task)}")

    with connect(url, data) as flotilla:
        task = flotilla.wait(task_id, timeout=timeout, on_update=report)
    print_task(task, as_json)
    if task.status != "completed":
        raise typer.Exit(1)


@app.command("follow")
def follow_task(
    task_id: TaskArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document a line, for each event.")
    ] = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Show each change of a task until its end; exit code 1 unless it is completed."""
    from flotilla.cli.terminal import out, print_error

    status, reason = "", ""
    with connect(url, data) as flotilla:
        for event in flotilla.events(task_id):
            status = event.status
            if as_json:
                typer.echo(event.model_dump_json(exclude_none=True))
            else:
                out().print(f"{state_line(event)}{remaining(event)}", soft_wrap=True)
            if event.error is not None:
                reason = f"{event.error.message} ({event.error.stage}, {event.error.code})"
    if reason and not as_json:
        print_error(reason)
    if status != "completed":
        raise typer.Exit(1)


def state_line(task: "Task | TaskEvent") -> str:
    """Where a task stands, such as `processing  vectorstore.index  12/40 chunks`."""
    return f"{task.status}  {task.stage or ''}  {progress(task) or ''}".rstrip()


def remaining(task: "Task | TaskEvent") -> str:
    """The time that is left, once it is known."""
    from flotilla.cli.progress import time_left

    if task.progress is None or task.progress.eta_seconds is None:
        return ""
    return f"  about {time_left(task.progress.eta_seconds)} left"


def progress(task: "Task | TaskEvent") -> str | None:
    """How much of the work is done, such as `12/40 chunks`."""
    if task.progress is None:
        return None
    total = "" if task.progress.total is None else f"/{task.progress.total}"
    return f"{task.progress.done}{total} {task.progress.unit}"


def print_task(task: "Task", as_json: bool) -> None:
    """One task with all its fields."""
    from flotilla.cli.terminal import print_fields, print_json

    if as_json:
        print_json(task)
        return
    fields: list[tuple[str, object]] = [
        ("task", task.task_id),
        ("kind", task.kind),
        ("status", task.status),
        ("stage", task.stage),
        ("progress", progress(task)),
        ("attempt", task.attempt),
        ("queue", task.queue),
        ("place in queue", task.queue_position),
        ("document", task.document_id),
        ("collection", task.collection),
        ("created", task.created_at),
        ("started", task.started_at),
        ("finished", task.finished_at),
        ("result", task.result),
    ]
    if task.error is not None:
        fields.append(("error", f"{task.error.message} ({task.error.stage}, {task.error.code})"))
    print_fields(fields)
