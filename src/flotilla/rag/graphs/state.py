"""What a run carries from node to node, and what its nodes work with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import add
from typing import Annotated, Protocol, TypedDict

from flotilla.answer_streams import Listener
from flotilla.models import Answer, ChatContextUsed, Passage, Query, Step, Turn, Unsupported
from flotilla.rag.generate import Draft, Generator
from flotilla.rag.llm.meter import Meter
from flotilla.rag.llm.models import Models
from flotilla.rag.recital import ToldSteps
from flotilla.rag.web import SearchWeb
from flotilla.rag.whole_tables import WholeTables
from flotilla.rag.wordings import Reword
from flotilla.schemas import DocumentPage


class State(TypedDict, total=False):
    """One run over one question.

    `passages` are what the answer is written from, the best first; `found` what searches have
    brought that a grader set aside or never saw; `tables` are those that were read as a whole;
    `wording` is what the next search asks for in
    place of the question. `searched_web` is there once the web was searched. Where the question is
    of a conversation, `turns` are earlier ones that the answer may refer to, `used` says what both
    were drawn from, `rewritten` why it was made to stand alone, and `own` the question without the
    words that were brought to it from earlier ones. `steps` and `notes` grow with
    each node.
    """

    query: Query
    rewritten: str | None
    own: str | None
    turns: list[Turn]
    used: ChatContextUsed
    wording: str
    searches: int
    searched_web: bool
    small_talk: str
    passages: list[Passage]
    tables: WholeTables
    found: list[Passage]
    draft: Draft
    unsupported: list[Unsupported]
    fallback: str
    notes: Annotated[list[str], add]
    steps: Annotated[list[Step], add]


class Retrieve(Protocol):
    """Finds the passages for a query, the best first; `reword` gives other wordings of it that are
    searched for as well."""

    def __call__(self, query: Query, /, reword: Reword | None = None) -> list[Passage]: ...


class ReadTables(Protocol):
    """Reads the tables as a whole of which a search has found rows."""

    def __call__(self, query: Query, found: Sequence[Passage], /) -> WholeTables: ...


class Within(Protocol):
    """Chooses from what was found what fits the context: the state's `passages`, and what goes
    with them."""

    def __call__(self, found: list[Passage], /) -> State: ...


class ReadPage(Protocol):
    """Reads a page of a document, counted from 1; `start` is the character of the document's text
    to begin at, `limit` the most characters.

    Raises:
        NotFound: there is no such page.
        InvalidRequest: nothing of the page stands behind `start`.
    """

    def __call__(
        self, document_id: str, page: int, /, *, start: int | None, limit: int
    ) -> DocumentPage: ...


@dataclass(frozen=True)
class Tools:
    """What the nodes of one run work with.

    `models` is None where no language model is configured. `writer` writes the answer, `spare`
    does it without a model. `checkpoint` is called before what costs money, and what it raises
    ends the run; `within` chooses from what was found what fits the context. `earlier` gives an
    answer to the same question that the documents still bear out, and its age in seconds.
    `read_page` and `search_web` are None where there is nothing to read or the web is not searched.
    `listener` is told of the answer as it comes, and through `told` of the steps. `clock` gives the
    seconds since the run began. `rewrites` and `agent_calls` bound how often a question is put
    otherwise, and an agent's model is called.
    """

    retrieve: Retrieve
    read_tables: ReadTables | None
    read_page: ReadPage | None
    search_web: SearchWeb | None
    writer: Generator
    spare: Generator
    models: Models | None
    meter: Meter
    checkpoint: Callable[[], None]
    within: Within
    earlier: Callable[[], tuple[Answer, float] | None]
    listener: Listener
    told: ToldSteps
    clock: Callable[[], float]
    rewrites: int
    agent_calls: int
