"""Messages are read from what Redis shows of its commands, however they are written."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from tests.chaos.rows.broker import Sent, queued
from tests.conftest import wait_until

MESSAGE = {
    "body": "W10=",
    "headers": {"task": "document.split", "argsrepr": "('a\\'b \"c\" \\\\ é\n',)"},
    "properties": {"delivery_tag": "1"},
}


def test_every_message_is_seen_as_it_was_sent(redis_url: str) -> None:
    found: list[tuple[str, dict[str, Any]]] = []
    with redis.Redis.from_url(redis_url, socket_timeout=5) as client:
        with Sent(SimpleNamespace(redis=client)) as sent:  # type: ignore[arg-type]
            client.set("document", json.dumps(MESSAGE))
            client.delete("document")
            client.lpush("elsewhere", json.dumps(MESSAGE))
            client.lpush("document", json.dumps(MESSAGE))
            client.rpush("default", json.dumps(MESSAGE, ensure_ascii=False))
            wait_until(lambda: found.extend(sent.new()) or len(found) >= 2)
        client.delete("document", "default", "elsewhere")
    assert found == [("document", MESSAGE), ("default", MESSAGE)]


@pytest.mark.parametrize("line", [b"", b'1.0 [0 127.0.0.1:1] "PING"'])
def test_other_lines_are_none(line: bytes) -> None:
    assert queued(line) is None
