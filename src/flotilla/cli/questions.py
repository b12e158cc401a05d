"""`flotilla ask` and `flotilla search`."""

from contextlib import suppress
from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from flotilla.cli.connection import (
    CollectionsOption,
    DataOption,
    JsonOption,
    UrlOption,
    connect,
    json_object,
)
from flotilla.models import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flotilla.client import AnswerEvent
    from flotilla.models import Answer, Passage

NEAREST = 3
"""Passages that are shown where the documents hold no answer."""

EXCERPT = 280
"""Characters of a passage that are shown."""

QuestionArgument = Annotated[
    str, typer.Argument(metavar="QUESTION", help="The question, in quotes.")
]
TopKOption = Annotated[
    int | None, typer.Option("--top-k", min=1, max=100, help="Passages that are retrieved.")
]
FilterOption = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="JSON",
        help='Conditions on metadata, such as \'{"year": {"gte": 2024}, "kind": ["faq"]}\'.',
    ),
]
RetrievalOption = Annotated[
    str | None,
    typer.Option(
        "--retrieval",
        metavar="STEPS",
        help="Steps of the search that are to be other than the fleet's settings say, such as "
        "fusion=linear,prefetch=100.",
    ),
]


def ask(
    question: QuestionArgument,
    collection: CollectionsOption = None,
    top_k: TopKOption = None,
    filter_: FilterOption = None,
    mode: Annotated[
        Mode | None, typer.Option("--mode", help="How it is answered; the fleet's own way if left.")
    ] = None,
    retrieval: RetrievalOption = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.1, help="Seconds to wait for the answer.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print the answer while it is being written.")
    ] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Print how the answer came about, step by step.")
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Answer a question from the documents, with citations."""
    from flotilla.cli.terminal import print_json
    from flotilla.cli.traces import print_trace

    conditions = json_object(filter_, "--filter")
    steps = retrieval_steps(retrieval)
    with connect(url, data) as flotilla:
        if stream:
            if timeout is not None:
                raise typer.BadParameter("a stream waits for as long as it takes: leave it out")
            print_stream(
                flotilla.stream(
                    question,
                    collections=collection,
                    top_k=top_k,
                    filter=conditions,
                    mode=mode,
                    retrieval=steps,
                ),
                as_json,
                trace,
            )
            return
        answer = flotilla.ask(
            question,
            collections=collection,
            top_k=top_k,
            filter=conditions,
            mode=mode,
            retrieval=steps,
            timeout=timeout,
        )
    if as_json:
        print_json(answer)
    else:
        print_answer(answer)
        if trace:
            print_trace(answer)


def search(
    question: QuestionArgument,
    collection: CollectionsOption = None,
    top_k: TopKOption = None,
    filter_: FilterOption = None,
    retrieval: RetrievalOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Show the passages that retrieval finds, best first."""
    from flotilla.cli.terminal import print_json, print_note

    conditions = json_object(filter_, "--filter")
    steps = retrieval_steps(retrieval)
    with connect(url, data) as flotilla:
        found = flotilla.search(
            question, collections=collection, top_k=top_k, filter=conditions, retrieval=steps
        )
    if as_json:
        print_json(found)
    elif found.passages:
        print_passages(found.passages)
    else:
        print_note("Nothing was found. `flotilla documents` lists what there is.")
    if not as_json:
        for note in found.notes:
            print_note(note)


def retrieval_steps(text: str | None) -> dict[str, str | float] | None:
    """What `--retrieval` says: `name=value` with commas between.

    The gateway knows the names and what their values may be, and says what is wrong with one.

    Raises:
        typer.BadParameter: a part is not of that form, or a name stands in two of them.
    """
    if text is None:
        return None
    steps: dict[str, str | float] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not (name and equals and value):
            raise typer.BadParameter(f"{part!r} is not name=value", param_hint="--retrieval")
        if name in steps:
            raise typer.BadParameter(f"{name} is given twice", param_hint="--retrieval")
        steps[name] = _value(value)
    return steps


def _value(text: str) -> str | float:
    """A number where it is one that JSON knows."""
    for kind in (int, float):
        with suppress(ValueError):
            number = kind(text)
            if isfinite(number):
                return number
    return text


def print_stream(events: "Iterable[AnswerEvent]", as_json: bool, trace: bool = False) -> None:
    """An answer's text as it comes, and its citations behind it; or each event as a line of JSON.

    Text that is taken back stays on the screen; then the whole answer follows on a line of its own.
    """
    import json
    import sys
    from dataclasses import asdict

    from pydantic_core import to_jsonable_python

    from flotilla.cli.traces import print_trace
    from flotilla.client import DoneEvent, TokenEvent

    shown = ""
    for event in events:
        if as_json:
            name = type(event).__name__.removesuffix("Event").lower()
            line = {"event": name, **to_jsonable_python(asdict(event))}
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        elif isinstance(event, TokenEvent) and event.start == len(shown):
            shown += event.text
            sys.stdout.write(event.text)
        elif isinstance(event, DoneEvent):
            sys.stdout.write("\n" if shown else "")
            sys.stdout.flush()
            if shown != event.answer.text:
                print_answer(event.answer)
            elif event.answer.answerable:
                sys.stdout.write("\n")
                sys.stdout.flush()
                print_citations(event.answer)
            else:
                print_nearest(event.answer)
            if trace:
                print_trace(event.answer)
        sys.stdout.flush()


def print_answer(answer: "Answer") -> None:
    """The answer with its numbered citations, or what was found nearby."""
    from rich.text import Text

    from flotilla.cli.terminal import out

    console = out()
    if not answer.answerable:
        console.print(Text(f"No answer: {answer.text}", style="yellow"))
        print_nearest(answer)
        return
    console.print(Text(answer.text))
    console.print()
    print_citations(answer)


def print_nearest(answer: "Answer") -> None:
    """What was found nearby, where the documents hold no answer."""
    from rich.text import Text

    from flotilla.cli.terminal import out

    if answer.passages:
        out().print(Text("\nNearest passages:", style="bold"))
        print_passages(answer.passages[:NEAREST])
    _print_remarks(answer)


def print_citations(answer: "Answer") -> None:
    """What the numbers of an answer stand for, and what has written it."""
    from rich.padding import Padding
    from rich.text import Text

    from flotilla.cli.terminal import out, place

    console = out()
    for citation in answer.citations:
        where = citation.url or place(citation.page_start, citation.page_end, citation.heading_path)
        source = Text(f"[{citation.number}] ", style="cyan")
        source.append(citation.document_name, style="bold")
        source.append(f", {where}" if where else "")
        console.print(source)
        quote = " ".join(citation.quote.split())
        console.print(Padding(Text(f"“{quote}”", style="italic"), (0, 0, 0, 4), expand=False))
    _print_remarks(answer)
    ends = [step.started + step.took for step in answer.trace]
    total = max(ends, default=sum(answer.timings.values()))
    console.print(Text(f"\n{answer.model}, {total:.0f} ms", style="dim"))


def _print_remarks(answer: "Answer") -> None:
    """What nothing bears out, and how the answer came about where that is out of the ordinary."""
    from rich.text import Text

    from flotilla.cli.terminal import out

    for each in answer.unsupported:
        statement = answer.text[each.start : each.end]
        out().print(Text(f"Not borne out: “{statement}” {each.reason}", style="yellow"))
    for note in answer.notes:
        out().print(Text(f"Note: {note}", style="dim"))


def print_passages(passages: "Sequence[Passage]") -> None:
    """Passages as blocks: score, document, place and the beginning of the text."""
    from rich.padding import Padding
    from rich.text import Text

    from flotilla.cli.terminal import out, place

    console = out()
    for number, passage in enumerate(passages, start=1):
        where = passage.url or place(passage.page_start, passage.page_end, passage.heading_path)
        line = Text(f"{number:>2}. ", style="cyan")
        line.append(passage.document_name, style="bold")
        line.append(f", {where}" if where else "")
        line.append(f"  score {passage.score:.3f}", style="dim")
        console.print(line)
        text = " ".join(passage.text.split())
        excerpt = text if len(text) <= EXCERPT else f"{text[:EXCERPT].rsplit(' ', 1)[0]} …"
        console.print(Padding(Text(excerpt), (0, 0, 0, 4), expand=False))
