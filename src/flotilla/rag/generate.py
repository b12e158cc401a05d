"""What generators take and give, and the one that asks a language model."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from flotilla.errors import ModelRejected
from flotilla.logging import get_logger
from flotilla.models import Citation, Passage, Value
from flotilla.rag.citations import resolve
from flotilla.rag.prompts import prompt

if TYPE_CHECKING:
    from flotilla.rag.llm import Meter, Models

logger = get_logger(__name__)

PROMPT = "answer.v1"

NOT_FOUND = "The documents do not contain an answer to this question."

# What the prompt asks a model to write, however it decorates it.
_REFUSAL = re.compile(r"[\s*_`\"'#>]*NOT_IN_PASSAGES[\s*_`\"'.:\-–—]*", re.IGNORECASE)
_TAG = re.compile(r"<(?=\s*/?\s*passages?\b)", re.IGNORECASE)


class Draft(Value):
    """What a generator wrote, before its citations are verified.

    `text` refers to `citations` by their number in square brackets. Where `answerable` is False,
    `text` is the sentence that says so and there are no citations.
    """

    text: str
    answerable: bool
    citations: tuple[Citation, ...] = ()
    model: str


class Generator(Protocol):
    """Writes an answer from passages."""

    @property
    def model(self) -> str:
        """What an answer names as its writer."""
        ...

    def generate(self, question: str, passages: Sequence[Passage]) -> Draft:
        """Answer a question from passages, the best first.

        Raises:
            ModelUnavailable: the model's provider does not answer now.
            ModelRejected: the model's provider refuses this request.
        """
        ...


class ModelGenerator:
    """Has a language model answer from numbered passages and resolves what it cites.

    One for each run, whose calls it counts.

    Args:
        models: the models of the process.
        meter: counts this run's calls, and holds them to its budget.
    """

    def __init__(self, models: "Models", meter: "Meter") -> None:
        from flotilla.rag.llm import Role

        self._models = models
        self._meter = meter
        self.model = models.name(Role.ANSWER)

    def generate(self, question: str, passages: Sequence[Passage]) -> Draft:
        """Answer from passages; a reply that cites none of them counts as no answer.

        Raises:
            BudgetSpent: the run's time or tokens are used up.
        """
        from langchain_core.messages import HumanMessage, SystemMessage

        from flotilla.rag.llm import Role

        reply = self._models.complete(
            Role.ANSWER,
            [SystemMessage(instructions()), HumanMessage(render(question, passages))],
            self._meter,
            prompt=PROMPT,
        )
        self.model = self._meter.calls[-1].model
        text = str(reply.text).strip()
        reason = reply.response_metadata.get("finish_reason")
        if not text:
            raise ModelRejected(_empty(reason))
        if reason == "length":
            logger.warning("model_reply_truncated", model=self.model)
        if refusal := _REFUSAL.match(text):
            # Taken without numbers: a refusal rests on no passage.
            sentence, _ = resolve(text[refusal.end() :], ())
            return Draft(text=sentence or NOT_FOUND, answerable=False, model=self.model)
        text, citations = resolve(text, passages)
        if not citations:
            logger.warning("model_reply_uncited", model=self.model)
            return Draft(text=NOT_FOUND, answerable=False, model=self.model)
        return Draft(text=text, answerable=True, citations=citations, model=self.model)


def _empty(reason: object) -> str:
    if reason == "length":
        return (
            "The language model used up its tokens before it wrote an answer: raise "
            "FLOTILLA_LLM_MAX_TOKENS."
        )
    if reason == "content_filter":
        return "The language model's provider withheld the answer for its content policy."
    return "The language model returned an empty answer: ask again, or use another LLM_MODEL."


def instructions() -> str:
    """The system prompt."""
    return prompt(PROMPT)


def render(question: str, passages: Sequence[Passage]) -> str:
    """The user's message: the passages, numbered from 1 and marked as data, and the question.

    A passage cannot close its own mark: what looks like one of the tags loses its bracket.
    """
    parts = ["<passages>"]
    parts += [render_passage(number, passage) for number, passage in enumerate(passages, 1)]
    parts += ["</passages>", "", f"Question: {_TAG.sub('(', question)}"]
    return "\n".join(parts)


def render_passage(number: int, passage: Passage, *, ids: bool = False) -> str:
    """A passage with its number and where it stands, marked as data; with `ids`, that of its
    document as well, where it is of one."""
    source = " > ".join((passage.document_name, *passage.heading_path))
    pages = "" if passage.page_start is None else f", page {passage.page_start}"
    document = f' document="{passage.document_id}"' if ids and passage.url is None else ""
    return "\n".join(
        (
            f'<passage number="{number}"{document}>',
            _TAG.sub("(", f"Source: {source}{pages}"),
            _TAG.sub("(", passage.text),
            "</passage>",
        )
    )
