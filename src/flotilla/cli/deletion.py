"""What the commands that delete have in common: asking first."""

import sys
from typing import Annotated

import typer

from flotilla.cli.problems import UsageMistake

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


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
