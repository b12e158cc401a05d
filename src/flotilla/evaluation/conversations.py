"""Questions asked as turns of a conversation, so that Flotilla itself makes them stand alone."""

import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

from flotilla.client import ClientError, Flotilla
from flotilla.evaluation.data_sets import CONVERSATION, Question
from flotilla.evaluation.retrieval import Retrieved, hits_of
from flotilla.evaluation.variants import Variant
from flotilla.models import ChatAnswer

LONGEST_TURN = 300.0
"""Seconds that a turn may take."""


@dataclass(frozen=True, slots=True)
class _Conversation:
    id: str
    user: str


@dataclass
class Conversations:
    """Asks each question behind the user's earlier turns, which Flotilla has answered itself.

    A conversation goes on where the question before was an earlier turn of this one, as in data
    sets that have their turns in order; else its turns are asked anew. The latency is that of a
    whole turn, with its answer.
    """

    flotilla: Flotilla
    collection: str
    variant: Variant
    top_k: int
    _open: dict[tuple[str, ...], _Conversation] = field(default_factory=dict)
    _all: list[_Conversation] = field(default_factory=list)

    def __call__(self, question: Question, form: str) -> Retrieved:
        """Raises FlotillaAPIError for what the gateway refuses."""
        turns = question.turns or ()
        conversation = self._open.pop(turns, None) if turns else None
        for turn in () if conversation is not None else turns:
            _, conversation = self._ask(turn, conversation)
        text = question.form(CONVERSATION)
        began = time.perf_counter()
        answer, conversation = self._ask(text, conversation)
        took = 1000 * (time.perf_counter() - began)
        self._open[(*turns, text)] = conversation
        return Retrieved(
            question.id,
            hits_of(answer.passages),
            took,
            answer.timings.get("retrieve"),
            answer.standalone_question,
        )

    def _ask(
        self, text: str, conversation: _Conversation | None
    ) -> tuple[ChatAnswer, _Conversation]:
        # A user of its own: what others were told is not to be recalled.
        user = conversation.user if conversation is not None else f"eval-{uuid.uuid4().hex[:12]}"
        answer = self.flotilla.chat(
            text,
            conversation_id=conversation.id if conversation is not None else None,
            user=user,
            collections=[self.collection],
            top_k=self.top_k,
            retrieval=self.variant.settings or None,
            timeout=LONGEST_TURN,
        )
        if conversation is None:
            conversation = _Conversation(answer.conversation_id, user)
            self._all.append(conversation)
        return answer, conversation

    def close(self) -> None:
        """Delete the conversations."""
        while self._all:
            each = self._all.pop()
            with suppress(ClientError):  # the figures are there, whatever becomes of it
                self.flotilla.delete_conversation(each.id, user=each.user)
