"""Measure a stack beside its baselines: `python -m tests.benchmarks`, or `make bench`.

Prints Markdown on stdout and its progress on stderr. What each line means is in
docs/benchmarks.md.
"""

import argparse
import json
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tests.benchmarks import (
    answers,
    caches,
    conversion,
    enqueueing,
    followups,
    ingestion,
    machine,
    memory,
    queries,
    queueing,
    retrieval_growth,
    steps,
    streams,
)
from tests.benchmarks.report import Outcome, render, spread
from tests.benchmarks.stack import Stack, isolate_environment, progress, running_stack

Benchmark = Callable[[Stack, bool], Outcome]

# In the order in which they run. Each of FRESH gets a stack that has done nothing before.
SHARED: dict[str, Benchmark] = {
    "ingestion": ingestion.run,
    "latency": lambda stack, quick: queries.one_client(stack, queries.prepare(stack), quick),
    "throughput": lambda stack, quick: queries.many_clients(stack, queries.prepare(stack), quick),
    "enqueueing": enqueueing.run,
    "queue": queueing.run,
    "answers": answers.run,
    "streams": streams.run,
    "caches": caches.run,
}
FRESH: dict[str, Benchmark] = {"memory": memory.run}


def main() -> int:
    """Run what is asked for; exit code 1 when a benchmark broke off, whatever the goals."""
    names = [*SHARED, "followups", "conversion", *FRESH, "retrieval_growth"]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, less data: a look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw numbers there")
    parser.add_argument(
        "--conversations", type=Path, metavar="FOLDER", help="real ones, for `followups`"
    )
    parser.add_argument(
        "--robustness", type=Path, metavar="FOLDER", help="files and their texts, for `conversion`"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="a million chunks in `retrieval_growth`; an hour or more",
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="PNG of `retrieval_growth`, written there"
    )
    options = parser.parse_args()
    benchmarks = SHARED | {"followups": lambda _stack, _quick: followups.run(options.conversations)}
    fresh = FRESH | {
        "retrieval_growth": lambda stack, quick: retrieval_growth.run(
            stack, quick, full=options.full, plot=options.plot
        )
    }
    wanted = set(options.only or names)

    isolate_environment()
    signal.signal(signal.SIGTERM, _interrupt)
    head = machine.describe()
    outcomes: dict[str, Outcome] = {}
    broken: list[str] = []
    others: list[float] = []
    try:
        if "conversion" in wanted:
            progress("measuring conversion")
            try:  # it needs no stack
                outcomes["conversion"] = conversion.run(options.robustness, quick=options.quick)
            except Exception:  # noqa: BLE001 - the other benchmarks still tell something
                traceback.print_exc()
                broken.append("conversion")
        for group in (benchmarks, *({name: run} for name, run in fresh.items())):
            chosen = {name: run for name, run in group.items() if name in wanted}
            if chosen:
                with running_stack(**steps.ENVIRONMENT) as stack:
                    broken += _measure(stack, chosen, options.quick, outcomes)
                    others += stack.others
    except KeyboardInterrupt:
        broken.append("interrupted")
    if others:
        head["meanwhile"] = f"others used {spread(others, 2)} of the cores"
    print(render(head, outcomes))
    if options.json:
        values = {name: outcome.values for name, outcome in outcomes.items()}
        options.json.write_text(json.dumps({"machine": head} | values, indent=2) + "\n")
    if broken:
        print(f"Broken off: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


def _measure(
    stack: Stack, chosen: dict[str, Benchmark], quick: bool, outcomes: dict[str, Outcome]
) -> list[str]:
    broken = []
    for name, run in chosen.items():
        progress(f"measuring {name}")
        try:
            stack.settle()
            outcomes[name] = run(stack, quick)
        except Exception:  # noqa: BLE001 - the other benchmarks still tell something
            traceback.print_exc()
            broken.append(name)
    return broken


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
