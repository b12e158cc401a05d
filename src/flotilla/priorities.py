"""Two lanes in each queue: what is sent again because it was lost goes ahead of what is new.

Redis hands out a list's messages in their order, so that work whose worker has died would stand at
the end of a queue that may be hours long. Kombu keeps one list for each priority and takes from
the lowest number first, but lets no number be below that of a message without any. Here one may,
so that all other messages, and the lists named like their queues, stay what they are everywhere.
"""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis

FIRST = -1
NORMAL = 0
STEPS = (FIRST, NORMAL)


class TwoLaneChannel(redis.Channel):
    """Kombu's channel over Redis; FIRST is a message's priority too."""

    min_priority = FIRST

    def _do_restore_message(self, payload: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        """What a worker gives back was begun, or about to be: it has its turn behind it.

        Of a child that died Kombu puts the message behind all others.
        """
        payload.setdefault("properties", {})["priority"] = FIRST
        super()._do_restore_message(payload, *args, **kwargs)  # type: ignore[misc] # not in the stubs


class TwoLaneTransport(redis.Transport):
    """Kombu's transport over Redis with channels of two lanes."""

    Channel = TwoLaneChannel


def use_two_lanes() -> None:
    """Have what this process connects to by `redis://` and `rediss://` be served in two lanes.

    Celery could be told of a transport by its name instead, but the addresses that connections
    then tell of themselves would not be Redis' any more, and Flower would not know the broker.
    """
    name = f"{__name__}:{TwoLaneTransport.__name__}"
    TRANSPORT_ALIASES.update(redis=name, rediss=name)


def lanes(queue: str) -> tuple[str, str]:
    """The Redis lists in which a queue's messages wait, the first one served first."""
    return f"{queue}{redis.Channel.sep}{FIRST}", queue
