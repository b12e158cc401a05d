"""Mutated files through a running stack: uploaded, ingested, and asked over."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.benchmarks.stack import Stack
from tests.fuzz.endings import FAULTS, Endings
from tests.fuzz.files import MutatedFile, mutated_file
from tests.fuzz.ledger import Ledger, LostProcesses, Standstill
from tests.fuzz.originals import PASSAGE, Original, originals
from tests.fuzz.report import Table
from tests.fuzz.resident import ResidentMemory

COLLECTION = "fuzz"
CLIENTS = 4
LOOK_AHEAD = 50
LONG_FILES = 2
# Nothing in the ledger having moved for so long, what is left never ends.
STALLED_SECONDS = 180.0
FINAL = ("completed", "failed", "cancelled", "partial")
QUESTIONS = (
    "When does the ferry leave?",
    "How long is the warranty on a used car?",
    "What costs a van?",
    "渡し船",
)


@dataclass(frozen=True)
class Ended:
    """A file's end: `completed`, an error's code, `refused NNN`, or `no state`."""

    file: MutatedFile
    code: str
    detail: str = ""


@dataclass
class Findings:
    """What the files did to the stack."""

    ended: list[Ended]
    memory: ResidentMemory
    seconds: float
    lost: LostProcesses
    answers: Counter[int] = field(default_factory=Counter)

    def faults(self) -> list[str]:
        """Everything that must not be, a line each."""
        lines = [
            f"{each.file}: {each.code} {each.detail}"
            for each in self.ended
            # A file is judged when it is read: no upload of one is at fault.
            if each.code in FAULTS or each.code.startswith("refused")
        ]
        lines += self._endings().unread()
        lines += [f"worker lost: {name} was started anew" for name in self.memory.replaced]
        lines += [f"process lost: {each}" for each in self.lost.beyond]
        lines += [f"memory not flat: {name}" for name in self.memory.growing()]
        lines += [
            f"questions over what was read: {count} answers of status {status}"
            for status, count in self.answers.items()
            if status != 200
        ]
        return lines

    def table(self) -> Table:
        """Files by how they ended and by format."""
        return self._endings().table(("quarantined", "internal_error", "no state"))

    def _endings(self) -> Endings:
        return Endings((each.code, each.file.format) for each in self.ended)


def run(stack: Stack, seed: int, numbers: Sequence[int], say: Callable[[str], None]) -> Findings:
    """Submit the files of these numbers and wait until each has a final state.

    Args:
        stack: that is to read them.
        seed: of the mutations.
        numbers: of the files.
        say: takes a line of progress.
    """
    with httpx.Client(base_url=stack.gateway, timeout=120.0) as http:
        http.post("/collections", json={"name": COLLECTION})
        _warm_up(http)
        stack.settle()
        memory, began = ResidentMemory(stack), time.monotonic()
        ledger = Ledger(stack.data)
        with memory:
            ended = send(http, seed, numbers, say, ledger)
            answers = ask(http)
        seconds = time.monotonic() - began
        return Findings(ended, memory, seconds, ledger.lost_processes(), answers)


def _warm_up(http: httpx.Client) -> None:
    """Whole files first: what a worker loads once is no growth, nor is the room that the model
    takes for its largest batch in each thread."""
    text = "\n".join(PASSAGE.format(hour=at, count=at * at) for at in range(1200))
    long = [Original(f"long-{at}.txt", f"{at}\n{text}".encode()) for at in range(LONG_FILES)]
    for original in (*long, *originals()):
        reply = _upload(http, original.name, original.data, original.password, COLLECTION)
        task = reply.raise_for_status().json()["documents"][0]["task_id"]
        for _ in range(300):
            if http.get(f"/tasks/{task}", params={"wait": 1}).json()["status"] in FINAL:
                break
    ask(http)


def send(
    http: httpx.Client,
    seed: int,
    numbers: Sequence[int],
    say: Callable[[str], None],
    ledger: Ledger,
    collection: str = COLLECTION,
) -> list[Ended]:
    """Upload the files of these numbers, and give the end of each."""
    return _await(http, _submit(http, seed, numbers, say, collection), say, ledger)


def _upload(
    http: httpx.Client, name: str, data: bytes, password: str | None, collection: str
) -> httpx.Response:
    """One file, sent once: that there is no room for it (503) cannot be, so few are they."""
    form = {"collection": collection} | ({"password": password} if password is not None else {})
    return http.post("/documents", files={"files": (name, data)}, data=form)


def _submit(
    http: httpx.Client,
    seed: int,
    numbers: Sequence[int],
    say: Callable[[str], None],
    collection: str,
) -> list[tuple[MutatedFile, str | None, str]]:
    """Each file with its task, or with why it was refused."""
    sent, lock = Counter[str](), threading.Lock()

    def submit(number: int) -> tuple[MutatedFile, str | None, str]:
        file = mutated_file(seed, number)
        reply = _upload(http, file.name, file.data, file.password, collection)
        with lock:
            sent["files"] += 1
            if sent["files"] % 500 == 0:
                say(f"files: {sent['files']:,} of {len(numbers):,} submitted")
        if reply.status_code != 202:
            return file, None, f"refused {reply.status_code}"
        entry = reply.json()["documents"][0]
        return file, entry["task_id"], "duplicate" if entry.get("duplicate_of") else ""

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(submit, numbers))


def _await(
    http: httpx.Client,
    submitted: list[tuple[MutatedFile, str | None, str]],
    say: Callable[[str], None],
    ledger: Ledger,
) -> list[Ended]:
    """The ends; a file has none when nothing at all moves any more, not while it waits."""
    ended = [Ended(file, refused) for file, task, refused in submitted if task is None]
    waiting = [(task, file, seen) for file, task, seen in submitted if task is not None]
    standstill = Standstill(ledger.fingerprint)
    while waiting and standstill.seconds() < STALLED_SECONDS:
        # The oldest is waited for; those behind it are often over by then.
        http.get(f"/tasks/{waiting[0][0]}", params={"wait": 1})
        looked_at, waiting = waiting[:LOOK_AHEAD], waiting[LOOK_AHEAD:]
        before = len(ended)
        for task_id, file, seen in looked_at:
            task = http.get(f"/tasks/{task_id}").json()
            if task["status"] in FINAL:
                error = task.get("error") or {}
                code = error.get("code") or seen or task["status"]
                ended.append(Ended(file, code, error.get("message", "")))
            else:
                waiting.append((task_id, file, seen))
        if len(ended) // 250 > before // 250:
            say(f"files: {len(ended):,} of {len(submitted):,} have ended")
    return ended + [
        Ended(file, "no state", f"{task} {_standing(http.get(f'/tasks/{task}').json())}")
        for task, file, _ in waiting
    ]


def _standing(task: dict[str, Any]) -> str:
    """Where a task stands that does not go on."""
    progress = task.get("progress") or {}
    done = f"{progress.get('done')} of {progress.get('total')} {progress.get('unit')}"
    return f"{task['status']} {task['stage']} {done} attempt {task['attempt']}"


def ask(http: httpx.Client, collection: str = COLLECTION) -> Counter[int]:
    """Questions over whatever was read: no chunk may be such that it cannot be answered from."""
    statuses: Counter[int] = Counter()
    for question in QUESTIONS:
        for path in ("/rag/search", "/rag/query/sync"):
            body = {"question": question, "collection": collection, "top_k": 50}
            statuses[http.post(path, json=body).status_code] += 1
    return statuses
