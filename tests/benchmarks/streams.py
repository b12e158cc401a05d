"""Streamed answers: how long a token is under way, and when the first of an answer comes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from statistics import quantiles

import redis
from sqlalchemy import update

from flotilla import pipelines
from flotilla.answer_streams import AnswerStream
from flotilla.answer_streams.sender import Sender
from flotilla.client import DoneEvent, Flotilla, TokenEvent
from flotilla.ledger import jobs
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now
from flotilla.ledger.tables import JOBS
from tests.benchmarks.answers import COLLECTION, SAMPLES, TYPES
from tests.benchmarks.report import Outcome, Row
from tests.benchmarks.stack import Stack, progress, running_stack
from tests.doubles.counted_words import counted, question
from tests.doubles.openai_server import OpenAIServer

GOAL = 20.0  # milliseconds from when the worker has a token to when the client has it
ANSWERS = 200
TOKENS, PAUSE = 400, 0.03  # further apart than tokens that would be joined
READERS = 20
QUESTION = "How long is the warranty on a used car?"


def run(stack: Stack, quick: bool) -> Outcome:
    """Tell tokens as a worker does and read them as clients do; then ask the real fleet."""
    stack.ingest(
        sorted(p for p in SAMPLES.iterdir() if p.suffix in TYPES and p.stem != "README"), COLLECTION
    )
    tokens = TOKENS // 8 if quick else TOKENS
    alone, crowded = _under_way(stack, tokens, 1), _under_way(stack, tokens, READERS)
    begun = [_first_of_an_answer(stack) for _ in range(5 if quick else 40)]
    modelled = _behind_the_model(20 if quick else ANSWERS)
    rows = [
        _row("first token, model to client", modelled, GOAL),
        _row("token, worker to client", alone, GOAL),
        _row(f"the same with {READERS} clients", crowded),
        _row("question to first token, extractive", begun),
    ]
    values = {"modelled": modelled, "alone": alone, "crowded": crowded, "begun": begun}
    progress(f"streams: {rows[0].what} {rows[0].flotilla}")
    return Outcome(rows, values=values)


def _behind_the_model(answers: int) -> list[float]:
    """Milliseconds from when a model sends its first token to when the client has it, through a
    stack whose model is a server on localhost."""
    took: list[float] = []
    with OpenAIServer() as server:
        server.responder = counted
        model = {"LLM_MODEL": "openai:double", "LLM_BASE_URL": server.base_url}
        with running_stack(**model) as stack:
            accepted = stack.client.ingest_text("Words are counted from one.", name="words.txt")
            stack.client.wait(accepted.task_id, timeout=120)
            stack.settle()
            for _ in range(answers + 2):
                events = stack.client.stream(question(8, 30), cache_control="no-store")
                next(event for event in events if isinstance(event, TokenEvent))
                took.append(1000 * (time.perf_counter() - server.begun[-1]))
                for _event in events:
                    pass
    return took[2:]  # the first ones open connections


def _row(what: str, milliseconds: list[float], goal: float | None = None) -> Row:
    cuts = quantiles(milliseconds, n=20, method="inclusive")
    shown = f"p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms"
    if goal is None:
        return Row(what, shown)
    return Row(what, shown, goal=f"p95 ≤ {goal:g} ms", met=cuts[18] <= goal)


def _under_way(stack: Stack, tokens: int, readers: int) -> list[float]:
    """Milliseconds for which each token was under way to each reader."""
    told: dict[int, float] = {}
    took: list[float] = []
    end = len("Ready. ") + 8 * tokens
    with _leased(stack) as job_id:
        ready = threading.Barrier(readers + 1, timeout=60)

        def read() -> None:
            with Flotilla(stack.gateway, timeout=60) as client:
                events = client.read_answer(job_id)
                next(events)
                ready.wait()
                for event in events:
                    if isinstance(event, TokenEvent):
                        # On a busy machine some are joined: the first of them has waited longest.
                        took.append(1000 * (time.perf_counter() - told[event.start]))
                        if event.start + len(event.text) == end:
                            break

        threads = [threading.Thread(target=read, daemon=True) for _ in range(readers)]
        with redis.Redis.from_url(stack.settings.redis_url, decode_responses=True) as client:
            stream = AnswerStream(job_id, 1, Sender(client))
            stream.start()
            with stream:
                stream.token("Ready. ", "")
                for thread in threads:
                    thread.start()
                ready.wait()
                for number in range(tokens):
                    time.sleep(PAUSE)
                    told[len("Ready. ") + 8 * number] = time.perf_counter()
                    stream.token(f"{number:07d} ", "")
                for thread in threads:
                    thread.join(10)
    return took


@contextmanager
def _leased(stack: Stack) -> Iterator[str]:
    """A question of the stack's ledger that no worker of the fleet takes."""
    database = Database(stack.settings.ledger_url)
    job = jobs.NewJob(
        tenant_id=DEFAULT_TENANT,
        kind="query",
        queue="rag",
        stage=pipelines.ANSWER,
        payload={},
        sent=True,
    )
    held = {"status": "processing", "fence": 1, "lease_until": now() + timedelta(hours=1)}
    with database.writing() as connection:
        jobs.add(connection, [job])
        connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(held))
    try:
        yield job.id
    finally:
        stack.client.cancel(job.id)
        database.close()


def _first_of_an_answer(stack: Stack) -> float:
    """Milliseconds from a question to the first token of its answer."""
    began = time.perf_counter()
    first = 0.0
    for event in stack.client.stream(QUESTION, collections=[COLLECTION]):
        if isinstance(event, TokenEvent) and not first:
            first = 1000 * (time.perf_counter() - began)
        if isinstance(event, DoneEvent):
            break
    return first
