"""`flotilla sweep`: remove what nobody needs, and mend what is incomplete."""

from typing import TYPE_CHECKING, Annotated

import typer

from flotilla.cli.connection import DataOption, JsonOption, UrlOption, connect

if TYPE_CHECKING:
    from flotilla.schemas.sweeps import SweepReport


def sweep(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report only, and change nothing.")
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Remove points and blobs without documents, and index anew what lacks points."""
    from flotilla.cli.terminal import print_error, print_json
    from flotilla.client.maintenance import sweep as operation
    from flotilla.schemas.sweeps import SweepReport

    with connect(url, data) as flotilla:
        accepted = flotilla.send(operation(dry_run=dry_run))
        task = flotilla.wait(accepted.task_id)
    if as_json:
        print_json(task)
    if task.status != "completed":
        print_error(task.error.message if task.error else f"The sweep is {task.status}.")
        raise typer.Exit(1)
    if not as_json:
        print_report(SweepReport.model_validate(task.result))


def print_report(report: "SweepReport") -> None:
    """The report, a line for each kind of finding."""
    from flotilla.cli.terminal import byte_size, print_fields, print_note

    points, documents, blobs = report.points, report.documents, report.blobs
    removed = "found" if report.dry_run else "removed"
    mended = "found" if report.dry_run else "being indexed anew"
    size = byte_size(blobs.orphaned_bytes) or "0 B"
    fields: list[tuple[str, object]] = [
        ("points", f"{points.looked_at:,} looked at, {points.orphaned:,} orphaned ones {removed}"),
        (
            "documents",
            f"{documents.looked_at:,} looked at, {documents.incomplete:,} incomplete ones {mended}",
        ),
        (
            "blobs",
            f"{blobs.versions_looked_at:,} versions looked at, {blobs.orphaned:,} orphaned blobs "
            f"({size}) {removed}",
        ),
        ("left deletions", blobs.deleted_documents or None),
        ("foreign points", points.foreign or None),
        ("foreign versions", blobs.foreign_versions or None),
    ]
    print_fields(fields)
    for document in documents.listed:
        task = f", task {document.task_id}" if document.task_id else ""
        print_note(
            f"Document {document.document_id} has {document.points:,} points for "
            f"{document.chunks:,} chunks{task}."
        )
    if report.dry_run:
        print_note("Nothing was changed: leave --dry-run out to have it mended.")
