"""What waits in the broker's queues: whose message is there, and whose is not."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from flotilla.ledger.steps import Key
from flotilla.priorities import lanes
from flotilla.redis_connections import get_redis

# Messages read at once, so that a long queue is not one long answer of Redis.
CHUNK = 500


@dataclass
class Queued:
    """The messages of some queues; those that a worker has taken are not among them."""

    keys: set[Key] = field(default_factory=set)
    job_ids: set[str] = field(default_factory=set)


def queued(queues: Iterable[str]) -> Queued:
    """Read the queues. Raises RedisError.

    Messages are put in at the beginning of a list and taken at its end, so that one that stays can
    only move towards the end: read from the beginning, it is met at least once.
    """
    found = Queued()
    client = get_redis()
    for lane in (lane for queue in queues for lane in lanes(queue)):
        first = 0
        while True:
            texts = client.lrange(lane, first, first + CHUNK - 1)
            for text in texts:
                _note(found, text)
            if len(texts) < CHUNK:
                break
            first += CHUNK
    return found


def _note(found: Queued, text: str | bytes) -> None:
    try:
        message = json.loads(text)
        args, _kwargs, _embedded = json.loads(base64.b64decode(message["body"]))
        task = message["headers"]["task"]
    except (ValueError, TypeError, KeyError):
        return  # not a message of ours, and a worker will say so
    if not isinstance(args, list) or not args or not isinstance(args[0], str):
        return
    part = args[1] if len(args) > 1 and isinstance(args[1], int) else 0
    found.job_ids.add(args[0])
    found.keys.add(Key(args[0], task, part))
