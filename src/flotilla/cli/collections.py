"""`flotilla collections`: named sets of documents."""

from typing import TYPE_CHECKING, Annotated

import typer

from flotilla.cli.connection import DataOption, JsonOption, UrlOption, connect
from flotilla.cli.deletion import YesOption, confirm
from flotilla.cli.groups import ListsByDefault
from flotilla.cli.submitted import NoWaitOption, see_through

if TYPE_CHECKING:
    from flotilla.schemas import Collection

app = typer.Typer(cls=ListsByDefault, help="List, create, re-index and delete collections.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the collection.")]


@app.command("list")
def list_collections(
    as_json: JsonOption = False, url: UrlOption = None, data: DataOption = None
) -> None:
    """List the collections."""
    from flotilla.cli.terminal import print_listing

    with connect(url, data) as flotilla:
        print_listing(
            flotilla.collections(),
            as_json,
            headers=("name", "documents#", "chunks#", "created", "description"),
            row=lambda c: (c.name, c.documents, c.chunks, c.created_at, c.description),
            empty="There are no collections. `flotilla collections create NAME` makes one.",
        )


@app.command("create")
def create_collection(
    name: NameArgument,
    description: Annotated[
        str | None, typer.Option("--description", help="What it is for.")
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Create a collection."""
    with connect(url, data) as flotilla:
        print_collection(flotilla.create_collection(name, description=description), as_json)


@app.command("show")
def show_collection(
    name: NameArgument, as_json: JsonOption = False, url: UrlOption = None, data: DataOption = None
) -> None:
    """Show one collection."""
    with connect(url, data) as flotilla:
        print_collection(flotilla.collection(name), as_json)


@app.command("reindex")
def reindex_collection(
    name: NameArgument,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Embed all chunks of a collection anew; it goes on answering meanwhile."""
    with connect(url, data) as flotilla:
        accepted = flotilla.reindex_collection(name)
        what = f"Collection {name}"
        see_through(flotilla, accepted, what, "re-indexed", no_wait=no_wait, as_json=as_json)


@app.command("delete")
def delete_collection(
    name: NameArgument,
    yes: YesOption = False,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Delete a collection with all its documents."""
    confirm(f"Delete collection {name} with all its documents?", yes)
    with connect(url, data) as flotilla:
        accepted = flotilla.delete_collection(name)
        what = f"Collection {name}"
        see_through(flotilla, accepted, what, "deleted", no_wait=no_wait, as_json=as_json)


def print_collection(collection: "Collection", as_json: bool) -> None:
    """One collection with all its fields."""
    from flotilla.cli.terminal import print_fields, print_json

    if as_json:
        print_json(collection)
        return
    print_fields(
        [
            ("name", collection.name),
            ("description", collection.description),
            ("documents", collection.documents),
            ("chunks", collection.chunks),
            ("created", collection.created_at),
        ]
    )
