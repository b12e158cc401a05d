"""Kill everything, one thing at a time, and count what is left: `python -m tests.chaos`, or
`make chaos`.

Each row has a stack of its own in a temporary folder, with two workers of each fleet. Progress is
on stderr, the table on stdout. Exit code 1 when anything was lost, is there twice, or failed
without a reason of its own. What each row does is in docs/reliability.md.
"""

import argparse
import random
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from rich.console import Console

from tests.benchmarks import machine
from tests.benchmarks.stack import isolate_environment, progress
from tests.chaos import mounts
from tests.chaos.matrix import ROWS
from tests.chaos.report import print_head, print_line, write_docs
from tests.chaos.run import PATIENCE, run_row
from tests.chaos.verdict import Verdict

DOCS = Path(__file__).parents[2] / "docs" / "reliability.md"


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rows", metavar="NAME,…", help="these rows alone, in this order")
    parser.add_argument("--documents", type=int, default=200, metavar="N", help="in each row")
    parser.add_argument("--seed", type=int, help="of all that is random; a new one by default")
    parser.add_argument("--list", action="store_true", help="show the rows and end")
    parser.add_argument("--write-docs", action="store_true", help=f"write the table into {DOCS}")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        help="seconds of standstill until what is open counts as lost",
    )
    parser.add_argument(
        "--allow-skipped", action="store_true", help="leave out the rows that cannot be run here"
    )
    parser.add_argument("--keep", action="store_true", help="keep the folders of rows that failed")
    options = parser.parse_args()
    if options.list:
        for row in ROWS.values():
            print(f"{row.name:16} {row.title}")
        return 0
    names = options.rows.split(",") if options.rows else list(ROWS)
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; --list shows them")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)

    mounts.isolate()
    obstacles = {name: why for name in names if (why := ROWS[name].obstacle()) is not None}
    if obstacles and not options.allow_skipped:
        print("These rows cannot be run here; --allow-skipped leaves them out:", file=sys.stderr)
        for name, why in obstacles.items():
            print(f"  {name}: {why}", file=sys.stderr)
        return 2
    isolate_environment()
    # Ctrl-C is ignored in what a shell has put into the background: not here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    verdicts, whole = _run(names, seed, options)
    if options.write_docs and whole:
        command = f"make chaos CHAOS='--documents {options.documents} --seed {seed}'"
        titles = {name: row.title for name, row in ROWS.items()}
        known = machine.describe()
        kept = {name: known[name] for name in ("date", "processor", "system")}
        write_docs(DOCS, verdicts, titles, command, kept)
    return 0 if whole and all(v.clean or v.skipped for v in verdicts) else 1


def _run(names: list[str], seed: int, options: argparse.Namespace) -> tuple[list[Verdict], bool]:
    """The verdicts, and whether every row came to its end."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(f"{options.documents} documents in each row, seed {seed}")
    print_head(console)
    verdicts: list[Verdict] = []
    whole = True
    for name in names:
        progress(f"{name}: {ROWS[name].title}")
        try:
            verdict = run_row(
                ROWS[name],
                options.documents,
                seed,
                progress,
                keep=options.keep,
                patience=options.patience,
            )
        except KeyboardInterrupt:
            progress("interrupted")
            return verdicts, False
        except Exception:  # noqa: BLE001 - the other rows still tell something
            traceback.print_exc()
            progress(f"{name} broke off")
            whole = False
            continue
        verdicts.append(verdict)
        print_line(console, verdict)
    return verdicts, whole


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
