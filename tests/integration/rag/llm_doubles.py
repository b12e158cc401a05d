"""Models over doubles of their servers, whose pauses are noted and not made."""

from collections.abc import Callable
from dataclasses import dataclass, field

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from flotilla.rag.llm import Meter, Models
from flotilla.settings import LLMSettings
from tests.doubles.openai_server import OpenAIServer

KEY = "sk-test-0123456789"
QUESTION: list[BaseMessage] = [SystemMessage("Be brief."), HumanMessage("When do you open?")]


def settings(server: OpenAIServer, **fields: object) -> LLMSettings:
    given: dict[str, object] = {
        "model": "openai:gpt-4o-mini",
        "base_url": server.base_url,
        "api_key": KEY,
        "timeout": 5.0,
    }
    return LLMSettings.model_validate(given | fields)


@dataclass
class Calls:
    """Models, with the pauses that they asked for."""

    models: Models
    pauses: list[float] = field(default_factory=list)


def calls_of(
    configured: LLMSettings,
    redis_url: str | None = None,
    made: Callable[[float], None] | None = None,
) -> Calls:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if made is not None:
            made(seconds)

    return Calls(Models(configured, redis_url, sleep=sleep), pauses)


def meter(seconds: float = 60.0, tokens: int = 1_000_000) -> Meter:
    return Meter(seconds=seconds, tokens=tokens)
