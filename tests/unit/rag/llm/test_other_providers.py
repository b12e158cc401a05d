"""Chat models whose network is not ours: each call has a thread that may be left alone."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from flotilla.errors import ModelUnavailable
from flotilla.rag.llm import Meter, Role
from flotilla.rag.llm.breaker import Breaker
from flotilla.rag.llm.fleet_state import FleetState
from flotilla.rag.llm.limits import Limits
from flotilla.rag.llm.policy import Call, Policy
from flotilla.rag.llm.roles import Candidate
from flotilla.rag.llm.streams import Streaming
from flotilla.settings import LLMSettings

QUESTION: list[BaseMessage] = [HumanMessage("When do you open?")]


class OtherModel(BaseChatModel):
    """Streams three pieces and waits for an event after the first of them."""

    _go_on: threading.Event = PrivateAttr(default_factory=threading.Event)

    @property
    def _llm_type(self) -> str:
        return "other"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self._go_on.wait()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("At nine."))])

    def _stream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> Iterator[ChatGenerationChunk]:
        for number, piece in enumerate(("At", " nine", " o'clock.")):
            if number == 1:
                self._go_on.wait()
            yield ChatGenerationChunk(message=AIMessageChunk(piece))


@pytest.fixture
def model() -> Iterator[OtherModel]:
    model = OtherModel()
    yield model
    model._go_on.set()


def policy(**fields: object) -> Policy:
    settings = LLMSettings.model_validate({"attempts": 1, **fields})
    state = FleetState(None)
    return Policy(settings, Breaker(state, settings), Limits(state, settings))


def stream(
    model: OtherModel, on_text: Callable[[str], None], meter: Meter, **fields: object
) -> AIMessage:
    streaming = Streaming(QUESTION, on_text, meter, "", set())
    streaming.call = Call(Role.ANSWER, streaming.ask)
    candidate = Candidate("other:model", None, model, bounded=False)
    return policy(**fields).run(streaming.call, [candidate], meter)


def test_its_stream_is_handed_on_and_counted_by_length(model: OtherModel) -> None:
    model._go_on.set()
    got: list[str] = []
    meter = Meter(seconds=60, tokens=1000)
    assert stream(model, got.append, meter).text == "At nine o'clock."
    assert got == ["At", " nine", " o'clock."]
    assert meter.calls[0].completion_tokens > 0


def test_its_silence_is_not_waited_out(model: OtherModel) -> None:
    got: list[str] = []
    with pytest.raises(ModelUnavailable, match="in time"):
        stream(model, got.append, Meter(seconds=60, tokens=1000), stream_silence=0.2)
    assert got == ["At"]
