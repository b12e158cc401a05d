"""Calls of several requests, written once for both clients."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from flotilla.client import operations
from flotilla.client.errors import FlotillaAPIError, GatewayUnreachable, WaitTimeout
from flotilla.client.exchange import PASSING, Exchange, Pause, Steps
from flotilla.client.operation import Operation
from flotilla.schemas import Listing, Task

T = TypeVar("T")

LONG_POLL = 20.0
"""Seconds of one long poll that waits for the end alone; below common proxies' 30 or 60."""

UPDATE_POLL = 1.0
"""Seconds of one poll when each change is to be shown."""

OUTAGE = 30.0
"""Seconds for which a gateway that restarts, or cannot tell, is waited for."""


def next_page(
    operation: Operation[Listing[T]], listing: Listing[T]
) -> Operation[Listing[T]] | None:
    """The operation that fetches what follows a page, or None after the last."""
    if listing.next_cursor is None:
        return None
    return replace(operation, params={**operation.params, "cursor": listing.next_cursor})


def wait(
    exchange: Exchange,
    task_id: str,
    *,
    timeout: float | None = None,
    on_update: Callable[[Task], None] | None = None,
) -> Steps[Task]:
    """Wait until a task is final and return it, whatever its status.

    `on_update` is called with each state that differs from the one before. A gateway that is
    away, or without its ledger, for up to half a minute is waited for.

    Raises:
        WaitTimeout: `timeout` seconds have passed; the task goes on.
        FlotillaAPIError: there is no such task, or the gateway cannot tell for too long.
        GatewayUnreachable: the gateway stays away.
    """
    exchange = replace(exchange, longest_retry_after=UPDATE_POLL)  # it has pauses of its own
    started = time.monotonic()
    longest = LONG_POLL if on_update is None else UPDATE_POLL
    last: Task | None = None
    heard = started
    while True:
        left = None if timeout is None else timeout - (time.monotonic() - started)
        held = longest if left is None else max(0.0, min(longest, left))
        try:
            task = yield from exchange.perform(operations.task(task_id, wait=held))
        except GatewayUnreachable:
            if last is None or time.monotonic() - heard > OUTAGE:
                raise
            yield Pause(UPDATE_POLL)
        except FlotillaAPIError as error:
            if error.status not in PASSING or time.monotonic() - heard > OUTAGE:
                raise
            yield Pause(UPDATE_POLL)
        else:
            heard = time.monotonic()
            if on_update is not None and task != last:
                on_update(task)
            last = task
            if task.status.final:
                return task
        if timeout is not None and time.monotonic() - started >= timeout:
            state = last.status if last else "not known"
            raise WaitTimeout(
                f"Task {task_id} is {state} after {timeout:g} s; it goes on, and "
                f"`flotilla tasks wait {task_id}` waits for it.",
                last,
            )
