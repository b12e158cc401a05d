"""Questions and their answers."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from flotilla.models import Answer, Found, Metadata, Mode
from flotilla.retrieval_steps import Retrieval
from flotilla.schemas.base import (
    COLLECTION_NAME,
    DEFAULT_COLLECTION,
    Integer,
    Request,
    Response,
    at_field,
)
from flotilla.schemas.webhooks import CallbackURL


def _check_collections(one: str | None, several: list[str] | None) -> None:
    """Raises where a request does not say in one way where to look."""
    if several is None:
        return
    if not several:
        raise at_field(
            "collections",
            f"it names no collection: name one, or leave it out to use {DEFAULT_COLLECTION!r}",
        )
    if one is not None:
        raise at_field(
            "collections", "there is collection as well: send one of the two, and leave one out"
        )


class RetrievalRequest(Retrieval, Request):
    """How passages are looked for, where the fleet's settings are not to decide."""


class QuestionRequest(Request):
    """A question and where to look."""

    prose = frozenset({"question"})

    question: str = Field(examples=["How long is the warranty on a used car?"])
    collection: str | None = Field(None, pattern=COLLECTION_NAME)
    collections: list[Annotated[str, Field(pattern=COLLECTION_NAME)]] | None = Field(
        None, max_length=32, description="Several in place of one; `default` if neither is given."
    )
    top_k: Integer | None = Field(
        None, ge=1, le=100, description="Passages that retrieval returns."
    )
    filter: Metadata = Field(
        default_factory=dict,
        description="Conditions on metadata, all of which hold: a value, a list of values, or an "
        "object with gt, gte, lt, lte, not, prefix or exists. `and` and `or` hold lists of "
        "filters, `not` a filter or such a list.",
        examples=[{"year": {"gte": 2024}, "kind": ["faq", "terms"]}],
    )
    retrieval: RetrievalRequest | None = Field(
        None, description="Steps of the search that are to be other than the fleet's settings say."
    )
    mode: Mode | None = Field(
        None,
        description="How it is answered: `simple` (retrieve, generate), `crag` (with grading, "
        "another search where too little is left, and verification) or `react` (an agent searches "
        "with tools); the fleet's own when not given.",
    )
    callback_url: CallbackURL = None

    @model_validator(mode="after")
    def _look_in_one_way(self) -> Self:
        _check_collections(self.collection, self.collections)
        return self

    @property
    def question_field(self) -> str:
        """The field that the question was sent in, for errors to name."""
        return "question"


class ExerciseMode(StrEnum):
    """What questions are made for."""

    PRACTICE = "practice"
    """Each with its answer and its source."""
    QUIZ = "quiz"
    """Each with answers to choose from, and the right ones at the end."""


MOST_QUESTIONS = 100
USUAL_QUESTIONS = 25


class GenerateQuestionsRequest(Request):
    """What to make questions about."""

    prose = frozenset({"topic"})

    topic: str | None = Field(
        None, description="What they are about; all of the documents where it is left out."
    )
    count: Integer | None = Field(
        USUAL_QUESTIONS, ge=1, le=MOST_QUESTIONS, description="How many are wanted."
    )
    mode: ExerciseMode | None = Field(
        ExerciseMode.PRACTICE,
        description="`practice`: each with its answer and source; `quiz`: each with answers to "
        "choose from, and the right ones at the end.",
    )
    collection: str | None = Field(None, pattern=COLLECTION_NAME)
    collections: list[Annotated[str, Field(pattern=COLLECTION_NAME)]] | None = Field(
        None, max_length=32, description="Several in place of one; `default` if neither is given."
    )

    @model_validator(mode="after")
    def _look_in_one_way(self) -> Self:
        _check_collections(self.collection, self.collections)
        return self


class GenerateQuestionsResponse(Response):
    """Questions made from documents, as a text to be shown."""

    response: str
    timestamp: str = Field(description="When they were made: ISO 8601, UTC.")


class AnswerResponse(Answer, Response):
    """An answer with its citations."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    task_id: str


class SearchResponse(Found, Response):
    """What retrieval alone finds, best first."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    task_id: str
