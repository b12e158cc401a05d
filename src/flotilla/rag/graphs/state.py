"""What a run carries from node to node, and what its nodes work with."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import add
from typing import Annotated, Protocol, TypedDict

from flotilla.models import Passage, Query, Step, Unsupported
from flotilla.rag.generate import Draft, Generator
from flotilla.rag.llm.meter import Meter
from flotilla.rag.llm.models import Models


class State(TypedDict, total=False):
    """One run over one question.

    `passages` are what the answer is written from, the best first; `found` what searches have
    brought that a grader set aside or never saw; `wording` is what the next search asks for in
    place of the question. `steps` and `notes` grow with each node.
    """

    query: Query
    wording: str
    searches: int
    small_talk: str
    passages: list[Passage]
    found: list[Passage]
    draft: Draft
    unsupported: list[Unsupported]
    fallback: str
    notes: Annotated[list[str], add]
    steps: Annotated[list[Step], add]


class Retrieve(Protocol):
    """Finds the passages for a query, the best first."""

    def __call__(self, query: Query, /) -> list[Passage]: ...


@dataclass(frozen=True)
class Tools:
    """What the nodes of one run work with.

    `models` is None where no language model is configured. `writer` writes the answer, `spare`
    does it without a model. `checkpoint` is called before what costs money, and what it raises
    ends the run; `within` chooses from what was found what fits the context. `clock` gives the
    seconds since the run began.
    """

    retrieve: Retrieve
    writer: Generator
    spare: Generator
    models: Models | None
    meter: Meter
    checkpoint: Callable[[], None]
    within: Callable[[list[Passage]], list[Passage]]
    clock: Callable[[], float]
    rewrites: int
