"""Clients that follow tasks by server-sent events and come back when the gateway was away."""

import json
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from tests.chaos.ledger import FINAL, JobState
from tests.chaos.stack import Stack

MOST = 24
PATIENCE = 120.0


class Followers:
    """Threads that each follow one task until its last event, by long polls where there are no
    streams.

    Args:
        stack: whose tasks.
        collection: only for messages.
    """

    def __init__(self, stack: Stack, collection: str) -> None:
        self._url = stack.url
        self._collection = collection
        self._threads: list[threading.Thread] = []
        self._known: set[str] = set()
        self._stop = threading.Event()
        self._ended: set[str] = set()
        self.wrong: list[str] = []
        self.cut = 0
        """Streams that broke off."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=40)

    @property
    def followed(self) -> int:
        """Tasks whose end was heard."""
        return len(self._ended)

    def follow(self, jobs: Sequence[JobState]) -> None:
        """Follow those that are not over and not followed yet, up to MOST."""
        for job in jobs:
            if len(self._known) < MOST and not job.final and job.id not in self._known:
                self._known.add(job.id)
                thread = threading.Thread(target=self._run, args=(job.id,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def finish(self) -> None:
        """Wait until all have heard the end.

        Raises:
            AssertionError: one has not, or heard of progress that went back.
        """
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        silent = self._known - self._ended
        assert not silent, f"the end was never told to those who follow {sorted(silent)}"
        assert not self.wrong, "; ".join(self.wrong)

    def _run(self, task_id: str) -> None:
        last_id: str | None = None
        furthest: dict[str, float] = {}
        with httpx.Client(base_url=self._url, timeout=30.0, trust_env=False) as client:
            while not self._stop.is_set():
                try:
                    last_id, ended = self._listen(client, task_id, last_id, furthest)
                except httpx.HTTPError as error:
                    # One that could not be had was not cut off.
                    self.cut += not isinstance(error, httpx.ConnectError | httpx.HTTPStatusError)
                    self._stop.wait(0.5)
                    continue
                if ended:
                    self._ended.add(task_id)
                    return

    def _listen(
        self,
        client: httpx.Client,
        task_id: str,
        last_id: str | None,
        furthest: dict[str, float],
    ) -> tuple[str | None, bool]:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        with client.stream("GET", f"/tasks/{task_id}/events", headers=headers) as response:
            if response.status_code == 404:
                return last_id, self._poll(client, task_id)
            response.raise_for_status()
            data = ""
            for line in response.iter_lines():
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "id":
                    last_id = value
                elif field == "data":
                    data += value
                elif not line and data:
                    event, data = json.loads(data), ""
                    self._check(task_id, event, furthest)
                    if event.get("status") in FINAL:
                        return last_id, True
        return last_id, False

    def _check(self, task_id: str, event: dict[str, Any], furthest: dict[str, float]) -> None:
        progress = event.get("progress") or {}
        unit, done = progress.get("unit"), progress.get("done")
        if unit is None or done is None:
            return
        if done < furthest.get(unit, 0):
            self.wrong.append(f"{task_id}: {done} {unit} after {furthest[unit]}")
        furthest[unit] = max(done, furthest.get(unit, 0))

    def _poll(self, client: httpx.Client, task_id: str) -> bool:
        response = client.get(f"/tasks/{task_id}", params={"wait": 10})
        response.raise_for_status()
        return response.json()["status"] in FINAL
