"""`flotilla quickstart`: from nothing to cited answers, with the sample documents."""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flotilla.cli.connection import DataOption, settings_for

if TYPE_CHECKING:
    from flotilla.cli.ingestion import Submission

QUESTIONS = 3
"""Questions that are asked."""


def quickstart(
    samples: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the sample documents.")
    ] = Path("docs/samples"),
    data: DataOption = None,
) -> None:
    """Pull the model, start the stack, ingest the sample documents and ask three questions."""
    from rich.text import Text

    from flotilla.cli.ingest import print_results
    from flotilla.cli.ingestion import run
    from flotilla.cli.models import download_bar
    from flotilla.cli.questions import print_answer
    from flotilla.cli.stack import print_addresses, start
    from flotilla.cli.terminal import out, print_note
    from flotilla.client import Flotilla
    from flotilla.local.model.pull import pull as pull_model
    from flotilla.local.model.served import ask_server

    submissions = documents(samples)
    questions = chosen_questions(samples)
    settings = settings_for(data)
    console = out()
    with _step(1, "The embedding model"), download_bar() as progress:
        if settings.embedding_is_remote:
            ask_server(settings)
        else:
            pull_model(settings, progress)
    with _step(2, "The stack"):
        addresses = start(settings, report=print_note)
    with Flotilla(addresses.gateway) as flotilla:
        with _step(3, f"{len(submissions)} documents"):
            results = run(
                flotilla,
                submissions,
                collection="default",
                metadata={},
                password=None,
                wait=True,
            ).documents
            print_results(results)
        if any(result.failed for result in results):
            raise typer.Exit(1)
        with _step(4, f"{len(questions)} questions"):
            for question in questions:
                console.print(Text(f"\n? {question}", style="bold cyan"))
                print_answer(flotilla.ask(question))
    console.rule("Ready", style="green")
    print_addresses(addresses)
    console.print(Text(f'Ask your own:  {_command()} ask "…"'))
    console.print(Text("Stop:          make down"))


def _command() -> str:
    """What to type in this shell: the environment need not be on its PATH."""
    return "flotilla" if shutil.which("flotilla") else relpath(sys.argv[0])


def documents(samples: Path) -> "list[Submission]":
    """The sample documents, without what only explains them."""
    from flotilla.cli.ingest import SUFFIXES
    from flotilla.cli.ingestion import Submission

    files = sorted(samples.iterdir()) if samples.is_dir() else []
    found = [
        Submission(name=file.name, path=file)
        for file in files
        if file.is_file() and file.suffix in SUFFIXES and file.stem.upper() != "README"
    ]
    if not found:
        raise typer.BadParameter(f"there are no sample documents in {samples}")
    return found


def chosen_questions(samples: Path) -> list[str]:
    """The questions of `questions.json` that are marked for the quickstart, else the
    first of each document."""
    try:
        listed = json.loads((samples / "questions.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise typer.BadParameter(f"there is no list of questions in {samples}") from None
    entries = listed["answerable"] if isinstance(listed, dict) else listed
    marked = [entry["question"] for entry in entries if entry.get("quickstart")]
    # The first question of each document shows more than the first questions of one.
    first_of_each: dict[str, str] = {}
    for entry in entries:
        if entry.get("document"):
            first_of_each.setdefault(entry["document"], entry["question"])
    return (marked or list(first_of_each.values()))[:QUESTIONS]


@contextmanager
def _step(number: int, title: str) -> Iterator[None]:
    """A headline before, and the time it took after."""
    from rich.text import Text

    from flotilla.cli.terminal import out

    console = out()
    console.rule(Text(f"{number}  {title}", style="bold"), align="left", style="dim")
    started = time.monotonic()
    yield
    console.print(Text(f"{time.monotonic() - started:.1f} s", style="dim"))
