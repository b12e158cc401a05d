"""What the tests of streamed answers do: answer a question as the fleet would, and read it."""

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import redis
from sqlalchemy import update

from flotilla import pipelines
from flotilla.answer_streams import AnswerStream
from flotilla.answer_streams.sender import Sender
from flotilla.ledger import endings, job_ends, jobs
from flotilla.ledger.announce import announce
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.tables import JOBS
from flotilla.models import Answer, Citation
from flotilla.schemas import TaskError
from tests.integration.gateway.event_reader import PATIENCE, Reader

CITATION = Citation(
    number=1,
    document_id="document-1",
    document_name="terms.pdf",
    chunk_id="chunk-1",
    page_start=3,
    page_end=3,
    quote="The warranty is two years.",
    start=0,
    end=26,
)


def answer(text: str, *citations: Citation) -> Answer:
    return Answer(
        question="How long is the warranty?",
        text=text,
        answerable=bool(citations),
        citations=citations,
        passages=(),
        model="extractive",
    )


class Run:
    """A question of the ledger that the test itself answers."""

    def __init__(self, ledger: Database, store: redis.Redis, job_id: str | None = None) -> None:
        self._ledger, self._store = ledger, store
        self.fence = 0
        if job_id is not None:
            self.id = job_id
            return
        job = jobs.NewJob(
            tenant_id=DEFAULT_TENANT, kind="query", queue="rag", stage=pipelines.ANSWER, payload={}
        )
        with ledger.writing() as connection:
            jobs.add(connection, [job])
        self.id = job.id

    def worker(self) -> AnswerStream:
        """The stream as a new worker opens it."""
        self.fence += 1
        with self._ledger.writing() as connection:
            values = {"status": "processing", "fence": self.fence}
            connection.execute(update(JOBS).where(JOBS.c.id == self.id).values(values))
        stream = AnswerStream(self.id, self.fence, Sender(self._store))
        stream.start()
        return stream

    def complete(self, answer: Answer, *, tell: bool = True) -> None:
        """Write the answer into the ledger, and announce it."""
        with self._ledger.writing() as connection:
            ended = job_ends.complete(connection, self.id, answer.model_dump(mode="json"))
        assert ended is not None
        if tell:
            announce(ended)

    def fail(self, code: str = "model_rejected") -> None:
        error = TaskError(
            stage=pipelines.ANSWER, code=code, message="It was refused.", retryable=False
        )
        endings.fail(self._ledger, self.id, error)

    def cancel(self) -> None:
        endings.cancel(self._ledger, self.id)


class AnswerReader(Reader):
    """The events of one connection: `id`, `event` and `data` each."""

    def understood(self, event: dict[str, Any]) -> dict[str, Any]:
        return {"id": event["id"], "event": event["event"], "data": json.loads(event["data"])}

    def text(self) -> str:
        """What the tokens so far come to, by putting them one behind the other."""
        return text_of(self.seen)

    def until_text(self, text: str) -> None:
        """Read until the tokens come to this text."""
        while self.text() != text:
            event = self.next()
            assert event is not None, f"the stream ended before {text!r}: {self.seen}"


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(each["data"]["text"] for each in events if each["event"] == "token")


def numbers_of(events: list[dict[str, Any]]) -> list[int]:
    return [int(each["id"].split(":")[1]) for each in events]


@contextmanager
def reading(
    url: str,
    task_id: str | None = None,
    last_id: str | None = None,
    *,
    body: dict[str, Any] | None = None,
    path: str = "/rag/query/stream",
) -> Iterator[AnswerReader]:
    """An open stream of a task's answer, or of the answer to a question that is asked here."""
    headers = {"Last-Event-ID": last_id} if last_id is not None else {}
    asked = ("POST", path) if body else ("GET", f"/tasks/{task_id}/stream")
    timeout = httpx.Timeout(PATIENCE, read=60)
    with (
        httpx.Client(base_url=url, timeout=timeout) as http,
        http.stream(*asked, headers=headers, json=body) as response,
    ):
        assert response.status_code == 200, response.read()
        try:
            yield AnswerReader(response)
        finally:
            # To close a socket that another thread reads from would not tell the gateway.
            connection = response.extensions["network_stream"].get_extra_info("socket")
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
