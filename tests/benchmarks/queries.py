"""Questions: what the gateway, the queue and the ledger add to answering in one process."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import psutil

from tests.benchmarks.corpus import questions, write_corpus
from tests.benchmarks.ingestion import QUICK, corpus_name
from tests.benchmarks.inprocess import Answering, InProcess
from tests.benchmarks.load import Load, run_load
from tests.benchmarks.report import Outcome, Row, Table, median, spread
from tests.benchmarks.stack import Stack, progress

MOST_ADDED = 5.0  # milliseconds at p50 with one client
LEAST_SHARE = 0.7  # of the in-process throughput at CLIENTS clients
CLIENTS = 32
WARM_UP = 20
BLOCKS = 4
ROUNDS = 3

Prepared = tuple[InProcess, str]


@dataclass(frozen=True)
class Kind:
    """One way to ask: its endpoint and its in-process counterpart."""

    name: str
    path: str
    call: Callable[[InProcess], Answering]


KINDS = (
    Kind("search", "/rag/search", lambda baseline: baseline.search),
    Kind("answer", "/rag/query/sync", lambda baseline: baseline.answer),
)


def prepare(stack: Stack) -> Prepared:
    """The in-process counterpart over the ingested corpus, which is made where there is none."""
    name = corpus_name(1)
    if not any(collection.name == name for collection in stack.client.collections()):
        progress("ingesting something to ask about")
        stack.ingest(write_corpus(stack.data / "corpus", QUICK[0], 25), name)
    baseline = InProcess(stack.settings, name)
    for kind in KINDS:
        ask(stack, kind, name, questions(WARM_UP, seed=1), 1)
        baseline.run(kind.call(baseline), questions(WARM_UP, seed=1), 1)
    _compare_passages(stack, baseline, name)
    stack.settle()
    return baseline, name


def _compare_passages(stack: Stack, baseline: InProcess, collection: str) -> None:
    """Both sides have to find the same, or their times cannot be compared."""
    for question in questions(5, seed=2):
        ours = stack.client.search(question, collections=[collection])
        theirs = baseline.search(baseline.query(question))
        found = {p.chunk_id for p in ours.passages}, {p.chunk_id for p in theirs}
        assert found[0] == found[1], f"{question!r} finds different passages"


def ask(stack: Stack, kind: Kind, collection: str, asked: list[str], clients: int) -> Load:
    """Put each question once to the gateway."""
    bodies = [{"question": question, "collection": collection} for question in asked]
    # What is compared is what answering costs, and not what it saves to have been asked before.
    return run_load(stack.gateway + kind.path, bodies, clients, {"Cache-Control": "no-store"})


def one_client(stack: Stack, prepared: Prepared, quick: bool) -> Outcome:
    """Latency of one client that asks one question after the other."""
    baseline, collection = prepared
    count = 80 if quick else 200
    outcome = Outcome()
    for at, kind in enumerate(KINDS):
        asked = questions(count, seed=10 + at)
        ours, theirs, errors = [], [], 0
        for block in range(BLOCKS):
            part = asked[block::BLOCKS]
            load = ask(stack, kind, collection, part, 1)
            ours.append(load.latencies)
            errors += load.errors
            theirs.append(baseline.run(kind.call(baseline), part, 1).latencies)
        added = [median(a) - median(b) for a, b in zip(ours, theirs, strict=True)]
        all_ours, all_theirs = (sorted(chain.from_iterable(part)) for part in (ours, theirs))
        p50 = median(all_ours), median(all_theirs)
        p95 = [part[int(0.95 * (len(part) - 1))] for part in (all_ours, all_theirs)]
        progress(f"{kind.name}: p50 {p50[0]:.1f} ms against {p50[1]:.1f} ms, {errors} errors")
        outcome.rows += [
            Row(
                f"{kind.name}, 1 client, p50 of {count}",
                f"{p50[0]:.1f} ms",
                f"{p50[1]:.1f} ms",
                f"{p50[0] - p50[1]:+.1f} ms ({min(added):+.1f} to {max(added):+.1f})",
                f"≤ +{MOST_ADDED:.0f} ms",
                p50[0] - p50[1] <= MOST_ADDED and not errors,
            ),
            Row(
                f"{kind.name}, 1 client, p95",
                f"{p95[0]:.1f} ms",
                f"{p95[1]:.1f} ms",
                f"{p95[0] - p95[1]:+.1f} ms",
            ),
        ]
        outcome.values[kind.name] = {"stack_ms": ours, "in_process_ms": theirs, "errors": errors}
    return outcome


def many_clients(stack: Stack, prepared: Prepared, quick: bool) -> Outcome:
    """Throughput with 32 clients against 32 threads."""
    baseline, collection = prepared
    count, rounds = (320, 1) if quick else (640, ROUNDS)
    outcome = Outcome()
    cost: list[tuple[str, ...]] = []
    for at, kind in enumerate(KINDS):
        ours: list[Load] = []
        theirs: list[Load] = []
        cpu: list[dict[str, float]] = []
        alone: list[float] = []
        for number in range(rounds):
            asked = questions(count, seed=100 + 10 * at + number)
            before, mine = stack.cpu_seconds(), _own_cpu()
            ours.append(ask(stack, kind, collection, asked, CLIENTS))
            after = stack.cpu_seconds()
            cpu.append({n: 1000 * (s - before.get(n, 0)) / count for n, s in after.items()})
            cpu[-1]["load generator"] = 1000 * (_own_cpu() - mine) / count
            before, mine = after, _own_cpu()
            theirs.append(baseline.run(kind.call(baseline), asked, CLIENTS))
            node = stack.cpu_seconds()["qdrant"] - before["qdrant"]
            alone.append(1000 * (_own_cpu() - mine + node) / count)
            progress(
                f"{kind.name}, {CLIENTS} clients, {number + 1}/{rounds}: "
                f"{ours[-1].rate:.0f}/s against {theirs[-1].rate:.0f}/s, {ours[-1].errors} errors"
            )
        errors = sum(load.errors for load in ours)
        rates = [load.rate for load in ours], [load.rate for load in theirs]
        ratios = [a / b for a, b in zip(*rates, strict=True)]
        generator = [part.pop("load generator") for part in cpu]
        totals = [sum(part.values()) for part in cpu]
        outcome.rows += [
            Row(
                f"{kind.name}, {CLIENTS} clients, {errors or 'no'} errors",
                spread(rates[0], 0, "/s"),
                spread(rates[1], 0, "/s"),
                spread(ratios, 2),
                f"≥ {LEAST_SHARE}, no errors",
                median(ratios) >= LEAST_SHARE and not errors,
            ),
            Row(
                f"{kind.name}, {CLIENTS} clients, CPU a question",
                spread(totals, 2, "ms"),
                spread(alone, 2, "ms"),
                f"{median(totals) / median(alone):.2f}",
            ),
        ]
        if first := next((load.first_error for load in ours if load.first_error), None):
            outcome.notes.append(f"first error of {kind.name}: {first}")
        names = sorted({n for part in cpu for n in part})
        middle = {n: median(part.get(n, 0.0) for part in cpu) for n in names}
        middle["load generator"] = median(generator)
        cost += [
            (kind.name, n, f"{ms:.2f}")
            for n, ms in sorted(middle.items(), key=lambda item: -item[1])
            if ms >= 0.01
        ]
        outcome.values[kind.name] = {
            "stack": rates[0],
            "in_process": rates[1],
            "errors": errors,
            "cpu_ms": middle,
            "p95_ms": [sorted(load.latencies)[int(0.95 * len(load.latencies))] for load in ours],
        }
    title = f"CPU of one question by program, {CLIENTS} clients"
    outcome.tables.append(Table(title, ("question", "program", "CPU ms"), cost))
    return outcome


def _own_cpu() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system
