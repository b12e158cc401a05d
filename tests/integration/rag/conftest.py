"""What tests of the rag fleet share."""

from collections.abc import Iterator

import pytest

from tests.doubles.openai_server import OpenAIServer
from tests.doubles.tavily_server import TavilyServer


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def tavily() -> Iterator[TavilyServer]:
    server = TavilyServer()
    yield server
    server.close()
