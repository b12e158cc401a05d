"""Runs of the graphs over given passages, with the real client of a local model server."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from flotilla.answer_streams import UNHEARD, Listener
from flotilla.models import Answer, Mode, Passage, Query, Turn
from flotilla.rag.answering import Answerer, Run
from flotilla.rag.checkpoints import Checkpoints
from flotilla.rag.citations import cite
from flotilla.rag.generate import Draft
from flotilla.rag.graphs.state import ReadPage
from flotilla.rag.llm import Models
from flotilla.rag.web import SearchWeb
from flotilla.retrieval_steps import Retrieval
from flotilla.settings import LLMSettings, RagSettings
from tests.doubles.openai_server import OpenAIServer

HOURS = "We open at nine o'clock. On Sundays the yard is closed."
CARS = "Used cars have a warranty of twelve months. New cars have one of five years."
QUERY = Query(tenant_id="t", question="How long is the warranty?", collection_ids=("default",))


def passage(body: str, number: int) -> Passage:
    return Passage(
        chunk_id=f"chunk-{number}",
        document_id=f"document-{number}",
        document_name=f"{number}.pdf",
        version_id=f"version-{number}",
        collection="default",
        position=0,
        text=body,
        start=0,
        end=len(body),
        page_start=1,
        page_end=1,
        score=1.0,
    )


OPENING, WARRANTY = passage(HOURS, 1), passage(CARS, 2)


class FirstSentence:
    """An answerer without a model: the first sentence of the best passage."""

    model = "extractive"

    def generate(
        self,
        question: str,
        passages: Sequence[Passage],
        turns: Sequence[Turn] = (),
        *,
        own: str | None = None,
    ) -> Draft:
        best = passages[0]
        end = best.text.index(".") + 1
        return Draft(
            text=f"{best.text[:end]} [1]",
            answerable=True,
            citations=(cite(1, best, 0, end),),
            model=self.model,
        )


def run(
    server: OpenAIServer | str | None,
    mode: Mode,
    found: Sequence[Passage] | Callable[[Query], list[Passage]] = (OPENING, WARRANTY),
    question: str = QUERY.question,
    llm: dict[str, Any] | None = None,
    read_page: ReadPage | None = None,
    search_web: SearchWeb | None = None,
    checkpoints: Checkpoints | None = None,
    thread: str | None = None,
    listener: Listener = UNHEARD,
    how: Run | None = None,
    retrieval: Retrieval = QUERY.retrieval,
    **rag: Any,
) -> Answer:
    models = None
    if server is not None:
        address = server if isinstance(server, str) else server.base_url
        given = {"model": "openai:test", "base_url": address, "attempts": 1}
        models = Models(LLMSettings.model_validate(given | (llm or {})))
    retrieve = found if callable(found) else lambda _: list(found)
    answerer = Answerer(
        retrieve,
        FirstSentence(),
        models,
        RagSettings(**rag),
        pages_of=read_page and (lambda _: read_page),
        search_web=search_web,
        checkpoints=checkpoints,
    )
    return answerer.answer(
        QUERY.model_copy(update={"question": question, "retrieval": retrieval}),
        replace(how or Run(thread=thread, listener=listener), mode=mode),
    )


def names(answer: Answer) -> list[str]:
    return [step.name for step in answer.trace]
