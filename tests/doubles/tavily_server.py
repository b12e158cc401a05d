"""A server on localhost that speaks Tavily's protocol, for tests of its real client."""

import json
from collections.abc import Mapping
from typing import Any

from tests.doubles.receiver import Answer, Receiver

KEY = "tvly-test-0123456789"
SEARCH = "/search"


class TavilyServer(Receiver):
    """Answers searches with what it is given last, with nothing at first."""

    def __init__(self) -> None:
        super().__init__()
        self.answer()

    def answer(self, *results: Mapping[str, Any], pause: float = 0.0) -> None:
        """Answer all further searches with these results."""
        body = json.dumps({"query": "", "results": list(results), "response_time": 0.1}).encode()
        json_type = {"Content-Type": "application/json"}
        self.answers[SEARCH] = [Answer(200, json_type, body, pause)]

    def fail(self, status: int, message: str = "refused") -> None:
        """Answer all further searches with an error in Tavily's form."""
        body = json.dumps({"detail": {"error": message}}).encode()
        self.answers[SEARCH] = [Answer(status, {"Content-Type": "application/json"}, body)]

    @property
    def searches(self) -> list[Any]:
        """The bodies of the searches that have come."""
        return [received.json for received in self.at(SEARCH)]


def page(url: str, content: str, title: str = "A page", score: float = 0.9) -> dict[str, Any]:
    """One result."""
    return {"url": url, "title": title, "content": content, "score": score, "raw_content": None}
