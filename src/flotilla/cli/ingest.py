"""`flotilla ingest`: files, folders and web addresses become documents."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flotilla.cli.connection import DataOption, JsonOption, UrlOption, connect, json_object
from flotilla.cli.submitted import NoWaitOption

if TYPE_CHECKING:
    from flotilla.cli.ingestion import Ingested, Submission

SUFFIXES = frozenset(
    {
        *(".pdf", ".docx", ".docm", ".pptx", ".pptm", ".ppsx", ".xlsx", ".xlsm", ".epub"),
        *(".html", ".htm", ".xhtml", ".md", ".markdown", ".txt", ".eml", ".csv", ".tsv"),
    }
)
"""What is taken from a folder; a file that is named itself is always sent."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

SHOWN_SKIPPED = 10
"""Skipped files that are named before the rest is counted."""


def ingest(
    sources: Annotated[
        list[str], typer.Argument(metavar="PATH|URL", help="Files, folders and web addresses.")
    ],
    collection: Annotated[
        str, typer.Option("--collection", "-c", metavar="NAME", help="Where they go.")
    ] = "default",
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata", "-m", metavar="KEY=VALUE", help="May be repeated: year=2024, kind=faq."
        ),
    ] = None,
    metadata_json: Annotated[
        str | None, typer.Option("--metadata-json", metavar="JSON", help="Metadata as an object.")
    ] = None,
    password: Annotated[
        str | None, typer.Option("--password", help="Opens encrypted files.")
    ] = None,
    converter: Annotated[
        str | None,
        typer.Option(
            "--converter",
            metavar="NAME",
            help="What reads them: auto, pdfium, ocr or llamaparse.",
        ),
    ] = None,
    no_wait: NoWaitOption = False,
    cancel_on_interrupt: Annotated[
        bool,
        typer.Option(
            "--cancel-on-interrupt", help="Cancel what was sent when Ctrl-C ends the command."
        ),
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Ingest files, folders and web addresses; exit code 1 if any of them fails."""
    from flotilla.cli.ingestion import Interrupted, run
    from flotilla.cli.terminal import print_json, print_note

    attributes = json_object(metadata_json, "--metadata-json") | parse_pairs(metadata or [])
    submissions, skipped = collect(sources)
    for path in skipped[:SHOWN_SKIPPED]:
        reason = "not of a type that is read from folders" if _is_file(path) else "no file"
        print_note(f"skipped {path}: {reason}")
    if len(skipped) > SHOWN_SKIPPED:
        print_note(f"skipped {len(skipped) - SHOWN_SKIPPED} more")
    try:
        # Closing the client ends what its threads still wait for.
        with connect(url, data) as flotilla:
            ingestion = run(
                flotilla,
                submissions,
                collection=collection,
                metadata=attributes,
                password=password,
                converter=converter,
                batch_name=batch_name(sources),
                wait=not no_wait,
                cancel_on_interrupt=cancel_on_interrupt,
            )
    except Interrupted as interrupted:
        print_note(interrupted.message)
        raise typer.Exit(INTERRUPTED) from None
    except KeyboardInterrupt:
        print_note("Interrupted before anything was sent.")
        raise typer.Exit(INTERRUPTED) from None
    results = ingestion.documents
    if as_json:
        paths = [str(path) for path in skipped]
        batch_id = ingestion.batch_ids[-1] if ingestion.batch_ids else None
        earlier = ingestion.batch_ids[:-1]
        print_json(
            {
                "documents": results,
                "skipped": paths,
                "batch_id": batch_id,
                "earlier_batch_ids": earlier,
            }
        )
    else:
        print_results(results)
        for batch_id in ingestion.batch_ids:
            whole = "All of it" if len(ingestion.batch_ids) == 1 else "A part of it"
            print_note(f"{whole}: `flotilla tasks show {batch_id}`.")
    if any(result.failed for result in results):
        raise typer.Exit(1)


def batch_name(sources: Sequence[str]) -> str | None:
    """What a batch of these is called: as its only folder."""
    if len(sources) != 1 or not Path(sources[0]).is_dir():
        return None
    return Path(sources[0]).resolve().name[:255] or None


def parse_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `year=2024`, `kind=faq`: numbers, true, false and null as JSON has them, else text.

    Raises:
        typer.BadParameter: a pair has no `=`.
    """
    attributes: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not key:
            raise typer.BadParameter(
                f"{pair!r} is not of the form KEY=VALUE", param_hint="--metadata"
            )
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        attributes[key] = text if isinstance(value, (dict, list)) else value
    return attributes


def collect(sources: Sequence[str]) -> "tuple[list[Submission], list[Path]]":
    """What is to be sent, and the files of folders that are not.

    A file in a folder is named by its path below that folder, so that two of the same name
    stay two documents.

    Raises:
        typer.BadParameter: there is no such file or folder, or nothing to send in it.
    """
    from flotilla.cli.ingestion import Submission

    found: dict[str, Submission] = {}
    skipped: list[Path] = []
    for source in sources:
        if source.startswith(("http://", "https://")):
            found.setdefault(source, Submission(name=source, url=source))
            continue
        path = Path(source).expanduser()
        if path.is_dir():
            for file in walk(path):
                if file.suffix.lower() in SUFFIXES and _is_file(file):
                    name = file.relative_to(path).as_posix()
                    found.setdefault(str(file), Submission(name=name, path=file))
                else:
                    skipped.append(file)
        elif _is_file(path):
            found.setdefault(str(path), Submission(name=path.name, path=path))
        else:
            raise typer.BadParameter(f"there is no file or folder {source!r}", param_hint="PATH")
    if not found:
        raise typer.BadParameter(
            f"nothing to ingest there: of folders, {', '.join(sorted(SUFFIXES))} are taken",
            param_hint="PATH",
        )
    return list(found.values()), skipped


def _is_file(path: Path) -> bool:
    """Whether there are bytes to send: not where a link leads nowhere, nor in a pipe."""
    try:
        return path.is_file()
    except OSError:  # a link into a folder that may not be read
        return False


def walk(folder: Path) -> Iterator[Path]:
    """The files below a folder in order, without hidden files and folders."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(parent) / name


def print_results(results: "Sequence[Ingested]") -> None:
    """The summary: one line a document, then the reasons of the failed ones."""
    from flotilla.cli.terminal import print_error, print_note, print_table

    print_table(
        ("name", "status", "pages#", "chunks#", "seconds#"),
        (
            (
                result.name,
                result.status,
                result.pages,
                result.chunks,
                None if result.seconds is None else f"{result.seconds:.1f}",
            )
            for result in results
        ),
        empty="Nothing was sent.",
    )
    for result in results:
        if result.failed:
            print_error(f"{result.name}: {result.error}")
        for note in result.notes:
            print_note(f"{result.name}: {note}")
