"""A streamed answer, event by event, over as many connections as it takes."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import httpx
from pydantic import Field, TypeAdapter

from flotilla.client.errors import FlotillaAPIError
from flotilla.client.event_source import EventSource
from flotilla.client.exchange import Exchange
from flotilla.client.operation import Operation, get, segment
from flotilla.models import Citation, Step
from flotilla.schemas import AnswerEventName, AnswerResponse, AnswerToken, ChatResponse, Problem

TASK_HEADER = "X-Task-ID"

# Of a turn of a conversation where it has what such an answer has.
_ANSWER: TypeAdapter[AnswerResponse | ChatResponse] = TypeAdapter(
    Annotated[ChatResponse | AnswerResponse, Field(union_mode="left_to_right")]
)


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """A step of the run is finished."""

    id: str
    step: Step


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """The text goes on with `text`, at `start` of it in characters.

    Where that is less than the length of what has come, the text from there on is taken back.
    """

    id: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class CitationEvent:
    """What a number in the text stands for."""

    id: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class DoneEvent:
    """The whole answer, a ChatResponse where it is of a conversation; nothing follows."""

    id: str
    answer: AnswerResponse | ChatResponse


AnswerEvent: TypeAlias = TraceEvent | TokenEvent | CitationEvent | DoneEvent


class AnswerEvents(EventSource[AnswerEvent]):
    """The events of one answer: of the question that `operation` asks, or of a task.

    A question is asked once: the first connection that stands says which task answers it, and
    further ones follow that. Until then it is asked again only where the gateway has not taken it.
    """

    task_id: str | None = None
    """The task that answers, once the gateway has said which."""

    def opened(self, response: httpx.Response) -> None:
        """Follow the task from now on."""
        task_id = response.headers.get(TASK_HEADER)
        if task_id is not None:
            self.task_id = task_id
            self._operation = answer_stream(task_id)

    def read(self, name: str, event_id: str, data: bytes) -> AnswerEvent | None:
        """An event of the answer.

        Raises:
            FlotillaAPIError: there is no answer, and why.
        """
        match name:
            case AnswerEventName.TRACE:
                return TraceEvent(event_id, Step.model_validate_json(data))
            case AnswerEventName.TOKEN:
                token = AnswerToken.model_validate_json(data)
                return TokenEvent(event_id, token.text, token.start)
            case AnswerEventName.CITATION:
                return CitationEvent(event_id, Citation.model_validate_json(data))
            case AnswerEventName.DONE:
                self.end()
                return DoneEvent(event_id, _ANSWER.validate_json(data))
            case AnswerEventName.ERROR:
                self.end()
                raise FlotillaAPIError(Problem.model_validate_json(data))
        return None

    @property
    def subject(self) -> str:
        """The answer."""
        return "an answer"


def answer_stream(task_id: str) -> Operation[AnswerResponse]:
    """The request that follows a task's answer."""
    return get(f"/tasks/{segment(task_id)}/stream", AnswerResponse)


def answer_events(
    exchange: Exchange, task_id: str, last_event_id: str | None = None
) -> AnswerEvents:
    """The events of a task's answer."""
    return AnswerEvents(exchange, answer_stream(task_id), last_event_id)


class AnswerStream(Iterator[AnswerEvent]):
    """The events of an answer, as an iterator that says which task answers."""

    def __init__(self, source: AnswerEvents, events: Generator[AnswerEvent, None, None]) -> None:
        self._source = source
        self._events = events

    @property
    def task_id(self) -> str | None:
        """The task, by which it can be cancelled; None until the gateway has taken the question."""
        return self._source.task_id

    def __next__(self) -> AnswerEvent:
        return next(self._events)

    def close(self) -> None:
        """Read no more of it."""
        self._events.close()


class AsyncAnswerStream(AsyncIterator[AnswerEvent]):
    """The same for asyncio."""

    def __init__(self, source: AnswerEvents, events: AsyncGenerator[AnswerEvent, None]) -> None:
        self._source = source
        self._events = events

    @property
    def task_id(self) -> str | None:
        """The task, by which it can be cancelled; None until the gateway has taken the question."""
        return self._source.task_id

    async def __anext__(self) -> AnswerEvent:
        return await anext(self._events)

    async def aclose(self) -> None:
        """Read no more of it."""
        await self._events.aclose()
