"""Kill the gateway and rag workers under streamed answers, and count lost and repeated tokens:
`python -m tests.chaos.answers`, or `make chaos-streams`.

A stack of its own with two rag workers, whose language model is the double of an OpenAI server: it
writes numbered words at a pace. Questions are asked through the client, several at once; while
their answers are being read, in turns a rag worker, the gateway, and both are killed, which the
supervisor starts anew. Progress is on stderr, the table on stdout; exit code 1 when a word was
lost, came twice, or a run did not end with its answer.
"""

import argparse
import random
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
from rich.console import Console
from rich.table import Table

from flotilla.client import AnswerEvent, ClientError, DoneEvent, Flotilla, TokenEvent
from tests.benchmarks.stack import isolate_environment, progress
from tests.chaos.stack import Stack, running_stack, temporary_folder, wait_for
from tests.doubles.counted_words import counted, lost_and_repeated, question
from tests.doubles.openai_server import OpenAIServer

WORDS, PAUSE = 150, 40  # an answer takes six seconds at least
AT_ONCE = 12
REST = (3.0, 8.0)  # seconds between two kills, drawn
KILLS = (("rag worker",), ("gateway",), ("rag worker", "gateway"))
READY_SECONDS = 120.0
DOCUMENT = "Words are counted from one. Each tenth has a number. Numbers stand behind words."


@dataclass
class Count:
    """What came of the runs."""

    runs: int = 0
    lost: int = 0
    repeated: int = 0
    tokens: int = 0
    taken_back: int = 0
    unfinished: list[str] = field(default_factory=list)
    cut_off: int = 0
    taken_over: int = 0
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        """Whether each run's words came once, to the end."""
        return not (self.lost or self.repeated or self.taken_back or self.unfinished)


class Killer(threading.Thread):
    """Kills what writes or relays, again and again."""

    def __init__(self, stack: Stack, dice: random.Random, count: Count) -> None:
        super().__init__(daemon=True)
        self._stack, self._dice, self._count = stack, dice, count
        self.over = threading.Event()
        self.gateway_kills: list[float] = []

    def run(self) -> None:
        """Kill until it is over."""
        turn = 0
        while not self.over.wait(self._dice.uniform(*REST)):
            for what in KILLS[turn % len(KILLS)]:
                workers = sorted(self._stack.workers("rag"))
                name = "gateway" if what == "gateway" else self._dice.choice(workers)
                if self._stack.signal(name, signal.SIGKILL) is not None:
                    self._count.kills[what] += 1
                    if name == "gateway":
                        self.gateway_kills.append(time.monotonic())
            wait_for(self._answers, READY_SECONDS, "gateway and rag worker are there")
            turn += 1

    def _answers(self) -> bool:
        try:
            healthy = httpx.get(f"{self._stack.url}/health/live", timeout=5).is_success
        except httpx.TransportError:
            return False
        return healthy and any(
            self._stack.takes_work("rag", name) for name in self._stack.workers("rag")
        )


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.answers", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, metavar="N", help="answers that are read")
    parser.add_argument("--seed", type=int, help="of the kills; a new one by default")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    isolate_environment()
    count = Count()
    with OpenAIServer() as server, temporary_folder() as folder:
        server.responder = counted
        progress("starting a stack")
        with running_stack(
            folder,
            "rag=2",
            LLM_MODEL="openai:double",
            LLM_BASE_URL=server.base_url,
            # What is measured is not how long a busy machine takes to start a gateway.
            FLOTILLA_GATEWAY_STREAM_GRACE="120",
        ) as stack:
            accepted = stack.client.ingest_text(DOCUMENT, name="words.txt")
            stack.client.wait(accepted.task_id, timeout=120)
            began = time.monotonic()
            killer = Killer(stack, random.Random(seed), count)
            killer.start()
            try:
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    for number in range(options.runs):
                        pool.submit(_run, stack.url, killer, count, number)
            finally:
                killer.over.set()
                killer.join(READY_SECONDS)
            seconds = time.monotonic() - began
            lost = "SELECT count(*) FROM jobs WHERE kind = 'query' AND losses > 0"
            count.taken_over = stack.ledger.rows(lost)[0][0]
    _print(count, seed, seconds)
    return 0 if count.clean and count.runs == options.runs else 1


def _run(url: str, killer: Killer, count: Count, number: int) -> None:
    """Ask one question and read its answer; compare what came with what was to come."""
    events: list[AnswerEvent] = []
    began = time.monotonic()
    asked = f"Run {number}: {question(WORDS, PAUSE)}"
    trouble: str | None = None
    while not events and time.monotonic() - began < READY_SECONDS:
        try:
            with Flotilla(url, timeout=30) as client:
                # No run is to be told what another was.
                events.extend(client.stream(asked, cache_control="no-store"))
        except ClientError as error:
            # Where the gateway was killed before it had taken the question, it is asked again.
            trouble = error.message
            time.sleep(0.5)
    with _lock:
        count.runs += 1
        tokens = [event for event in events if isinstance(event, TokenEvent)]
        text = "".join(token.text for token in tokens)
        lost, repeated = lost_and_repeated(text, WORDS)
        count.lost += lost
        count.repeated += repeated
        count.tokens += len(tokens)
        at = 0
        for token in tokens:
            count.taken_back += token.start != at
            at = token.start + len(token.text)
        done = events[-1] if events else None
        if not isinstance(done, DoneEvent):
            count.unfinished.append(trouble or "no end was told")
        elif done.answer.text != text:
            count.unfinished.append("the answer differs from its tokens")
        ended = time.monotonic()
        count.cut_off += any(began < moment < ended for moment in killer.gateway_kills)
        if count.runs % 10 == 0:
            progress(f"{count.runs} runs, {count.lost} lost, {count.repeated} repeated")


_lock = threading.Lock()


def _print(count: Count, seed: int, seconds: float) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title=f"seed {seed}, {seconds:.0f} s, {WORDS} words an answer")
    cells = {
        "runs": count.runs,
        "gateways killed": count.kills["gateway"],
        "runs cut off": count.cut_off,
        "workers killed": count.kills["rag worker"],
        "runs taken over": count.taken_over,
        "tokens": count.tokens,
        "words lost": count.lost,
        "repeated": count.repeated,
        "taken back": count.taken_back,
        "unfinished": len(count.unfinished),
    }
    for name in cells:
        table.add_column(name, justify="right")
    table.add_row(*map(str, cells.values()))
    console.print(table)
    for why, number in Counter(count.unfinished).items():
        console.print(f"  {number} × {why}")


if __name__ == "__main__":
    sys.exit(main())
