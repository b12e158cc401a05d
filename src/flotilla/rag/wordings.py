"""Other wordings of a question, which are searched for beside it: a language model gives them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from flotilla.errors import BudgetSpent, ModelRejected, ModelUnavailable
from flotilla.logging import get_logger
from flotilla.models import Query
from flotilla.rag.prompts import prompt
from flotilla.rag.untrusted import as_data, visible

if TYPE_CHECKING:
    from flotilla.rag.llm import Meter, Models

logger = get_logger(__name__)

PROMPT = "wordings.v1"

LONGEST = 1000
"""Characters of one wording; what is longer is no question."""

WITHOUT_MODEL = (
    "No language model is configured, so no other wordings of the question were searched for."
)

FAILED = "No other wordings of the question were searched for: {why}"

Reword = Callable[[Query], Sequence[str] | None]
"""Gives other wordings of a query's question; None where it should have and could not."""


class Wordings(BaseModel):
    """A question in other words."""

    wordings: list[str] = Field(description="The wordings, each by itself and without a number.")


class Rewording:
    """Asks the model for the wordings of one run's questions, under the run's budget.

    `notes` says afterwards why there are none.

    Args:
        models: the language models; None where there are none.
        meter: counts the calls.
        checkpoint: called before the model is, and what it raises ends the run.
    """

    def __init__(
        self,
        models: "Models | None",
        meter: "Meter",
        checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        self._models = models
        self._meter = meter
        self._checkpoint = checkpoint
        self.notes: list[str] = []

    def __call__(self, query: Query, /) -> Sequence[str] | None:
        """As many as the query's steps ask for, at most; the question itself is none of them."""
        from flotilla.rag.llm.roles import Role

        wanted = query.retrieval.queries or 0
        if not wanted:
            return ()
        if self._models is None or not self._models.configured(Role.REWRITE):
            self.notes.append(WITHOUT_MODEL)
            return ()
        self._checkpoint()
        try:
            told = self._told(self._models, query.question, wanted)
        except (BudgetSpent, ModelRejected, ModelUnavailable) as error:
            logger.warning("wordings.failed", code=error.code)
            self.notes.append(FAILED.format(why=error.message))
            return None
        return _distinct(query.question, told)[:wanted]

    def _told(self, models: "Models", question: str, wanted: int) -> list[str]:
        from langchain_core.messages import HumanMessage, SystemMessage

        from flotilla.rag.llm.roles import Role

        asked = f"Wordings: {wanted}\nQuestion: {as_data(question)}"
        messages = [SystemMessage(prompt(PROMPT)), HumanMessage(asked)]
        reply = models.structured(Role.REWRITE, messages, Wordings, self._meter, prompt=PROMPT)
        return reply.wordings


def _distinct(question: str, told: Sequence[str]) -> list[str]:
    known = {" ".join(question.split()).casefold()}
    kept = []
    for each in told:
        text = " ".join(visible(each).split())
        if text and len(text) <= LONGEST and text.casefold() not in known:
            known.add(text.casefold())
            kept.append(text)
    return kept
