"""`flotilla chat`: questions that follow up on one another."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flotilla.cli.connection import (
    CollectionsOption,
    DataOption,
    JsonOption,
    UrlOption,
    connect,
    json_object,
)
from flotilla.cli.problems import UsageMistake, told
from flotilla.cli.questions import FilterOption, RetrievalOption, TopKOption, retrieval_steps
from flotilla.models import Mode

if TYPE_CHECKING:
    from flotilla.client import Flotilla
    from flotilla.schemas import ChatResponse

PROMPT = "> "

UserOption = Annotated[
    str | None,
    typer.Option("--user", metavar="NAME", help="Whose conversation it is; `default` if left."),
]


def chat(
    message: Annotated[
        str | None,
        typer.Argument(
            metavar="MESSAGE", help="What to say, in quotes; left out, you are asked for it."
        ),
    ] = None,
    conversation: Annotated[
        str | None,
        typer.Option("--conversation", metavar="ID", help="Go on with this one; else a new one."),
    ] = None,
    collection: CollectionsOption = None,
    top_k: TopKOption = None,
    filter_: FilterOption = None,
    mode: Annotated[
        Mode | None, typer.Option("--mode", help="How it is answered; the fleet's own way if left.")
    ] = None,
    retrieval: RetrievalOption = None,
    user: UserOption = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Print how each answer came about, step by step.")
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Talk to the documents: questions may follow up on earlier ones.

    With a MESSAGE one turn is answered. Without one you are asked for the next until Ctrl-D;
    Ctrl-C while an answer is written cancels that answer alone.
    """
    from flotilla.cli.terminal import print_note
    from flotilla.cli.turns import Turn

    if message is None and as_json:
        raise UsageMistake("--json is for one turn: give the MESSAGE with the command.")
    if message is None and not sys.stdin.isatty():
        raise UsageMistake("There is no terminal to talk at: give the MESSAGE with the command.")
    asked: dict[str, Any] = {
        "conversation_id": conversation,
        "collections": collection,
        "top_k": top_k,
        "filter": json_object(filter_, "--filter"),
        "mode": mode,
        "retrieval": retrieval_steps(retrieval),
    } | ({"user": user} if user is not None else {})
    options = _options(collection, top_k, filter_, mode, retrieval, user, url, data)
    with connect(url, data) as flotilla:
        if message is None:
            _talk(flotilla, asked, options, trace)
            return
        turn = Turn(flotilla, asked | {"question": message})
        try:
            turn.show(as_json=as_json, trace=trace)
        except KeyboardInterrupt:
            if turn.answer is None:
                print_note("\nThe answer is cancelled; nothing of it is kept.")
            raise
        if turn.answer is not None and not as_json:
            _print_read_as(turn.answer)
            _print_way_on(turn.answer.conversation_id, options, '"…"')


def _talk(flotilla: "Flotilla", asked: dict[str, Any], options: list[str], trace: bool) -> None:
    """Ask for the next message and answer it, until the end of the input."""
    from flotilla.cli.terminal import print_error, print_note
    from flotilla.cli.turns import Turn
    from flotilla.client import ClientError

    _begin(flotilla, asked)
    while True:
        message = _next_message()
        if message is None:
            break
        if not message.strip():
            continue
        turn = Turn(flotilla, asked | {"question": message})
        try:
            turn.show(trace=trace)
        except KeyboardInterrupt:
            print_note("\nThis answer is cancelled. Ctrl-D ends the conversation.")
        except ClientError as error:
            print_error(told(error))
        if turn.answer is not None:
            asked["conversation_id"] = turn.answer.conversation_id
            _print_read_as(turn.answer)
        sys.stdout.write("\n")
    if asked["conversation_id"] is not None:
        _print_way_on(asked["conversation_id"], options)


def _begin(flotilla: "Flotilla", asked: dict[str, Any]) -> None:
    """Say how to talk, and with which conversation it goes on.

    Raises:
        FlotillaAPIError: the user has no such conversation.
    """
    from contextlib import suppress

    from flotilla.cli.terminal import print_note

    with suppress(ImportError):
        import readline  # noqa: F401 - lines can be edited, and earlier ones fetched again
    if asked["conversation_id"] is not None:
        user = {"user": asked["user"]} if "user" in asked else {}
        known = flotilla.conversation(asked["conversation_id"], limit=1, **user)
        print_note(f"“{known.title}” goes on, with {known.message_count} messages so far.")
    print_note("Ask something. Ctrl-C cancels an answer, Ctrl-D ends.")


def _next_message() -> str | None:
    """What is said next; None at the end of the input. Ctrl-C drops the line."""
    while True:
        try:
            return input(PROMPT)
        except EOFError:
            sys.stdout.write("\n")
            return None
        except KeyboardInterrupt:
            sys.stdout.write("\n")


def _print_read_as(answer: "ChatResponse") -> None:
    """What a follow-up was taken to ask, where that is not what was said."""
    from rich.text import Text

    from flotilla.cli.terminal import out

    if answer.chat_context_used.rewritten is not None:
        out().print(Text(f"read as: {answer.standalone_question}", style="dim"))


def _print_way_on(conversation_id: str, options: list[str], message: str = "") -> None:
    """The conversation's id, and the command that goes on with it."""
    from shlex import join

    from rich.text import Text

    from flotilla.cli.terminal import out

    parts = ["flotilla chat", message, join(["--conversation", conversation_id, *options])]
    command = " ".join(part for part in parts if part)
    out().print(Text(f"conversation {conversation_id}", style="dim"))
    out().print(Text(f"go on with: {command}", style="dim"), soft_wrap=True)


def _options(
    collections: list[str] | None,
    top_k: int | None,
    filter_: str | None,
    mode: Mode | None,
    retrieval: str | None,
    user: str | None,
    url: str | None,
    data: Any,
) -> list[str]:
    """The options that the next turn needs to be asked in the same way."""
    given: list[tuple[str, object]] = [
        *(("-c", name) for name in collections or ()),
        ("--top-k", top_k),
        ("--filter", filter_),
        ("--mode", mode),
        ("--retrieval", retrieval),
        ("--user", user),
        ("--url", url),
        ("--data", data),
    ]
    return [str(part) for name, value in given if value is not None for part in (name, value)]
