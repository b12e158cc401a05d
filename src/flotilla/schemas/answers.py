"""Answers as they are streamed: what the events of `POST /rag/query/stream` hold."""

from enum import StrEnum

from pydantic import Field

from flotilla.schemas.base import Response


class AnswerEventName(StrEnum):
    """What an event tells; the `event` field of the stream."""

    TRACE = "trace"  # a step is finished: a Step
    TOKEN = "token"  # noqa: S105 - the text goes on: an AnswerToken
    CITATION = "citation"  # what a number in the text stands for: a Citation
    DONE = "done"  # the whole answer: an AnswerResponse, and nothing follows
    ERROR = "error"  # there is no answer: a Problem, and nothing follows


class AnswerToken(Response):
    """A piece of an answer's text."""

    text: str = Field(examples=["Test drives are open "])
    start: int = Field(
        description="Where it stands in the text, in characters (Unicode code points). It is where "
        "the piece before it has ended; where it is less, the text from there on is taken back.",
        examples=[0],
    )
