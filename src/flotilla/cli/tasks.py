"""`flotilla tasks`: what was submitted, and how far it is."""

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flotilla.cli.connection import DataOption, JsonOption, UrlOption, connect
from flotilla.cli.groups import ListsByDefault
from flotilla.cli.problems import UsageMistake
from flotilla.cli.submitted import LimitOption
from flotilla.cli.task_display import print_task, progress, remaining, state_line

if TYPE_CHECKING:
    from flotilla.client import Flotilla, FlotillaAPIError
    from flotilla.schemas import Retried, RetryRefused, Task

app = typer.Typer(
    cls=ListsByDefault, help="List, show, await, cancel and retry tasks.", no_args_is_help=False
)

TaskArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the task.")]
TaskArguments = Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of tasks.")]
KindOption = Annotated[
    str | None, typer.Option("--kind", help="Only tasks of this kind, such as ingest.")
]


@app.command("list")
def list_tasks(
    status: Annotated[
        str | None, typer.Option("--status", help="Only tasks of this status, such as failed.")
    ] = None,
    kind: KindOption = None,
    parent: Annotated[
        str | None, typer.Option("--parent", metavar="ID", help="Only members of this batch.")
    ] = None,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", metavar="NAME", help="Only of this one.")
    ] = None,
    stage: Annotated[
        str | None, typer.Option("--stage", help="Only at this stage, or that ended in it.")
    ] = None,
    code: Annotated[
        str | None, typer.Option("--code", help="Only failed with this code, such as quarantined.")
    ] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """List tasks, newest first."""
    from flotilla.cli.terminal import print_listing

    with connect(url, data) as flotilla:
        pages = flotilla.tasks(
            status=status,
            kind=kind,
            parent=parent,
            collection=collection,
            stage=stage,
            code=code,
            limit=min(limit, 100),
        )
        print_listing(
            islice(pages, limit),
            as_json,
            headers=("task", "kind", "name", "status", "stage", "progress#", "created"),
            row=lambda t: (
                t.task_id,
                t.kind,
                t.name,
                t.status,
                t.stage,
                progress(t),
                t.created_at,
            ),
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


@app.command("cancel")
def cancel_tasks(
    task_ids: TaskArguments,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Cancel tasks, batches with their members; exit code 1 if one of them cannot be."""
    from flotilla.cli.terminal import print_error, print_json, print_note
    from flotilla.client import FlotillaAPIError

    cancelled: list[Task] = []
    refused: dict[str, FlotillaAPIError] = {}
    with connect(url, data) as flotilla:
        for task_id in task_ids:
            try:
                cancelled.append(flotilla.cancel(task_id))
            except FlotillaAPIError as error:
                refused[task_id] = error
    if as_json:
        print_json({"tasks": cancelled, "refused": _refusals(refused)})
    else:
        for task in cancelled:
            ends = "" if task.status.final else ": its members are ending"
            print_note(f"{task.task_id}: {task.status}{ends}")
        for each in _refusals(refused):
            print_error(f"{each.task_id}: {each.message}")
    if refused:
        raise typer.Exit(1)


@app.command("retry")
def retry_tasks(
    task_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID…", help="Ids of failed tasks or batches.")
    ] = None,
    failed: Annotated[
        bool,
        typer.Option(
            "--failed",
            help="All failed tasks that the other options name; without --kind, ingestions, "
            "re-indexings and deletions, and without --code or --batch none whose file is the "
            "reason.",
        ),
    ] = False,
    code: Annotated[
        str | None, typer.Option("--code", help="That failed with this code, such as time_limit.")
    ] = None,
    stage: Annotated[
        str | None, typer.Option("--stage", help="That failed at this stage, such as rag.answer.")
    ] = None,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", metavar="NAME", help="Of this collection.")
    ] = None,
    kind: KindOption = None,
    batch: Annotated[
        str | None, typer.Option("--batch", metavar="ID", help="Members of this batch.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", metavar="TIME", help="Submitted since: 2026-11-20T08:00:00."),
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Send failed tasks again, from the stage where they failed."""
    from flotilla.cli.terminal import print_error, print_json, print_note

    wanted: dict[str, Any] = {
        "code": code,
        "stage": stage,
        "collection": collection,
        "kind": kind,
        "batch": batch,
    }
    if bool(task_ids) == failed or (task_ids and (any(wanted.values()) or since)):
        raise UsageMistake("Give either the ids of tasks, or --failed and what narrows it down.")
    after = _aware(since) if since is not None else None
    with connect(url, data) as flotilla:
        outcome = (
            _retry_each(flotilla, task_ids)
            if task_ids
            else _retry_all(flotilla, created_after=after, **wanted)
        )
    if as_json:
        print_json(outcome)
    else:
        number = len(outcome.task_ids)
        print_note(f"{number} {'task is' if number == 1 else 'tasks are'} on the way again.")
        for each in outcome.refused:
            print_error(f"{each.task_id}: {each.message}")
    if outcome.refused:
        raise typer.Exit(1)


def _retry_each(flotilla: "Flotilla", task_ids: list[str]) -> "Retried":
    from flotilla.client import FlotillaAPIError
    from flotilla.schemas import Retried

    taken: list[str] = []
    refused: dict[str, FlotillaAPIError] = {}
    for task_id in task_ids:
        try:
            taken.append(flotilla.retry(task_id).task_id)
        except FlotillaAPIError as error:
            refused[task_id] = error
    return Retried(task_ids=taken, refused=_refusals(refused))


def _retry_all(flotilla: "Flotilla", **wanted: Any) -> "Retried":
    outcome = flotilla.retry_failed(**wanted)
    while outcome.next_cursor is not None:
        more = flotilla.retry_failed(**wanted, cursor=outcome.next_cursor)
        more.task_ids[:0] = outcome.task_ids
        more.refused[:0] = outcome.refused
        outcome = more
    return outcome


def _aware(moment: datetime) -> datetime:
    try:
        return moment.astimezone()  # as this machine's clock has it
    except (OverflowError, ValueError):
        raise UsageMistake("--since: give a time between the years 2 and 9998.") from None


def _refusals(refused: "dict[str, FlotillaAPIError]") -> "list[RetryRefused]":
    from flotilla.schemas import RetryRefused

    return [
        RetryRefused(task_id=task_id, code=error.code, message=error.message)
        for task_id, error in refused.items()
    ]
