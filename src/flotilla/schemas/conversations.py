"""Conversations, their messages, and questions that are asked in them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StringConstraints,
    model_validator,
)

from flotilla.models import ChatAnswer, Citation
from flotilla.schemas.base import Request, Response
from flotilla.schemas.questions import QuestionRequest

DEFAULT_USER = "default"

User = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ChatRequest(QuestionRequest):
    """A question in a conversation."""

    prose = frozenset({"question", "message"})

    question: str = Field(
        validation_alias=AliasChoices("question", "message"),
        description="`message` is taken for it, too.",
        examples=["And on a new one?"],
    )
    conversation_id: str | None = Field(
        None, min_length=1, max_length=64, description="A new conversation when it is left out."
    )
    user: User = Field(
        DEFAULT_USER, description="Whose conversation it is; users know nothing of one another."
    )

    _question_field: str = PrivateAttr("question")

    @property
    def question_field(self) -> str:
        """The field that the question was sent in."""
        return self._question_field

    @model_validator(mode="wrap")
    @classmethod
    def _note_the_field(cls, value: Any, handler: ModelWrapValidatorHandler["ChatRequest"]) -> Any:
        made = handler(value)
        if isinstance(value, dict) and "question" not in value:
            made._question_field = "message"
        return made


class ChatResponse(ChatAnswer, Response):
    """The answer to one turn of a conversation."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    task_id: str


class Conversation(Response):
    """A thread of messages."""

    conversation_id: str
    user: str
    title: str
    message_count: int
    created_at: datetime
    updated_at: datetime = Field(description="When its last message was written.")


class Message(Response):
    """One message of a conversation."""

    message_id: str
    number: int = Field(description="Its place in the conversation, from 1.")
    role: str = Field(description="user or assistant.", examples=["assistant"])
    text: str
    standalone_question: str | None = Field(
        None, description="Of a user's message: what was searched for."
    )
    citations: list[Citation] | None = Field(
        None, description="Of an assistant's message, as its answer had them."
    )
    answerable: bool | None = None
    model: str | None = None
    tokens: int
    task_id: str
    created_at: datetime


class ConversationMessages(Conversation):
    """A conversation with a part of its messages, the oldest first."""

    messages: list[Message]
    next_cursor: str | None = None


class ConversationPatch(Request):
    """Another title for a conversation."""

    title: str = Field(min_length=1, max_length=200, examples=["Warranties"])
