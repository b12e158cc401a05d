"""What the commands that delete have in common: asking first, and seeing it through."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flotilla.cli.problems import UsageMistake

if TYPE_CHECKING:
    from flotilla.client import Flotilla
    from flotilla.schemas import TaskAccepted

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
NoWaitOption = Annotated[
    bool, typer.Option("--no-wait", help="Submit and return, without waiting for the end.")
]


def confirm(question: str, yes: bool) -> None:
    """Ask the person at the terminal, unless the answer was given with the command.

    Raises:
        typer.Abort: the answer is no.
        UsageMistake: there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageMistake(f"{question} There is no terminal to answer at: add --yes.")
    typer.confirm(question, abort=True, err=True)


def finish_deletion(
    flotilla: "Flotilla", accepted: "TaskAccepted", what: str, no_wait: bool, as_json: bool
) -> None:
    """Wait for the deletion's task unless told not to, and say how it ended.

    Raises:
        typer.Exit: with code 1, when the task did not complete.
    """
    from flotilla.cli.terminal import print_error, print_json, print_note

    if no_wait:
        if as_json:
            print_json(accepted)
        else:
            print_note(f"{what} is being deleted by task {accepted.task_id}.")
        return
    task = flotilla.wait(accepted.task_id)
    if as_json:
        print_json(task)
    if task.status != "completed":
        reason = task.error.message if task.error else f"the task is {task.status}."
        print_error(f"{what} was not deleted wholly: {reason}")
        raise typer.Exit(1)
    if not as_json:
        print_note(f"{what} is deleted.")
