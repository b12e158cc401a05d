"""What generators take and give, and the one that asks a language model."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from flotilla.answer_streams import UNHEARD, Listener
from flotilla.answer_streams.entries import Reply
from flotilla.errors import BudgetSpent, ModelRejected
from flotilla.logging import get_logger
from flotilla.models import Citation, ModelCall, Passage, Turn, Value
from flotilla.rag.citations import unmarked
from flotilla.rag.prompts import prompt
from flotilla.rag.reading import Reading
from flotilla.rag.refusals import not_found
from flotilla.rag.telling import Telling
from flotilla.rag.untrusted import as_data

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from flotilla.rag.llm import Meter, Models
    from flotilla.rag.whole_tables import WholeTables

logger = get_logger(__name__)

PROMPT = "answer.v2"

BREAKS_OFF = (
    "The budget of this answer was spent while a language model was writing it: it breaks off "
    "behind what it had cited last."
)

CUT_OFF = "The answer was cut off at its longest length, FLOTILLA_LLM_MAX_TOKENS."

FILTER = "The language model's provider withheld the answer for its content policy."

FILTERED = "The language model's provider withheld the rest of the answer for its content policy."

_WITHHELD = frozenset({"content_filter", "safety", "refusal", "prohibited_content", "blocklist"})
"""What providers give as the reason where their filter ended a reply."""


# With the end of its sentence, where that stands behind the number.
_UP_TO_CITATION = re.compile(r".*\[\d+\](?:[*_)\"”’»]*[.!?…]*)", re.DOTALL)


class Draft(Value):
    """What a generator wrote, before its citations are verified.

    `text` refers to `citations` by their number in square brackets. Where `answerable` is False,
    `text` is the sentence that says so and there are no citations. `notes` are what a reader should
    know of it.
    """

    text: str
    answerable: bool
    citations: tuple[Citation, ...] = ()
    model: str
    notes: tuple[str, ...] = ()


class Generator(Protocol):
    """Writes an answer from passages."""

    @property
    def model(self) -> str:
        """What an answer names as its writer."""
        ...

    def generate(
        self,
        question: str,
        passages: Sequence[Passage],
        turns: Sequence[Turn] = (),
        *,
        own: str | None = None,
        tables: "WholeTables | None" = None,
    ) -> Draft:
        """Answer a question from passages, the best first, with earlier turns of its conversation,
        the oldest first, in mind; `own` is the question without the words that were brought to it
        from earlier ones (`followups.Standalone`), where there are any. `tables` are those that
        were read as a whole; a model is given none.

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
        listener: is told of the answer while the model is writing it.
    """

    def __init__(self, models: "Models", meter: "Meter", listener: Listener = UNHEARD) -> None:
        from flotilla.rag.llm import Role

        self._models = models
        self._meter = meter
        self._listener = listener
        self.model = models.name(Role.ANSWER)

    def generate(
        self,
        question: str,
        passages: Sequence[Passage],
        turns: Sequence[Turn] = (),
        *,
        own: str | None = None,
        tables: "WholeTables | None" = None,
    ) -> Draft:
        """Answer from passages; a reply that cites none of them counts as no answer.

        Where the budget is spent while somebody reads the reply, what is cited of it is the answer.

        Raises:
            BudgetSpent: the run's time or tokens are used up, and nothing that cites is written.
        """
        from langchain_core.messages import HumanMessage, SystemMessage

        asked = render(question, passages, turns)
        messages = [SystemMessage(instructions()), HumanMessage(asked)]
        try:
            reply = self._reply(messages, passages)
        except BudgetSpent:
            draft = self._so_far(passages)
            if draft is None:
                raise
            return draft
        written = str(reply.text)
        reason = reply.response_metadata.get("finish_reason")
        withheld = _withheld(reply)
        if not written.strip():
            raise ModelRejected(FILTER if withheld else _empty(reason))
        notes: tuple[str, ...] = ()
        if reason == "length":
            logger.warning("model_reply_truncated", model=self.model)
            notes = (CUT_OFF,)
        elif withheld:
            logger.warning("model_reply_withheld", model=self.model)
            notes = (FILTERED,)
        reading = Reading(passages)
        text = reading.feed(written) + reading.finish()
        if withheld and not reading.citations:
            raise ModelRejected(FILTER)  # what was withheld may have been the answer
        if reading.refused:
            return Draft(text=text or not_found(question), answerable=False, model=self.model)
        citations = tuple(reading.citations)
        if not citations:
            logger.warning("model_reply_uncited", model=self.model)
            return Draft(text=not_found(question), answerable=False, model=self.model)
        return Draft(text=text, answerable=True, citations=citations, model=self.model, notes=notes)

    def _reply(self, messages: list["BaseMessage"], passages: Sequence[Passage]) -> "AIMessage":
        from flotilla.rag.llm import Role

        if self._listener is UNHEARD:
            reply = self._models.complete(Role.ANSWER, messages, self._meter, prompt=PROMPT)
            self.model = self._meter.calls[-1].model
            return reply
        telling = Telling(passages, self._listener)
        whole = telling.ended()
        if whole is not None:
            return self._taken_over(whole)
        so_far = telling.resume()
        if so_far and not self._broke_off():
            self._meter.record(
                self._models.interrupted(Role.ANSWER, messages, so_far, prompt=PROMPT)
            )
        reply = self._models.stream(
            Role.ANSWER, messages, self._meter, telling.hear, prompt=PROMPT, so_far=so_far
        )
        self.model = self._meter.calls[-1].model
        # A later attempt could not tell from the text that the rest was withheld.
        told = "" if _withheld(reply) else str(reply.text)
        telling.finish(told, self._meter.calls[-1])
        return reply

    def _so_far(self, passages: Sequence[Passage]) -> Draft | None:
        """What readers have of a reply that is not going to end, up to its last citation; None
        where it cites nothing."""
        if self._listener is UNHEARD:
            return None
        reading = Reading(passages)
        text = reading.feed(Telling(passages, self._listener).resume()) + reading.finish()
        cited = _UP_TO_CITATION.match(text)
        if reading.refused or cited is None:
            return None
        kept = cited.group()
        citations = tuple(c for c in reading.citations if f"[{c.number}]" in kept)
        if self._meter.calls:
            self.model = self._meter.calls[-1].model
        return Draft(
            text=kept, answerable=True, citations=citations, model=self.model, notes=(BREAKS_OFF,)
        )

    def _broke_off(self) -> bool:
        """Whether an attempt before this one has left the call whose reply broke off."""
        from flotilla.rag.llm import Role

        return any(
            call.role == Role.ANSWER and call.error is not None and call.completion_tokens
            for call in self._meter.calls
        )

    def _taken_over(self, reply: Reply) -> "AIMessage":
        """The reply of an earlier attempt, which was paid for and told."""
        from langchain_core.messages import AIMessage

        from flotilla.rag.llm import Role

        call = ModelCall.model_validate(reply.call)
        self.model = call.model
        if call not in self._meter.calls:  # that attempt has left it otherwise
            self._meter.record(call, stands_in=call.model != self._models.name(Role.ANSWER))
        return AIMessage(reply.raw)


def _withheld(reply: "AIMessage") -> bool:
    reason = reply.response_metadata.get("finish_reason")
    return isinstance(reason, str) and reason.casefold() in _WITHHELD


def _empty(reason: object) -> str:
    if reason == "length":
        return (
            "The language model used up its tokens before it wrote an answer: raise "
            "FLOTILLA_LLM_MAX_TOKENS."
        )
    return "The language model returned an empty answer: ask again, or use another LLM_MODEL."


def instructions() -> str:
    """The system prompt."""
    return prompt(PROMPT)


def render(question: str, passages: Sequence[Passage], turns: Sequence[Turn] = ()) -> str:
    """The user's message: earlier turns, the passages, numbered from 1, all marked as data, and the
    question.

    What they say cannot leave its place: see `untrusted.as_data`.
    """
    parts = []
    if turns:
        # Without their numbers, which stand for other citations.
        said = [f"Question: {turn.standalone}\nAnswer: {unmarked(turn.answer)}" for turn in turns]
        parts += ["<conversation>", *map(as_data, said), "</conversation>", ""]
    parts += [passages_as_data(passages), "", f"Question: {as_data(question)}"]
    return "\n".join(parts)


def passages_as_data(passages: Sequence[Passage]) -> str:
    """Passages between their tags, numbered from 1."""
    parts = ["<passages>"]
    parts += [render_passage(number, passage) for number, passage in enumerate(passages, 1)]
    parts.append("</passages>")
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
            " ".join(as_data(f"Source: {source}{pages}").split()),
            as_data(passage.text),
            "</passage>",
        )
    )
