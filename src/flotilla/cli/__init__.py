"""The command line: `flotilla …`, built on the typed client.

Only typer is imported here and at the top of the command modules; what a command needs beyond
that it imports when it runs, so that `flotilla --help` is there at once.
"""

from typing import Annotated

import typer

from flotilla.cli import (
    chat,
    collections,
    conversations,
    documents,
    evaluation,
    ingest,
    models,
    processes,
    questions,
    quickstart,
    stack,
    sweep,
    tasks,
    webhooks,
)
from flotilla.cli.groups import ErrorsAsSentences

PANEL_ASK = "Documents and questions"
PANEL_MACHINE = "This machine"
PANEL_PROCESS = "Single processes (what `up` and the containers start)"

app = typer.Typer(
    name="flotilla",
    cls=ErrorsAsSentences,
    help="Ask questions of your own documents.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from flotilla import __version__

        typer.echo(f"flotilla {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback when something fails.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version."),
    ] = False,
) -> None:
    """Ask questions of your own documents."""
    ctx.obj = {"debug": debug}


app.command("ingest", rich_help_panel=PANEL_ASK)(ingest.ingest)
app.command("ask", rich_help_panel=PANEL_ASK)(questions.ask)
app.command("chat", rich_help_panel=PANEL_ASK)(chat.chat)
app.command("search", rich_help_panel=PANEL_ASK)(questions.search)
app.command("eval", rich_help_panel=PANEL_ASK)(evaluation.evaluate)
app.add_typer(documents.app, name="documents", rich_help_panel=PANEL_ASK)
app.add_typer(collections.app, name="collections", rich_help_panel=PANEL_ASK)
app.add_typer(conversations.app, name="conversations", rich_help_panel=PANEL_ASK)
app.add_typer(tasks.app, name="tasks", rich_help_panel=PANEL_ASK)
app.add_typer(webhooks.app, name="webhooks", rich_help_panel=PANEL_ASK)

app.command("quickstart", rich_help_panel=PANEL_MACHINE)(quickstart.quickstart)
app.command("up", rich_help_panel=PANEL_MACHINE)(stack.up)
app.command("down", rich_help_panel=PANEL_MACHINE)(stack.down)
app.command("status", rich_help_panel=PANEL_MACHINE)(stack.status)
app.command("doctor", rich_help_panel=PANEL_MACHINE)(stack.doctor)
app.add_typer(models.app, name="models", rich_help_panel=PANEL_MACHINE)
app.command("sweep", rich_help_panel=PANEL_MACHINE)(sweep.sweep)
app.add_typer(processes.database, name="db", rich_help_panel=PANEL_MACHINE)

app.command("gateway", rich_help_panel=PANEL_PROCESS)(processes.gateway)
app.command("worker", rich_help_panel=PANEL_PROCESS)(processes.worker)
app.command("beat", rich_help_panel=PANEL_PROCESS)(processes.beat)
app.command("flower", rich_help_panel=PANEL_PROCESS)(processes.flower)


def main() -> None:
    """The entry point of the `flotilla` command."""
    app()
