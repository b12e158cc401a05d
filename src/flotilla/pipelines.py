"""The only place that builds chains, groups and chords, from task names.

A message carries a job's id and, where a stage has several parts, the part's number. Signatures
are immutable: what a task leaves behind lies in the ledger and in the blobs, never in a result.
Every canvas ends, when a task of it fails beyond the ledger's own handling (its process was
killed at the hard time limit), in `upkeep.fail`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from celery import chain, chord, group
from celery.canvas import Signature
from kombu import Producer

from flotilla.broker import app

FETCH = "document.fetch"
CONVERT = "document.convert"
CONVERT_RANGE = "document.convert_range"
SPLIT = "document.split"
INDEX = "vectorstore.index"
PUBLISH = "vectorstore.publish"
REMOVE = "vectorstore.remove"
DISCARD = "vectorstore.discard"
ANSWER = "rag.answer"
SEARCH = "rag.search"
FINISH = "upkeep.finish"
FAIL = "upkeep.fail"
GATHER = "upkeep.gather"
PURGE = "upkeep.purge"
PROCESS = "upkeep.process"
ADD = "upkeep.add"
DIVIDE = "upkeep.divide"
TOTAL = "upkeep.total"
DELIVER = "upkeep.deliver"


def _task(name: str, *args: Any) -> Signature:
    signature: Signature = app.signature(name, args=args, immutable=True)
    return signature


_producer: ContextVar[Producer | None] = ContextVar("producer", default=None)


@contextmanager
def one_producer() -> Iterator[None]:
    """Send what is sent inside through one producer, in place of one from the pool each."""
    with app.producer_pool.acquire(block=True) as producer:
        token = _producer.set(producer)
        try:
            yield
        finally:
            _producer.reset(token)


def _send_one(name: str, *args: str | None) -> None:
    # Without ignore_result the sender would subscribe to a result that nobody reads.
    app.send_task(name, args, ignore_result=True, producer=_producer.get())


def _send(canvas: Signature, job_id: str) -> None:
    canvas.on_error(_task(FAIL, job_id))
    canvas.apply_async(argsrepr=f"('{job_id}',)")


def ingest(job_id: str, stage: str) -> None:
    """Send a document on its way, from one of the stages FETCH, CONVERT and SPLIT."""
    stages = (FETCH, CONVERT, SPLIT, FINISH)
    _send(chain(*(_task(name, job_id) for name in stages[stages.index(stage) :])), job_id)


def convert_ranges(job_id: str, ranges: Sequence[tuple[int, int]]) -> Signature:
    """Every page range (first, last) of a long document: the whole fleet shares one book."""
    header = [
        _task(CONVERT_RANGE, job_id, part, first, last) for part, (first, last) in enumerate(ranges)
    ]
    return _fan_out(header, _task(GATHER, job_id))


def index_batches(job_id: str, parts: int) -> Signature:
    """Every batch of chunks, and when all are in, the switch to the new version."""
    return _fan_out([_task(INDEX, job_id, part) for part in range(parts)], _task(PUBLISH, job_id))


def _fan_out(header: Sequence[Signature], body: Signature) -> Signature:
    # A chord needs its header's results, which are otherwise not kept.
    for signature in header:
        signature.options["ignore_result"] = False
    canvas: Signature = chord(group(header), body)
    return canvas


def remove(job_id: str) -> None:
    """Remove the points of deleted documents, then their blobs and rows."""
    _send(chain(_task(REMOVE, job_id), _task(PURGE, job_id)), job_id)


def answer(job_id: str, reply_to: str | None = None) -> None:
    """Answer a question; its end is told on the channel `reply_to` too."""
    _send_one(ANSWER, job_id, reply_to)


def search(job_id: str, reply_to: str | None = None) -> None:
    """Search for a question's passages; its end is told on the channel `reply_to` too."""
    _send_one(SEARCH, job_id, reply_to)


def fail(job_id: str) -> None:
    """Clean up after a job that has failed or was cancelled."""
    _send_one(FAIL, job_id)


def discard(tenant_id: str, document_id: str, version_id: str) -> None:
    """Remove what a given-up version left in the vector store."""
    _send_one(DISCARD, tenant_id, document_id, version_id)


# --- the fleets' smoke tests ---------------------------------------------------------------


def process(job_id: str, data: Any) -> None:
    """One task: the plainest there is."""
    _demo(_step(PROCESS, job_id, data), job_id)


def add(job_id: str, x: float, y: float) -> None:
    """One task with two arguments."""
    _demo(_step(ADD, job_id, x, y), job_id)


def divide(job_id: str, dividend: float, divisor: float) -> None:
    """One task that fails when the divisor is 0."""
    _demo(_step(DIVIDE, job_id, dividend, divisor), job_id)


def add_then_divide(job_id: str, x: float, y: float, divisor: float) -> None:
    """A chain: the second task's first argument is the first one's result."""
    _demo(chain(_step(ADD, job_id, x, y), _step(DIVIDE, job_id, divisor)), job_id)


def add_and_divide(job_id: str, x: float, y: float, z: float) -> None:
    """A group of two tasks side by side, and a chord that sums their results."""
    both = group(_step(ADD, job_id, x, y), _step(DIVIDE, job_id, x, z))
    _demo(chord(both, _step(TOTAL, job_id)), job_id)


def _step(name: str, job_id: str, *args: Any) -> Signature:
    signature: Signature = app.signature(name, args=args, kwargs={"job_id": job_id})
    # A chord needs the results of its group, which are otherwise not kept.
    signature.options["ignore_result"] = False
    # What Flower shows: ids, and nothing that a user has sent.
    signature.options["argsrepr"] = "()"
    signature.options["kwargsrepr"] = repr({"job_id": job_id})
    return signature


def _demo(canvas: Signature, job_id: str) -> None:
    canvas = canvas | _step(DELIVER, job_id)
    canvas.on_error(_task(FAIL, job_id))
    canvas.apply_async()
