"""From a question to an answer: retrieve, generate, verify."""

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from flotilla.models import Answer, Passage, Query
from flotilla.rag.citations import renumber, verify
from flotilla.rag.generate import NOT_FOUND, Draft, Generator
from flotilla.settings import LLMSettings

if TYPE_CHECKING:
    from flotilla.vectorstore.embedder import Embedder

EXTRACTIVE = "extractive"

NOTHING_RETRIEVED = "The searched collections contain nothing on this question."


class Answerer:
    """Answers questions from what retrieval finds, and from nothing else.

    Args:
        retrieve: finds the passages for a query, the best first.
        generator: writes the answer from them.
    """

    def __init__(self, retrieve: Callable[[Query], list[Passage]], generator: Generator) -> None:
        self._retrieve = retrieve
        self._generator = generator

    def answer(
        self,
        query: Query,
        checkpoint: Callable[[], None] | None = None,
        within: Callable[[list[Passage]], list[Passage]] | None = None,
    ) -> Answer:
        """An answer whose every quote stands in a passage word for word.

        Where nothing is found, or no citation of the draft holds, the answer is not answerable;
        it has the nearest passages all the same. `timings` has `retrieve` and `generate` in
        milliseconds; verification is counted as generation. `checkpoint` is called before the
        model is, and what it raises ends the work. `within` chooses from what was found what the
        answer is written from.

        Raises:
            DependencyUnavailable: the vector store is out of reach.
            ModelUnavailable: the model's provider does not answer now.
            ModelRejected: the model's provider refuses this request.
        """
        began = perf_counter()
        passages = self._retrieve(query)
        if within is not None:
            passages = within(passages)
        retrieved = perf_counter()
        if passages:
            if checkpoint is not None:
                checkpoint()
            draft = verified(self._generator.generate(query.question, passages), passages)
        else:
            draft = Draft(text=NOTHING_RETRIEVED, answerable=False, model=self._generator.model)
        ended = perf_counter()
        return Answer(
            question=query.question,
            text=draft.text,
            answerable=draft.answerable,
            citations=draft.citations,
            passages=tuple(passages),
            model=draft.model,
            timings={
                "retrieve": round((retrieved - began) * 1000, 2),
                "generate": round((ended - retrieved) * 1000, 2),
            },
        )


def verified(draft: Draft, passages: list[Passage]) -> Draft:
    """The draft without citations that do not hold; not answerable where none is left."""
    if not draft.answerable:
        return draft.model_copy(update={"citations": ()})
    text, citations = renumber(draft.text, verify(draft.citations, passages))
    if not citations:
        return Draft(text=NOT_FOUND, answerable=False, model=draft.model)
    return draft.model_copy(update={"text": text, "citations": citations})


def build_generator(settings: LLMSettings, embedder: "Embedder") -> Generator:
    """The generator that `LLM_MODEL` asks for.

    Raises:
        ConfigurationError: the model cannot be used as it is configured.
    """
    # Each branch imports its own: the extractive stack starts without LangChain.
    if settings.model == EXTRACTIVE:
        from flotilla.rag.extractive import ExtractiveGenerator

        return ExtractiveGenerator(embedder)
    from flotilla.rag.generate import ModelGenerator
    from flotilla.rag.llm import build_chat_model

    return ModelGenerator(build_chat_model(settings), settings.model)
