"""The tools with which an agent looks for evidence, and how what they found is shown to it.

A tool returns a `Finding` beside its text, as plain values. What the agent has been shown is read
from its conversation alone, so that a run which goes on in another process numbers passages the
same way.
"""

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from langchain.tools import ToolRuntime, tool
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool

from flotilla.errors import InvalidRequest, NotFound, WebSearchUnavailable
from flotilla.models import CHUNK_NAMESPACE, Passage, Step, Value
from flotilla.rag.generate import render_passage
from flotilla.rag.graphs.state import Tools
from flotilla.rag.graphs.steps import step_since
from flotilla.rag.untrusted import visible
from flotilla.schemas import DocumentPage

LONGEST_PAGE = 6000
"""Characters of a page that one call reads."""

LONGEST_QUERY = 1000

LONGEST_SHOWN = 48_000
"""Characters of findings that one call of the model is shown: about 12,000 tokens. The newest are
shown in full."""

STEP = "step"
"""What a message's metadata holds the step under that brought it."""

NOTHING = "Nothing was found."


class Finding(Value):
    """What one call of a tool found, and its step in the trace. `told` is what the agent reads
    where there are no passages, or before them."""

    passages: tuple[Passage, ...] = ()
    told: str = ""
    step: Step


Found = tuple[str, dict[str, Any]]
"""A tool's text, and its finding as plain values."""


def _finding(
    runtime: ToolRuntime[Any, Any],
    name: str,
    saw: dict[str, Any],
    look: Callable[[], tuple[list[Passage], str]],
) -> Found:
    """Run `look`, which gives passages and what is told of them, and note what came of it; what the
    agent may put right it is told of."""
    tools: Tools = runtime.context
    began, calls = tools.clock(), len(tools.meter.calls)
    told = ""
    passages: list[Passage] = []
    try:
        passages, told = look()
    except (InvalidRequest, NotFound) as error:
        told = error.message
    except WebSearchUnavailable as error:
        told, saw = error.message, saw | {"away": True}
    saw = saw | {"found": len(passages)} | ({"told": told} if told else {})
    step = step_since(tools, name, began, calls, saw)
    tools.told.complete(steps_of(runtime.state["messages"]))
    tools.told.tell(step, among_others=True)
    if not passages and not told:
        told = NOTHING
    # The text is written anew before each call of the model, with numbers.
    finding = Finding(passages=tuple(passages), told=told, step=step)
    # As plain values: a checkpoint brings a message's parts back as such.
    return told, finding.model_dump(mode="json")


@tool(response_format="content_and_artifact")
def search_documents(query: str, runtime: ToolRuntime[Any, Any]) -> Found:
    """Search the documents for passages on a query, in a few words or as a question."""
    tools: Tools = runtime.context
    asked = " ".join(visible(query).split())[:LONGEST_QUERY]
    of_run = runtime.state["query"].model_copy(update={"question": asked})

    def look() -> tuple[list[Passage], str]:
        if not asked:
            raise InvalidRequest("The query is empty.")
        return tools.retrieve(of_run), ""

    return _finding(runtime, "search_documents", {"searched_for": asked}, look)


@tool(response_format="content_and_artifact")
def read_page(
    document: str, page: int, runtime: ToolRuntime[Any, Any], start: int | None = None
) -> Found:
    """Read a page of a document that a search has found.

    Args:
        document: the document's id, as it stands beside its passages.
        page: the page's number, from 1; 1 for a document without pages.
        start: the character of the document to read from, to go on where a page was cut.
    """
    document, read = visible(document), runtime.context.read_page
    known = {each.document_id: each for each in shown(runtime.state["messages"]) if not each.url}

    def look() -> tuple[list[Passage], str]:
        # What the request's collections and filters leave out is not read by its id either.
        if document not in known or read is None:
            raise InvalidRequest("Read only documents that a search has found.")
        found = read(document, page, start=start, limit=LONGEST_PAGE)
        more = f"; it goes on at start={found.next_start}" if found.next_start is not None else ""
        told = f"Page {found.page} of {found.pages}{more}."
        return [_as_passage(known[document], found)], told

    return _finding(runtime, "read_page", {"document": document, "page": page}, look)


def _as_passage(of_document: Passage, page: DocumentPage) -> Passage:
    """What was read of a page, as a passage of the document that another passage is of; the version
    is the one that was read, which may have taken the other one's place meanwhile."""
    read = f"{page.document_id}/{page.version_id}/page/{page.start}"
    return of_document.model_copy(
        update={
            "chunk_id": str(uuid.uuid5(CHUNK_NAMESPACE, read)),
            "version_id": page.version_id,
            "text": page.text,
            "start": page.start,
            "end": page.end,
            "page_start": page.number,
            "page_end": page.number,
            "heading_path": (),
        }
    )


@tool(response_format="content_and_artifact")
def search_web(query: str, runtime: ToolRuntime[Any, Any]) -> Found:
    """Search the web, for what the documents do not hold."""
    tools: Tools = runtime.context
    asked = " ".join(visible(query).split())[:LONGEST_QUERY]

    def look() -> tuple[list[Passage], str]:
        if not asked or tools.search_web is None:
            raise InvalidRequest("The query is empty.")
        return tools.search_web(asked, tools.meter.remaining_seconds()), ""

    return _finding(runtime, "search_web", {"searched_for": asked}, look)


def tools_for(*, pages: bool, web: bool) -> list[BaseTool]:
    """The agent's tools: those to read pages and to search the web where that is possible."""
    return [search_documents, *([read_page] if pages else []), *([search_web] if web else [])]


def finding_of(message: BaseMessage) -> Finding | None:
    """What a tool found, where the message is one of a tool's."""
    found = message.artifact if isinstance(message, ToolMessage) else None
    return None if found is None else Finding.model_validate(found)


def steps_of(messages: Sequence[BaseMessage]) -> list[Step]:
    """The steps of a conversation in its order: the model's turns, and the tools'."""
    steps = []
    for message in messages:
        finding = finding_of(message)
        if finding is not None:
            steps.append(finding.step)
        elif isinstance(message, AIMessage):
            steps.append(Step.model_validate(message.response_metadata[STEP]))
    return steps


def shown(messages: Sequence[BaseMessage]) -> list[Passage]:
    """The passages of a conversation, each once; the first has the number 1."""
    passages: dict[str, Passage] = {}
    for finding in map(finding_of, messages):
        for passage in finding.passages if finding is not None else ():
            passages.setdefault(passage.chunk_id, passage)
    return list(passages.values())


def numbered(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The conversation as the agent reads it: passages with their numbers, each in full once, and
    the oldest by their numbers alone where all would be too much."""
    numbers: dict[str, int] = {}
    texts = [
        None if (finding := finding_of(message)) is None else _texts(finding, numbers)
        for message in messages
    ]
    left = LONGEST_SHOWN
    written: list[BaseMessage] = []
    for message, text in zip(reversed(messages), reversed(texts), strict=True):
        if text is not None:
            whole, short = text
            shown_text = whole if len(whole) <= left else short
            left -= len(whole)
            message = message.model_copy(update={"content": shown_text})
        written.append(message)
    return written[::-1]


def _texts(finding: Finding, numbers: dict[str, int]) -> tuple[str, str]:
    """A finding as it is shown, in full and in short."""
    parts = [finding.told] if finding.told else []
    again = [numbers[each.chunk_id] for each in finding.passages if each.chunk_id in numbers]
    fresh = []
    for passage in finding.passages:
        if passage.chunk_id not in numbers:
            number = numbers[passage.chunk_id] = len(numbers) + 1
            fresh.append(number)
            parts.append(render_passage(number, passage, ids=True))
    if again:
        parts.append(f"Found again: {_listed(again)}")
    return "\n".join(parts), f"Shown before: {_listed([*fresh, *again])}"


def _listed(numbers: Sequence[int]) -> str:
    return "".join(f"[{number}]" for number in numbers)
