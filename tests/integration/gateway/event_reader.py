"""What the tests of events do: carry a task out as fleets would, and read its stream."""

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import update

from flotilla.ledger import job_views, jobs, task_events
from flotilla.ledger.announce import announce
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.tables import JOBS
from flotilla.schemas import Task
from tests.conftest import wait_until

PATIENCE = 20.0


class Work:
    """A task of the ledger that the test itself carries out."""

    def __init__(
        self, ledger: Database, kind: str = "ingest", stage: str = "document.fetch"
    ) -> None:
        self._ledger = ledger
        job = jobs.NewJob(
            tenant_id=DEFAULT_TENANT, kind=kind, queue="document", stage=stage, payload={}
        )
        with ledger.writing() as connection:
            jobs.add(connection, [job])
        self.id = job.id

    def commit(
        self, done: int | None = None, total: int = 40, unit: str = "chunks", **columns: Any
    ) -> Task:
        """Change the job in the ledger, and tell nobody."""
        with self._ledger.writing() as connection:
            values = {"status": "processing"} | columns
            connection.execute(update(JOBS).where(JOBS.c.id == self.id).values(values))
            if done is not None:
                jobs.progress(connection, self.id, done, total, unit)
        return self.task()

    def move(self, done: int | None = None, **columns: Any) -> Task:
        """Change the job and tell it, however soon after the last time."""
        task = self.commit(done, **columns)
        pipe = task_events.client().pipeline(transaction=False)
        task_events.add(pipe, task)
        pipe.execute()
        return task

    def task(self) -> Task:
        with self._ledger.reading() as connection:
            task = job_views.view(connection, DEFAULT_TENANT, self.id)
        assert task is not None
        return task

    def finish(self, status: str = "completed", **columns: Any) -> Task:
        """End the job in the ledger alone."""
        return self.commit(status=status, finished_at=datetime.now(UTC), **columns)

    def end(self, status: str = "completed", **columns: Any) -> Task:
        """End the job and announce it."""
        task = self.finish(status, **columns)
        announce(task)
        return task


class Reader:
    """The events of one connection as they come, and the comments between them."""

    def __init__(self, response: httpx.Response) -> None:
        self.headers = response.headers
        self.comments = 0
        self.retry: str | None = None
        self.seen: list[dict[str, Any]] = []
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, args=(response,), daemon=True)
        self._thread.start()

    def _read(self, response: httpx.Response) -> None:
        event: dict[str, Any] = {}
        try:
            for line in response.iter_lines():
                field, _, value = line.partition(":")
                if line.startswith(":"):
                    self.comments += 1
                elif field == "retry":
                    self.retry = value.strip()
                elif line:
                    event[field] = value.strip()
                elif event:
                    self._queue.put(self.understood(event))
                    event = {}
        except (httpx.TransportError, httpx.StreamError):
            pass
        self._queue.put(None)

    def understood(self, event: dict[str, Any]) -> dict[str, Any]:
        """What a test gets to see of an event."""
        data: dict[str, Any] = json.loads(event["data"])
        assert (event["id"], event["event"]) == (data["id"], data["event"])
        return data

    def next(self, seconds: float = PATIENCE) -> dict[str, Any] | None:
        """The next event; None when the stream has ended."""
        event = self._queue.get(timeout=seconds)
        if event is not None:
            self.seen.append(event)
        return event

    def until(self, **wanted: Any) -> dict[str, Any]:
        """The first event that has these fields, `done` being its progress'."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            event = self.next()
            assert event is not None, f"the stream ended before {wanted}: {self.seen}"
            if all(shown(event).get(name) == value for name, value in wanted.items()):
                return event
        raise AssertionError(f"no event has {wanted}: {self.seen}")

    def rest(self) -> list[dict[str, Any]]:
        """All events until the end of the stream."""
        events = []
        while (event := self.next()) is not None:
            events.append(event)
        return events

    def nothing(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        try:
            self.next(seconds)
        except queue.Empty:
            return True
        return False


def shown(event: dict[str, Any]) -> dict[str, Any]:
    """An event with the fields of its progress beside its own."""
    return event | (event.get("progress") or {})


@contextmanager
def following(url: str, task_id: str, last_id: str | None = None) -> Iterator[Reader]:
    """An open stream of a task's events."""
    headers = {"Last-Event-ID": last_id} if last_id is not None else {}
    timeout = httpx.Timeout(PATIENCE, read=60)
    with (
        httpx.Client(base_url=url, timeout=timeout) as http,
        http.stream("GET", f"/tasks/{task_id}/events", headers=headers) as response,
    ):
        assert response.status_code == 200, response.read()
        try:
            yield Reader(response)
        finally:
            # To close a socket that another thread reads from would not tell the gateway.
            connection = response.extensions["network_stream"].get_extra_info("socket")
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def wait_for_stream(work: Work) -> None:
    """Wait until the task's stream is there."""
    wait_until(lambda: task_events.client().exists(task_events.key(work.id)))
