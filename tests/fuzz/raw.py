"""Broken requests against a running gateway, and what it answered."""

import random
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.fuzz import wire
from tests.fuzz.broken import BrokenRequest, broken_requests
from tests.fuzz.judgement import SLOWEST, Judge, Tally, tally_table
from tests.fuzz.report import Table

COLLECTION, FILE = "broken", ("quay.txt", b"The quay has two cranes and a scale for lorries.")
PATIENCE = 60.0
WIRE = "wire"
STREAMS = ("/events", "/stream")
KINDS = {
    "body": "a body that is none, or not the operation's",
    "value": "a value that JSON may hold and an operation may not",
    "type": "a wrong or missing content type",
    "upload": "a multipart body that is broken, or has odd fields",
    "query": "an odd parameter, once or twice",
    "path": "an odd id",
    "header": "odd or huge headers",
    WIRE: "broken HTTP",
}
"""What is broken, by the short name of the kind."""


def run(
    url: str,
    say: Callable[[str], None],
    *,
    seed: int = 0,
    most: int | None = None,
    answering: bool = True,
) -> dict[str, Tally]:
    """Send the list to the gateway; a tally by kind.

    Args:
        url: of the gateway.
        say: takes a line of progress.
        seed: which of them, where there are to be fewer.
        most: how many, of each kind the same share; all of them by default.
        answering: whether the fleets and Qdrant stand behind the gateway. Where they do not,
            streams are left out, which would not end.
    """
    judge = Judge(url, answering)
    tallies = {kind: Tally() for kind in KINDS}
    with httpx.Client(base_url=url, timeout=SLOWEST, trust_env=False) as http:
        requests = list(broken_requests(judge.document, _known(http, answering)))
        if not answering:
            requests = [each for each in requests if not each.template.endswith(STREAMS)]
        if most is not None:
            requests = random.Random(seed).sample(requests, min(most, len(requests)))
        before = "nothing"
        for number, request in enumerate(requests):
            if number % 1000 == 0:
                say(f"broken requests: {number:,} of {len(requests):,} sent")
            _send(http, judge, request, tallies[request.kind], before)
            before = str(request)
    _send_broken_http(url, tallies[WIRE])
    _still_there(url, tallies[WIRE])
    return tallies


def _send_broken_http(url: str, tally: Tally) -> None:
    for message in wire.broken_messages():
        statuses, fault = wire.exchange(url, message)
        tally.cases += 1
        tally.statuses.update(statuses)
        if fault:
            tally.fail(fault, f"{message.what}: {message.data[:300]!r}")


def table(tallies: dict[str, Tally]) -> Table:
    """By what is broken: requests, answers by status, failures."""
    return tally_table("what is broken", {KINDS[kind]: each for kind, each in tallies.items()})


def _known(http: httpx.Client, answering: bool) -> dict[str, str]:
    """A document, its task, a collection, a batch and a webhook, by their parameters' names."""
    http.post("/collections", json={"name": COLLECTION})
    reply = http.post("/documents", files={"files": FILE}, data={"collection": COLLECTION})
    document = reply.raise_for_status().json()["documents"][0]
    deadline = time.monotonic() + PATIENCE
    while answering and time.monotonic() < deadline:
        task = http.get(f"/tasks/{document['task_id']}", params={"wait": 1}).json()
        if task["status"] not in ("pending", "processing"):
            break
    batch = http.post("/batches", json={"name": COLLECTION, "total": 50}).json()
    return {
        "document_id": document["document_id"],
        "task_id": document["task_id"],
        "batch_id": batch["task_id"],
        "name": COLLECTION,
    }


def _send(
    http: httpx.Client, judge: Judge, request: BrokenRequest, tally: Tally, before: str
) -> None:
    """Send it, and count what it was answered. `before` is what its connection had to bear."""
    tally.cases += 1
    try:
        answer = http.request(
            request.method, request.target, content=request.body, headers=list(request.headers)
        )
    except httpx.TransportError as error:
        tally.fail("no answer", f"{request}: {error!r}, after {before}")
        return
    tally.statuses[answer.status_code] += 1
    query = parse_qs(urlsplit(request.target).query, keep_blank_values=True)
    found = judge.faults(request.template, request.method, query, answer)
    for fault, sentence in found.items():
        shown = f"{request.target[:200]} {request.headers} {request.body[:300]!r}"
        said = f"{answer.status_code} {answer.content[:400]!r}"
        tally.fail(fault, f"{request}, after {before}: {sentence}\n{shown}\n{said}")


def _still_there(url: str, tally: Tally) -> None:
    """After all that, whoever comes next is answered."""
    try:
        status = httpx.get(f"{url}/health/live", timeout=SLOWEST, trust_env=False).status_code
    except httpx.TransportError as error:
        tally.fail("gone afterwards", repr(error))
    else:
        if status != 200:
            tally.fail("gone afterwards", f"/health/live answered {status}")
