"""The caches: what a look into each costs where nothing is there, and what it saves where it is."""

import time

from flotilla.ledger.database import Database
from tests.benchmarks.corpus import questions, write_corpus
from tests.benchmarks.ingestion import QUICK, corpus_name
from tests.benchmarks.inprocess import InProcess
from tests.benchmarks.load import Load, run_load
from tests.benchmarks.report import NONE, Outcome, Row, median
from tests.benchmarks.stack import Stack, progress

MOST_SHARE = 0.1  # of an answer without the caches, which looking in vain and keeping may take
BLOCKS = 5

ANSWER, SEARCH = "/rag/query/sync", "/rag/search"
ANEW = {"Cache-Control": "no-store"}


def run(stack: Stack, quick: bool) -> Outcome:
    """One client asks: without the caches, for the first time, again, in other words."""
    name = corpus_name(1)
    if not any(collection.name == name for collection in stack.client.collections()):
        progress("ingesting something to ask about")
        stack.ingest(write_corpus(stack.data / "corpus", QUICK[0], 25), name)
    stack.client.clear_caches()
    count = 100 if quick else 300

    def ask(path: str, asked: list[str], headers: dict[str, str] | None = None) -> Load:
        bodies = [{"question": question, "collection": name} for question in asked]
        return run_load(stack.gateway + path, bodies, 1, headers)

    ask(ANSWER, questions(20, seed=900), ANEW)
    # Different questions, since whoever has been embedded once is not embedded again.
    sets = {at: questions(count, seed=901 + at) for at in range(3)}
    took: dict[str, list[float]] = {}
    errors = 0
    for block in range(BLOCKS):
        anew, first, searched = (sets[at][block::BLOCKS] for at in range(3))
        for what, load in (
            ("answer, without the caches", ask(ANSWER, anew, ANEW)),
            ("answer, for the first time", ask(ANSWER, first)),
            ("answer, asked again", ask(ANSWER, first)),
            ("answer, in other words", ask(ANSWER, [f"Hello, {text}" for text in first])),
            ("search, without the caches", ask(SEARCH, searched, ANEW)),
            ("search, asked again", ask(SEARCH, first)),
        ):
            took.setdefault(what, []).extend(load.latencies)
            errors += load.errors
    p50 = {what: median(latencies) for what, latencies in took.items()}
    outcome = Outcome(values={"ms": took, "errors": errors})
    for kind in ("answer", "search"):
        base = f"{kind}, without the caches"
        for what in took:
            if not what.startswith(kind) or what == base:
                continue
            added = p50[what] - p50[base]
            first_time = what.endswith("first time")
            outcome.rows.append(
                Row(
                    f"{what}, p50 of {count}",
                    f"{p50[what]:.1f} ms",
                    f"{p50[base]:.1f} ms",
                    f"{added:+.1f} ms",
                    NONE if first_time else "less",
                    None if first_time else added < 0 and not errors,
                )
            )
    state = stack.client.caches()
    rates = {cache: counts.hit_rate for cache, counts in state.caches.items()}
    progress(f"caches: {rates}, {state.entries} entries in {state.used_bytes} bytes")
    if state.entries and state.used_bytes:
        outcome.notes.append(
            f"{state.entries} entries take {state.used_bytes / 2**20:.1f} MiB with Redis itself"
        )
    outcome.rows.append(_in_process(stack, name, count, outcome, p50["answer, without the caches"]))
    return outcome


def _in_process(
    stack: Stack, collection: str, count: int, outcome: Outcome, uncached: float
) -> Row:
    """What the caches do themselves in a worker, around an answer that costs nothing."""
    from flotilla.cache_store import CacheStore
    from flotilla.rag.caching.caches import Caches
    from tests.doubles.cached_answers import answer, asked, space

    baseline = InProcess(stack.settings, collection)
    found = stack.client.ask(questions(1, seed=900)[0], collections=[collection])
    made = answer(found.text, passages=found.passages, citations=found.citations)
    database = Database(stack.settings.ledger_url)
    store = CacheStore(stack.settings.cache)
    caches = Caches(store, stack.settings, lambda: database)
    times: dict[str, list[float]] = {"looking in vain and keeping": [], "looking and finding": []}
    for text in questions(count, seed=905):
        query = baseline.query(text)
        for each in times.values():
            began = time.perf_counter()
            caches.answer(asked(**query.model_dump()), space(), lambda: made)
            each.append(1000 * (time.perf_counter() - began))
    store.close()
    database.close()
    outcome.values["in_process_ms"] = times
    vain, hit = (median(each) for each in times.values())
    return Row(
        f"the caches' own work in the worker, in vain / found, p50 of {count}",
        f"{vain:.2f} / {hit:.2f} ms",
        f"{uncached:.1f} ms",
        f"{vain / uncached:.1%} / {hit / uncached:.1%}",
        f"≤ {MOST_SHARE:.0%}",
        max(vain, hit) <= MOST_SHARE * uncached,
    )
