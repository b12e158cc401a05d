"""What the commands that submit one task have in common: to see it through, or not to wait."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from flotilla.client import Flotilla
    from flotilla.schemas import TaskAccepted

NoWaitOption = Annotated[
    bool, typer.Option("--no-wait", help="Submit and return, without waiting for the end.")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Most entries to show.")]


def see_through(
    flotilla: "Flotilla",
    accepted: "TaskAccepted",
    what: str,
    done: str,
    *,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Wait for a task unless told not to, and say how it ended.

    Args:
        flotilla: the client.
        accepted: the task.
        what: what it is about, as a sentence begins: `Document 7`.
        done: what becomes of that: `deleted`.
        no_wait: say the task's id, and no more.
        as_json: print the task in place of sentences.

    Raises:
        typer.Exit: with code 1, when the task did not complete.
    """
    from flotilla.cli.terminal import print_error, print_json, print_note

    if no_wait:
        if as_json:
            print_json(accepted)
        else:
            print_note(f"{what} is being {done} by task {accepted.task_id}.")
        return
    task = flotilla.wait(accepted.task_id)
    if as_json:
        print_json(task)
    if task.status != "completed":
        reason = task.error.message if task.error else f"the task is {task.status}."
        print_error(f"{what} was not {done} wholly: {reason}")
        raise typer.Exit(1)
    if not as_json:
        print_note(f"{what} is {done}.")
