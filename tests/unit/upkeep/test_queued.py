"""Reading the broker's queues: what is there is found, whatever else is there."""

import base64
import json
from typing import Any

import pytest

from flotilla.ledger.steps import Key
from flotilla.upkeep import queued


class Lists:
    """In the place of Redis: lists that may move while they are read."""

    def __init__(self, **lists: list[str]) -> None:
        self.lists = lists
        self.moves: list[Any] = []

    def lrange(self, name: str, first: int, last: int) -> list[str]:
        found = self.lists.get(name, [])
        answer = found[first : last + 1]
        if self.moves:
            self.moves.pop(0)()
        return answer


def message(job_id: str, task: str = "document.convert", *args: Any) -> str:
    body = base64.b64encode(json.dumps([[job_id, *args], {}, {}]).encode()).decode()
    return json.dumps({"body": body, "headers": {"task": task}})


def read(monkeypatch: pytest.MonkeyPatch, lists: Lists) -> queued.Queued:
    monkeypatch.setattr(queued, "get_redis", lambda: lists)
    return queued.queued(["document", "rag"])


def test_messages_are_found_with_their_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = Lists(
        document=[message("a"), message("b", "document.convert_range", 3, 31, 40)],
        rag=[message("c", "rag.answer", "reply-to")],
    )

    found = read(monkeypatch, lists)
    assert found.keys == {
        Key("a", "document.convert"),
        Key("b", "document.convert_range", 3),
        Key("c", "rag.answer"),
    }
    assert found.job_ids == {"a", "b", "c"}


@pytest.mark.parametrize(
    "foreign", ["", "no JSON", "[]", "{}", '{"body": "e30=", "headers": {}}', '{"body": 1}']
)
def test_what_is_no_message_of_ours_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, foreign: str
) -> None:
    assert read(monkeypatch, Lists(document=[foreign, message("a")])).job_ids == {"a"}


def test_a_long_queue_that_moves_while_it_is_read_hides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queued, "CHUNK", 3)
    staying = [message(f"stays-{number}") for number in range(8)]
    lists = Lists(document=[*staying, *(message(f"goes-{number}") for number in range(4))])

    def taken_and_added() -> None:
        lists.lists["document"].pop()
        lists.lists["document"].insert(0, message("new"))

    lists.moves = [taken_and_added] * 4
    found = read(monkeypatch, lists)
    assert {f"stays-{number}" for number in range(8)} <= found.job_ids
