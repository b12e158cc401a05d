"""The only place that builds chains, groups and chords, from task names.

A message carries a job's id and, where a stage has several parts, the part's number. Signatures
are immutable: what a task leaves behind lies in the ledger and in the blobs, never in a result.
The canvas carries the work forward; where a message or a whole canvas is lost, the ledger knows
what is left to do, and `resume` sends that.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from celery import chain, chord, group
from celery.canvas import Signature
from kombu import Producer

from flotilla.broker import app
from flotilla.ledger.fan_outs import Part
from flotilla.ledger.sweep import BLOBS_STAGE, POINTS_STAGE
from flotilla.priorities import NORMAL

FETCH = "document.fetch"
CONVERT = "document.convert"
CONVERT_RANGE = "document.convert_range"
SPLIT = "document.split"
INDEX = "vectorstore.index"
PUBLISH = "vectorstore.publish"
REINDEX = "vectorstore.reindex"
INDEX_AGAIN = "vectorstore.index_again"
CONFIRM = "vectorstore.confirm"
REMOVE = "vectorstore.remove"
DISCARD = "vectorstore.discard"
PREPARE_SPACE = "vectorstore.prepare_space"
FILL_SPACE = "vectorstore.fill_space"
SWITCH_SPACE = "vectorstore.switch_space"
DROP_SPACE = "vectorstore.drop_space"
FORGET = "vectorstore.forget"
ANSWER = "rag.answer"
SEARCH = "rag.search"
QUESTIONS = "rag.questions"
REMEMBER = "rag.remember"
WARM = "rag.warm"
FINISH = "upkeep.finish"
FAIL = "upkeep.fail"
GATHER = "upkeep.gather"
PURGE = "upkeep.purge"
REAP = "upkeep.reap"
PROCESS = "upkeep.process"
ADD = "upkeep.add"
DIVIDE = "upkeep.divide"
TOTAL = "upkeep.total"
DELIVER = "upkeep.deliver"
CALL_BACK = "upkeep.call_back"

ORDER = {
    "ingest": (FETCH, CONVERT, CONVERT_RANGE, GATHER, SPLIT, INDEX, PUBLISH, FINISH),
    "reindex": (REINDEX, INDEX_AGAIN, CONFIRM, FINISH),
    "delete": (REMOVE, PURGE),
    "forget": (FORGET,),
    "sweep": (POINTS_STAGE, BLOBS_STAGE),
    "migration": (PREPARE_SPACE, FILL_SPACE, SWITCH_SPACE),
    "drop": (DROP_SPACE,),
    "warm": (WARM,),
}
"""A job's stages by its kind, in the order in which they are done. Some are done by some jobs only:
a document that is uploaded is not fetched, and a short one has no page ranges."""

BODIES = {CONVERT_RANGE: GATHER, INDEX: PUBLISH, INDEX_AGAIN: CONFIRM, FILL_SPACE: SWITCH_SPACE}
"""Stages that are done in parts, side by side, and the stage that waits for all of them."""


def _task(name: str, *args: Any, priority: int = NORMAL) -> Signature:
    signature: Signature = app.signature(name, args=args, immutable=True)
    signature.options["priority"] = priority
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


def _send_one(name: str, *args: str | None, priority: int = NORMAL) -> None:
    # Without ignore_result the sender would subscribe to a result that nobody reads.
    app.send_task(name, args, ignore_result=True, producer=_producer.get(), priority=priority)


def _send(canvas: Signature, job_id: str) -> None:
    canvas.apply_async(argsrepr=f"('{job_id}',)")


def begin(kind: str, job_id: str, stage: str, priority: int = NORMAL) -> None:
    """Send a job on its way, from one of its kind's stages, which has the priority."""
    first, *rest = _rest(kind, job_id, stage)
    first.options["priority"] = priority
    _send(chain(first, *rest), job_id)


def resume_parts(
    kind: str, job_id: str, stage: str, parts: Sequence[Part], priority: int = NORMAL
) -> None:
    """Send some parts of a stage, which have the priority, and with them all that comes after."""
    body, *rest = _rest(kind, job_id, BODIES[stage])
    _send(chain(_fan_out(job_id, stage, parts, body, priority), *rest), job_id)


def following(kind: str, stage: str) -> str | None:
    """The stage after one that is done and has not been done in parts."""
    order = ORDER[kind]
    skipped: set[str] = set()
    for name in order[order.index(stage) + 1 :]:
        if name in BODIES:
            skipped |= {name, BODIES[name]}
        elif name not in skipped:
            return name
    return None


def _rest(kind: str, job_id: str, stage: str) -> list[Signature]:
    order = ORDER[kind]
    later = order[order.index(stage) + 1 :]
    bodies = BODIES.values()
    names = [stage, *(name for name in later if name not in BODIES and name not in bodies)]
    return [_task(name, job_id) for name in names]


def parts_of(stage: str) -> Callable[[str, Sequence[Part]], Signature]:
    """Makes the canvas of some parts of this stage, and of the one that waits for them.

    It takes the place of the task that returns it.
    """

    def canvas(job_id: str, parts: Sequence[Part]) -> Signature:
        return _fan_out(job_id, stage, parts, _task(BODIES[stage], job_id))

    return canvas


convert_ranges = parts_of(CONVERT_RANGE)
"""Page ranges of a long document: the whole fleet shares one book."""

index_batches = parts_of(INDEX)
"""Batches of chunks, and when all are in, the switch to the new version."""

index_again = parts_of(INDEX_AGAIN)
"""Batches of stored chunks, whose points are written anew in their place."""


fill_space = parts_of(FILL_SPACE)
"""Documents that another embedding model's space lacks, some in each part."""


def _fan_out(
    job_id: str, stage: str, parts: Sequence[Part], body: Signature, priority: int = NORMAL
) -> Signature:
    header = [_task(stage, job_id, part.number, *part.args, priority=priority) for part in parts]
    # A chord needs its header's results, which are otherwise not kept.
    for signature in header:
        signature.options["ignore_result"] = False
    canvas: Signature = chord(group(header), body)
    return canvas


def answer(job_id: str, reply_to: str | None = None, priority: int = NORMAL) -> None:
    """Answer a question; its end is told on the channel `reply_to` too."""
    _send_one(ANSWER, job_id, reply_to, priority=priority)


def search(job_id: str, reply_to: str | None = None, priority: int = NORMAL) -> None:
    """Search for a question's passages; its end is told on the channel `reply_to` too."""
    _send_one(SEARCH, job_id, reply_to, priority=priority)


def questions(job_id: str, reply_to: str | None = None, priority: int = NORMAL) -> None:
    """Make questions from documents; the end is told on the channel `reply_to` too."""
    _send_one(QUESTIONS, job_id, reply_to, priority=priority)


REPLIES = {"query": answer, "search": search, "questions": questions}
"""What sends a job of one short message, by its kind."""


def remember() -> None:
    """Have the turns remembered whose points are missing."""
    _send_one(REMEMBER)


def warm_on(job_id: str) -> Signature:
    """Go on filling the caches, once all that waits in the queue has had its turn."""
    return _task(WARM, job_id)


def fail(job_id: str) -> None:
    """Clean up after a job that has failed or was cancelled."""
    _send_one(FAIL, job_id)


def discard(job_id: str) -> None:
    """Remove what a cancelled ingestion left in the vector store."""
    _send_one(DISCARD, job_id)


def call_back(delivery_id: str) -> None:
    """Have a delivery sent now; without this, the reaper finds that it is due."""
    _send_one(CALL_BACK, delivery_id)


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
