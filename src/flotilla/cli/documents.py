"""`flotilla documents`: what there is to be asked."""

from itertools import islice
from typing import Annotated

import typer

from flotilla.cli.connection import DataOption, JsonOption, UrlOption, connect
from flotilla.cli.deletion import YesOption, confirm
from flotilla.cli.groups import ListsByDefault
from flotilla.cli.submitted import LimitOption, NoWaitOption, see_through

app = typer.Typer(cls=ListsByDefault, help="List, show, re-index and delete documents.")

DocumentArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the document.")]


@app.command("list")
def list_documents(
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Only documents of this collection.")
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only documents of this status, such as ready.")
    ] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """List documents, newest first."""
    from flotilla.cli.terminal import print_listing

    with connect(url, data) as flotilla:
        pages = flotilla.documents(collection=collection, status=status, limit=min(limit, 100))
        print_listing(
            islice(pages, limit),
            as_json,
            headers=("document", "name", "collection", "status", "pages#", "chunks#"),
            row=lambda d: (d.document_id, d.name, d.collection, d.status, d.pages, d.chunks),
            empty="There are no such documents. `flotilla ingest PATH` adds some.",
        )


@app.command("show")
def show_document(
    document_id: DocumentArgument,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Show one document."""
    from flotilla.cli.task_display import note_line
    from flotilla.cli.terminal import byte_size, print_fields, print_json

    with connect(url, data) as flotilla:
        document = flotilla.document(document_id)
    if as_json:
        print_json(document)
        return
    print_fields(
        [
            ("document", document.document_id),
            ("name", document.name),
            ("title", document.title),
            ("collection", document.collection),
            ("status", document.status),
            ("error", document.error.message if document.error else None),
            ("type", document.content_type),
            ("size", byte_size(document.size)),
            ("sha256", document.sha256),
            ("source", document.source_url),
            ("pages", document.pages),
            ("converter", document.converter),
            ("chunks", document.chunks),
            ("version", document.version),
            ("metadata", document.metadata),
            ("task", document.task_id),
            ("created", document.created_at),
            ("updated", document.updated_at),
            *(
                ("notes" if number == 0 else "", note_line(note))
                for number, note in enumerate(document.notes)
            ),
        ]
    )


@app.command("chunks")
def show_chunks(
    document_id: DocumentArgument,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Show the chunks that a document was split into."""
    from rich.padding import Padding
    from rich.text import Text

    from flotilla.cli.terminal import out, place, print_json, print_note

    with connect(url, data) as flotilla:
        found = list(islice(flotilla.chunks(document_id, limit=min(limit, 100)), limit))
    if as_json:
        print_json(found)
        return
    if not found:
        print_note("The document has no chunks.")
    console = out()
    for chunk in found:
        line = Text(f"#{chunk.position}", style="cyan")
        where = place(chunk.page_start, chunk.page_end, chunk.heading_path)
        line.append(f"  {where}  {chunk.tokens} tokens", style="dim")
        console.print(line)
        console.print(Padding(Text(chunk.text), (0, 0, 1, 4), expand=False))


@app.command("page")
def show_page(
    document_id: DocumentArgument,
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="Which page, from 1.")] = 1,
    start: Annotated[
        int | None,
        typer.Option("--start", min=0, help="Offset in the document's text to read from."),
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Show a page's text, in which citations can be checked."""
    from rich.text import Text

    from flotilla.cli.terminal import out, print_json, print_note

    with connect(url, data) as flotilla:
        found = flotilla.page(document_id, number, start=start)
    if as_json:
        print_json(found)
        return
    print_note(f"page {found.page} of {found.pages}, from character {found.start} on")
    out().print(Text(found.text), soft_wrap=True)
    if found.next_start is not None:
        print_note(f"The page goes on: --start {found.next_start}")


@app.command("reindex")
def reindex_document(
    document_id: DocumentArgument,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Embed a document's chunks anew; it goes on answering meanwhile."""
    with connect(url, data) as flotilla:
        accepted = flotilla.reindex_document(document_id)
        what = f"Document {document_id}"
        see_through(flotilla, accepted, what, "re-indexed", no_wait=no_wait, as_json=as_json)


@app.command("delete")
def delete_document(
    document_id: DocumentArgument,
    yes: YesOption = False,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Delete a document; it stops answering at once."""
    confirm(f"Delete document {document_id}?", yes)
    with connect(url, data) as flotilla:
        accepted = flotilla.delete_document(document_id)
        what = f"Document {document_id}"
        see_through(flotilla, accepted, what, "deleted", no_wait=no_wait, as_json=as_json)
