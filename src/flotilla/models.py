"""The domain's values: frozen, typed, without I/O. HTTP schemas live in the gateway."""

import uuid
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from flotilla.retrieval_steps import Retrieval, RetrievalSteps

# The namespace of chunk ids: fixed for ever, since ids of stored points follow from it.
CHUNK_NAMESPACE = uuid.UUID("6f0b5a3e-43a5-5e0b-9d4c-2f6d1c9e8a17")

Metadata = dict[str, Any]


class Value(BaseModel):
    """A frozen value; unknown fields are an error, so that a typing slip cannot hide."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Heading(Value):
    """A heading inside a page's text.

    `offset` counts characters from the start of the page's text; `level` is 1 for the
    outermost heading.
    """

    offset: int
    level: int
    title: str


class ConverterName(StrEnum):
    """What turns a document into pages."""

    AUTO = "auto"
    """What the rules of `FLOTILLA_DOCUMENT_CONVERTERS` say, else what is usual for the type."""
    PDFIUM = "pdfium"
    """A PDF's own text, and nothing that is only a picture of text."""
    OCR = "ocr"
    """Text recognition on every page, whatever text the file has."""
    LLAMAPARSE = "llamaparse"
    """LlamaParse, a service that the document is sent to."""


class Note(Value):
    """Something that a user should know of how a document was converted, which is no failure.

    `code` is stable; `message` is one sentence; `pages` are those that it is about, from 1, in
    their order, and empty where it is about none or all.
    """

    code: str
    message: str
    pages: tuple[int, ...] = ()


class DataType(StrEnum):
    """What a chunk is made of."""

    TEXT = "text"
    """Running text, lists among it."""
    TABLE = "table_html"
    """Rows of a table: a line each in the text, and as HTML beside it."""
    IMAGE = "image_summary"
    """What a vision model says of a picture."""


Box = tuple[float, float, float, float]
"""Left, top, right and bottom in points (1/72 inch), from a page's upper left corner."""


class Region(Value):
    """A stretch of a page's text that is no running text: a table, or the summary of a picture.

    `start:end` counts characters of the page's text. A table's rows are lines there, its cells
    parted by " | "; `html` is the table as HTML (`table`, `thead`, `tbody`, `tr`, `th`, `td` with
    `colspan` and `rowspan`, and nothing else), and `header_rows` counts the rows of the text that
    are its header. `caption` is what stands beside it as its name; it may be part of the text
    ahead of `start`. `box` says where on the page it is, where the format tells.
    """

    data_type: DataType
    start: int
    end: int
    html: str | None = None
    header_rows: int = 0
    caption: str | None = None
    box: Box | None = None


class Page(Value):
    """One page as a converter yields it.

    `number` counts from 1 and is None for formats that have no pages; such a document is a single
    Page, or several where it is made of parts (sheets, chapters) or is too long to be held. `text`
    is what is shown, quoted and embedded.
    `headings` and `regions` are in the order of the text, and regions do not overlap.
    """

    number: int | None
    text: str
    headings: tuple[Heading, ...] = ()
    regions: tuple[Region, ...] = ()


class Chunk(Value):
    """One passage of a document, as the splitter yields it.

    `text` is verbatim `document_text[start:end]`, where the document's text is its pages'
    texts joined by PAGE_BREAK. `position` counts chunks from 0; `tokens` is counted by the
    embedding model's tokenizer, special tokens excluded. `vector_of` is the id of a chunk of an
    earlier version with the very same text, whose vectors may be taken over. `context` is what is
    embedded ahead of the text and neither shown nor quoted: the document's title, the headings, a
    table's caption and header. `html` and `box` are those of the region that the chunk is of.
    """

    id: str
    document_id: str
    version_id: str
    position: int
    text: str
    start: int
    end: int
    page_start: int | None
    page_end: int | None
    heading_path: tuple[str, ...] = ()
    tokens: int
    vector_of: str | None = None
    data_type: DataType = DataType.TEXT
    context: str = ""
    html: str | None = None
    box: Box | None = None

    @property
    def embedded(self) -> str:
        """What the chunk's vectors are made of."""
        return f"{self.context}\n{self.text}" if self.context else self.text


PAGE_BREAK = "\n\n"


def chunk_id(document_id: str, version_id: str, position: int) -> str:
    """The UUID5 of document, version and position, so that a task that runs twice writes the
    same points twice."""
    return str(uuid.uuid5(CHUNK_NAMESPACE, f"{document_id}/{version_id}/{position}"))


class Query(Value):
    """A question and where to look for its answer.

    `retrieval` is what is asked of the steps of the search; what it leaves open the settings say.
    """

    tenant_id: str
    question: str
    collection_ids: tuple[str, ...]
    top_k: int = 5
    filter: Metadata = Field(default_factory=dict)
    retrieval: Retrieval = Field(default_factory=Retrieval)


class Part(Value):
    """A chunk within a passage that has grown by those around it: where its text stands in the
    document, on which pages and under which headings."""

    chunk_id: str
    start: int
    end: int
    page_start: int | None
    page_end: int | None
    heading_path: tuple[str, ...] = ()


class Passage(Value):
    """A chunk that retrieval found, with where it stands and its score (higher is better).

    `collection` is the collection's id as the vector store has it, and its name from there on.
    Where it has grown by the chunks around it, `parts` are all of them in the document's order,
    `text`, `start`, `end` and the pages are those of them all, and the rest is that of the chunk
    which was found. Between two parts that do not touch there is white space, for which as many
    line ends stand in `text`.
    `url` is the address of a page of the web; such a passage is of no document of Flotilla's, and
    its ids are made from that address. What an agent has read of a page is no stored chunk either:
    its `chunk_id` is made from its version and place, `version_id`, `start` and `end` are those of
    what was read, and `position`, `metadata` and `score` those of a chunk of its document that was
    found.
    """

    chunk_id: str
    document_id: str
    document_name: str
    version_id: str
    collection: str
    position: int
    text: str
    start: int
    end: int
    page_start: int | None
    page_end: int | None
    heading_path: tuple[str, ...] = ()
    metadata: Metadata = Field(default_factory=dict)
    data_type: DataType = DataType.TEXT
    html: str | None = None
    box: Box | None = None
    parts: tuple[Part, ...] = ()
    score: float
    url: str | None = None


class Citation(Value):
    """What a claim rests on: `quote` is verbatim in the chunk at `start:end` of the document.

    `number` is what stands in the answer's text in square brackets. `url` is the address of the
    page where the quote is from the web, and then `start:end` counts in what the search gave of it.
    """

    number: int
    document_id: str
    document_name: str
    chunk_id: str
    page_start: int | None
    page_end: int | None
    heading_path: tuple[str, ...] = ()
    quote: str
    start: int
    end: int
    url: str | None = None


class Mode(StrEnum):
    """Which graph answers a question."""

    SIMPLE = "simple"
    """Retrieve, generate."""
    CRAG = "crag"
    """Classify, retrieve, grade, rewrite and search again where needed, on the web as well;
    generate, verify."""
    REACT = "react"
    """Classify; have a model search and read with tools until it has enough; generate, verify."""


class ModelCall(Value):
    """One call of a language model, with all of its attempts.

    `role` is what it was for (`answer`, `grade`, `rewrite`); `model` the model string that was
    asked; `error` the code of the error where it gave no reply, with the tokens as far as known;
    `took` and `first_token` are milliseconds since the call began, the latter None where the reply
    was not streamed; `cost` is in the currency of the price table, None where that has no price.
    """

    role: str
    model: str
    prompt: str | None = None
    attempts: int = 1
    took: float
    first_token: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    error: str | None = None


class Step(Value):
    """One step of a run: `started` and `took` are milliseconds, the former since the run began;
    `saw` says what it worked on and what came of it, in numbers and short texts."""

    name: str
    started: float
    took: float
    saw: dict[str, Any] = Field(default_factory=dict)
    calls: tuple[ModelCall, ...] = ()


class Usage(Value):
    """What the model calls of a run took, all together. `cost` is None where a price is missing."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None


class Unsupported(Value):
    """A stretch of an answer's text, `text[start:end]`, that no passage bears out, and why."""

    start: int
    end: int
    reason: str


class CacheOutcome(StrEnum):
    """What came of a look into a cache."""

    HIT = "hit"
    MISS = "miss"
    BYPASS = "bypass"
    """The request asked not to look."""
    OFF = "off"
    """The cache is switched off, is not for this request, or does not answer."""


class Cached(Value):
    """What each cache had for a question.

    `retrieval` and `embedding` are `off` where nobody had to look, since the answer was there.
    `age` is in seconds, of what answered. Where that is the answer to an earlier question which
    means the same, `question` is that one and `cosine` says how near the two are.
    """

    answer: CacheOutcome = CacheOutcome.OFF
    semantic: CacheOutcome = CacheOutcome.OFF
    retrieval: CacheOutcome = CacheOutcome.OFF
    embedding: CacheOutcome = CacheOutcome.OFF
    age: float | None = None
    question: str | None = None
    cosine: float | None = None


class Answer(Value):
    """An answer with numbered citations, or the statement that the documents hold none.

    `passages` are the nearest that retrieval found, best first; `model` names what wrote the
    text (`extractive` where no language model was used); `timings` are milliseconds. `notes` are
    sentences that a reader should know of how it came about (a mode that fell back, a budget that
    was spent); `fallback_used` names what stood in for the configured model, None where nothing
    had to. `cached` says what came out of a cache.
    """

    question: str
    text: str
    answerable: bool
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    model: str
    mode: Mode = Mode.SIMPLE
    unsupported: tuple[Unsupported, ...] = ()
    notes: tuple[str, ...] = ()
    fallback_used: str | None = None
    trace: tuple[Step, ...] = ()
    usage: Usage = Field(default_factory=Usage)
    timings: dict[str, float] = Field(default_factory=dict)
    cached: Cached = Field(default_factory=Cached)


class Found(Value):
    """What retrieval alone finds for a question, best first.

    `timings` are milliseconds: `retrieve` of it all, and beside it the steps that it was made of.
    `retrieval` says which steps these were; `notes` are sentences that a reader should know of how
    it came about.
    """

    question: str
    passages: tuple[Passage, ...]
    retrieval: RetrievalSteps | None = None
    notes: tuple[str, ...] = ()
    timings: dict[str, float] = Field(default_factory=dict)
    cached: Cached = Field(default_factory=Cached)


class Turn(Value):
    """A question of a conversation and its answer, two messages that are written together.

    `id` is that of the assistant's message and of the turn's point; `number` counts the
    conversation's turns from 1. `standalone` is the question as it was searched for; `tokens` are
    those of standalone question and answer.
    """

    id: str
    question_id: str
    conversation_id: str
    number: int
    question: str
    standalone: str
    answer: str
    answerable: bool
    tokens: int


class ChatContextUsed(Value):
    """What the context of a chat's answer was drawn from.

    Tokens are counted by the embedding model's tokenizer. `messages` are the ids of the
    assistant's messages of the turns that were drawn, in the order in which they stand in the
    context; of these, `recalled` turns were found by their meaning, and the others came just
    before. `rewritten` says why the question was made to stand alone, None where it was left as
    it was.
    """

    budget_tokens: int
    document_share: float
    passages: int = 0
    passage_tokens: int = 0
    turns: int = 0
    turn_tokens: int = 0
    recalled: int = 0
    messages: tuple[str, ...] = ()
    rewritten: str | None = None


class ChatAnswer(Answer):
    """The answer to one turn of a conversation. `standalone_question` is what was searched for."""

    conversation_id: str
    standalone_question: str
    chat_context_used: ChatContextUsed
