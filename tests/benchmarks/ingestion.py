"""Ingestion: the stack against the fastest loop that embeds the same chunks by the same model."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import steps
from tests.benchmarks.corpus import write_corpus
from tests.benchmarks.report import Outcome, Row, Table, median, spread
from tests.benchmarks.stack import Stack, progress

GOAL = 0.95
FULL = (12, 25, 3)  # documents, pages of each, rounds
QUICK = (4, 15, 1)


def corpus_name(number: int) -> str:
    """The collection of one round; each round has one, so that no upload is a duplicate."""
    return f"chronicles-{number}"


def run(stack: Stack, quick: bool) -> Outcome:
    """Alternate rounds of the stack and of the loop; leaves the collections for the questions."""
    documents, pages, rounds = QUICK if quick else FULL
    files = write_corpus(stack.data / "corpus", documents, pages)
    chunks_file = stack.data / "chunks.json"
    of_stack: list[float] = []
    of_loop: list[float] = []
    cpu: dict[str, list[float]] = {"stack": [], "loop": []}
    used: dict[str, float] = {}
    count = 0
    way: str | None = None
    went: Table | None = None
    warm_up = write_corpus(stack.data / "warm-up", 1, 4, first_seed=1000)
    stack.ingest(warm_up, "warm-up")
    for number in range(1, rounds + 1):
        stack.settle()
        before = stack.cpu_seconds()
        began = datetime.now(UTC)
        seconds, ids = stack.ingest(files, corpus_name(number))
        ended = datetime.now(UTC)
        used = {name: value - before.get(name, 0) for name, value in stack.cpu_seconds().items()}
        texts = [_embedded(chunk) for id_ in ids for chunk in stack.client.chunks(id_, limit=500)]
        count = len(texts)
        went = steps.table(stack.data / "logs", began, ended, count)
        of_stack.append(count / seconds)
        cpu["stack"].append(1000 * sum(used.values()) / count)
        progress(f"ingestion {number}/{rounds}: stack {of_stack[-1]:.1f} chunks/s")
        stack.settle()
        chunks_file.write_text(json.dumps(texts), encoding="utf-8")
        loop = _loop(chunks_file, way)
        way = loop["way"]
        of_loop.append(loop["chunks"] / loop["seconds"])
        cpu["loop"].append(1000 * loop["cpu"] / count)
        progress(f"ingestion {number}/{rounds}: loop, {way}: {of_loop[-1]:.1f} chunks/s")
    ratios = [ours / theirs for ours, theirs in zip(of_stack, of_loop, strict=True)]
    row = Row(
        f"ingestion, {documents * pages} pages, {count:,} chunks",
        spread(of_stack, unit="chunks/s"),
        f"{spread(of_loop, unit='chunks/s')}, {way}",
        spread(ratios, 2),
        f"≥ {GOAL}",
        median(ratios) >= GOAL,
    )
    cost = Row(
        "ingestion, CPU a chunk",
        spread(cpu["stack"], unit="ms"),
        spread(cpu["loop"], unit="ms"),
        f"{median(cpu['stack']) / median(cpu['loop']):.2f}",
    )
    shares = sorted(used.items(), key=lambda item: -item[1])
    table = Table(
        "CPU of one round of ingestion by program",
        ("program", "CPU s", "ms a chunk"),
        [(n, f"{s:.2f}", f"{1000 * s / count:.2f}") for n, s in shares if s >= 0.05],
    )
    values = {"stack": of_stack, "loop": of_loop, "way": way}
    return Outcome(
        [row, cost],
        tables=[table, *([went] if went else [])],
        values=values | {"cpu_ms": cpu, "cpu_by_program": used},
    )


def _embedded(chunk: Any) -> str:
    return f"{chunk.context}\n{chunk.text}" if chunk.context else chunk.text


def _loop(chunks: Path, way: str | None) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.embed_loop", str(chunks)]
    command += [way] if way else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
