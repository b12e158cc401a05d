"""Server-sent events over as many connections as it takes: what both clients do alike, without I/O.

A connection that breaks off, or that stays silent for longer than the gateway ever is, is followed
by another one, which goes on after the last event that came.
"""

import time
from typing import Any, Generic, TypeVar

import httpx
from pydantic import ValidationError

from flotilla.client.errors import GatewayUnreachable, UnexpectedReply
from flotilla.client.exchange import (
    CONNECT_TIMEOUT,
    FIRST_BACKOFF,
    PASSING,
    Exchange,
    is_turned_away,
    read_response,
    request_options,
    transport_failure,
)
from flotilla.client.operation import Operation, get, segment
from flotilla.schemas import TaskEvent, TaskEventName

Event = TypeVar("Event")

OUTAGE = 30.0
"""Seconds for which a gateway that restarts is waited for."""

LONGEST_SILENCE = 45.0
"""Seconds without a byte after which a connection is given up: three heartbeats of the gateway."""

LONGEST_PAUSE = 2.0
"""Seconds between two connections, at most."""

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures before anything of a request has reached the gateway."""


class EventSource(Generic[Event]):
    """The events of one stream as they come in, piece by piece.

    Args:
        exchange: how the gateway is reached.
        operation: the request that opens the stream.
        last_event_id: `id` of the last event that was seen.
    """

    def __init__(
        self, exchange: Exchange, operation: Operation[Any], last_event_id: str | None = None
    ) -> None:
        self._over = False
        self._exchange = exchange
        self._operation = operation
        self._last_id = last_event_id
        self._line = b""
        self._fields: dict[bytes, list[bytes]] = {}
        self._heard_at: float | None = None
        self._pause = FIRST_BACKOFF

    def is_over(self) -> bool:
        """Whether the last event has come."""
        return self._over

    def request(self) -> dict[str, Any]:
        """The arguments of httpx's `stream` for the next connection."""
        self._line, self._fields = b"", {}
        headers = {**self._operation.headers, "Accept": "text/event-stream"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        timeout = self._exchange.timeout
        return request_options(self._operation, timeout) | {
            "headers": headers,
            "timeout": httpx.Timeout(timeout, connect=CONNECT_TIMEOUT, read=LONGEST_SILENCE),
        }

    def is_open(self, response: httpx.Response) -> bool:
        """Whether events follow; where they do not, the response's body has to be read first.

        Raises:
            FlotillaAPIError: there is no such task, or the gateway refuses to tell of it.
            UnexpectedReply: what answers is no gateway of Flotilla's.
            GatewayUnreachable: it could not tell for too long.
        """
        if response.status_code == httpx.codes.NO_CONTENT:
            self._over = True
            return False
        kind = response.headers.get("content-type", "").partition(";")[0]
        if response.is_success and kind == "text/event-stream":
            self._heard_at, self._pause = time.monotonic(), FIRST_BACKOFF
            self.opened(response)
            return True
        if response.is_success:
            raise UnexpectedReply(f"{response.url} did not answer with events: check the address.")
        if not self._is_passing(response) or self._is_away_for_good():
            read_response(self._operation, response)  # raises what the gateway says
        return False

    @property
    def _repeatable(self) -> bool:
        """Whether the request may be sent again where nobody knows what has become of it: whoever
        says what was seen last begins nothing, however the request is made."""
        return self._operation.repeatable or self._last_id is not None

    def _is_passing(self, response: httpx.Response) -> bool:
        """Whether the request may be sent again after this refusal, and may help then. Behind a
        proxy's 502 or 504 the gateway may be at work on what was asked."""
        if self._repeatable:
            return response.status_code in PASSING
        return response.status_code == httpx.codes.TOO_MANY_REQUESTS or is_turned_away(response)

    def opened(self, response: httpx.Response) -> None:
        """A connection stands, and events follow."""

    def receive(self, piece: bytes) -> list[Event]:
        """The events that end in this piece of the body."""
        self._heard_at = time.monotonic()
        *lines, self._line = (self._line + piece).split(b"\n")
        events: list[Event] = []
        for line in lines:
            field, _, value = line.rstrip(b"\r").partition(b":")
            if line.strip():
                self._fields.setdefault(field, []).append(value.removeprefix(b" "))
                continue
            fields, self._fields = self._fields, {}
            if b"data" in fields:
                events += self._events(fields)
        return events

    def _events(self, fields: dict[bytes, list[bytes]]) -> list[Event]:
        name, last_id = (fields.get(field, [b""])[-1].decode() for field in (b"event", b"id"))
        try:
            event = self.read(name, last_id, b"\n".join(fields[b"data"]))
        except ValidationError:
            raise UnexpectedReply(
                f"{self._exchange.base_url} told an event that cannot be read: check that client "
                "and gateway have the same version."
            ) from None
        self._last_id = last_id
        return [event] if event is not None else []

    def read(self, name: str, event_id: str, data: bytes) -> Event | None:
        """An event as the caller gets it; None for one that this version does not know.

        Raises:
            ValidationError: it cannot be read.
        """
        raise NotImplementedError

    def end(self) -> None:
        """The last event has come."""
        self._over = True

    def fail(self, error: httpx.TransportError) -> None:
        """Note that a connection broke off.

        Raises:
            GatewayUnreachable: there never was one, or there was none for too long, or what was
                asked may be carried out, and must not be asked twice.
        """
        asked_twice = not (self._repeatable or isinstance(error, NEVER_SENT))
        if self._heard_at is None or asked_twice or self._is_away_for_good():
            raise transport_failure(self._exchange.base_url, self._operation, error) from error

    def _is_away_for_good(self) -> bool:
        if self._heard_at is None:  # it may just be starting
            self._heard_at = time.monotonic()
        return time.monotonic() - self._heard_at > OUTAGE

    def pause(self) -> float:
        """Seconds to let pass before the next connection; more each time in vain."""
        pause, self._pause = self._pause, min(LONGEST_PAUSE, self._pause * 2)
        return 0.0 if self._over else pause

    def closed(self) -> GatewayUnreachable:
        """The error of a client that was closed while it followed the stream."""
        return GatewayUnreachable(
            f"The connection to {self._exchange.base_url} was closed while {self.subject} was "
            "followed; the task goes on."
        )

    @property
    def subject(self) -> str:
        """What is followed."""
        raise NotImplementedError


class TaskEvents(EventSource[TaskEvent]):
    """The events of one task."""

    def __init__(self, exchange: Exchange, task_id: str, last_event_id: str | None) -> None:
        super().__init__(
            exchange, get(f"/tasks/{segment(task_id)}/events", TaskEvent), last_event_id
        )
        self._task_id = task_id

    def read(self, name: str, event_id: str, data: bytes) -> TaskEvent:
        """An event of the task."""
        event = TaskEvent.model_validate_json(data)
        if event.event is TaskEventName.END:
            self.end()
        return event

    @property
    def subject(self) -> str:
        """The task."""
        return f"task {self._task_id}"
