"""`flotilla conversations`: what was said."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flotilla.cli.chat import UserOption
from flotilla.cli.connection import DataOption, JsonOption, UrlOption, connect
from flotilla.cli.deletion import YesOption, confirm
from flotilla.cli.groups import ListsByDefault
from flotilla.cli.submitted import LimitOption, NoWaitOption, see_through

if TYPE_CHECKING:
    from flotilla.client import Flotilla
    from flotilla.schemas import ConversationMessages, Message

app = typer.Typer(cls=ListsByDefault, help="List, read, rename and delete conversations.")

ConversationArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the conversation.")]


@app.command("list")
def list_conversations(
    user: UserOption = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """List conversations, the one that was talked in last first."""
    from flotilla.cli.terminal import print_listing

    with connect(url, data) as flotilla:
        found = flotilla.conversations(limit=min(limit, 100), **_of(user))
        print_listing(
            islice(found, limit),
            as_json,
            headers=("conversation", "title", "messages#", "updated"),
            row=lambda c: (c.conversation_id, c.title, c.message_count, c.updated_at),
            empty="There are no conversations. `flotilla chat` begins one.",
        )


@app.command("show")
def show_conversation(
    conversation_id: ConversationArgument,
    user: UserOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Show what was said in a conversation, the oldest message first."""
    from flotilla.cli.terminal import print_json

    with connect(url, data) as flotilla:
        conversation = _read(flotilla, conversation_id, user)
    if as_json:
        print_json(conversation)
    else:
        print_messages(conversation)


@app.command("rename")
def rename_conversation(
    conversation_id: ConversationArgument,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="Its new title, in quotes.")],
    user: UserOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Give a conversation another title."""
    from flotilla.cli.terminal import print_json, print_note

    with connect(url, data) as flotilla:
        renamed = flotilla.rename_conversation(conversation_id, title, **_of(user))
    if as_json:
        print_json(renamed)
    else:
        print_note(f"Conversation {conversation_id} is called “{renamed.title}”.")


@app.command("delete")
def delete_conversation(
    conversation_id: ConversationArgument,
    user: UserOption = None,
    yes: YesOption = False,
    no_wait: NoWaitOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Delete a conversation with all that is remembered of it."""
    confirm(f"Delete conversation {conversation_id} with all its messages?", yes)
    with connect(url, data) as flotilla:
        accepted = flotilla.delete_conversation(conversation_id, **_of(user))
        what = f"Conversation {conversation_id}"
        see_through(flotilla, accepted, what, "deleted", no_wait=no_wait, as_json=as_json)


def _of(user: str | None) -> dict[str, Any]:
    return {"user": user} if user is not None else {}


def _read(flotilla: "Flotilla", conversation_id: str, user: str | None) -> "ConversationMessages":
    """The conversation with all its messages."""
    part = flotilla.conversation(conversation_id, **_of(user))
    messages = list(part.messages)
    while part.next_cursor is not None:
        part = flotilla.conversation(conversation_id, cursor=part.next_cursor, **_of(user))
        messages += part.messages
    return part.model_copy(update={"messages": messages, "next_cursor": None})


def print_messages(conversation: "ConversationMessages") -> None:
    """The title, and each message with where its answer stands."""
    from rich.text import Text

    from flotilla.cli.terminal import out

    console = out()
    console.print(Text(conversation.title, style="bold"))
    for message in conversation.messages:
        if message.role == "user":
            console.print()
            console.print(Text(f"> {message.text}", style="bold"))
            continue
        style = "yellow" if message.answerable is False else ""
        console.print(Text(message.text, style=style))
        _print_sources(message)


def _print_sources(message: "Message") -> None:
    from rich.text import Text

    from flotilla.cli.terminal import out, place

    for citation in message.citations or ():
        where = citation.url or place(citation.page_start, citation.page_end, citation.heading_path)
        source = Text(f"[{citation.number}] ", style="cyan")
        source.append(citation.document_name)
        source.append(f", {where}" if where else "")
        out().print(source)
