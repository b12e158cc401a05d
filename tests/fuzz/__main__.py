"""Bad input in bulk, against stacks of its own: `python -m tests.fuzz`, or `make fuzz`.

Prints Markdown on stdout and its progress on stderr; exit code 1 when anything was found.
"""

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from tests.benchmarks.stack import isolate_environment, progress, running_stack
from tests.chaos.postgresql import PostgreSQL
from tests.fuzz import api, inprocess, raw, report, submission, trial
from tests.fuzz.endings import Endings
from tests.fuzz.files import mutated_file

CASES, FILES = 10_000, 2_000
CASES_ON_POSTGRESQL = 1_500
SETTINGS = {
    # Waits that a case may ask for end soon.
    "FLOTILLA_GATEWAY_MAX_WAIT": "1",
    "FLOTILLA_GATEWAY_SYNC_TIMEOUT": "15",
    # Addresses that nobody answers cost little.
    "FLOTILLA_DOCUMENT_FETCH_TIMEOUT": "3",
    "FLOTILLA_JOB_MAX_ATTEMPTS": "3",
    "FLOTILLA_JOB_BACKOFF_BASE": "0.1",
    # Seven pages are three ranges, and a page tree that claims a million pages is refused.
    "FLOTILLA_DOCUMENT_PAGES_PER_RANGE": "3",
    "FLOTILLA_DOCUMENT_MAX_PAGES": "500",
    # A process that is replaced takes along what it has lost.
    "FLOTILLA_DOCUMENT_MAX_TASKS_PER_CHILD": "1000000",
    # A file that hangs is a finding, and shall not take five minutes to be one.
    "FLOTILLA_DOCUMENT_SOFT_TIME_LIMIT": "45",
    "FLOTILLA_DOCUMENT_TIME_LIMIT": "60",
}


def main() -> int:
    """Run what is asked for."""
    options = _options()
    if options.write_file is not None:
        file = mutated_file(options.seed, options.write_file)
        Path(file.name).write_bytes(file.data)
        print(f"{file}, password {file.password!r}")
        return 0
    isolate_environment()
    os.environ |= SETTINGS
    signal.signal(signal.SIGTERM, _interrupt)
    progress(f"seed {options.seed}")
    found: list[str] = []
    parts: dict[str, str] = {}
    if options.only in (None, "api"):
        parts |= _api(options, found)
    if options.only in (None, "postgresql"):
        parts |= _postgresql(options, found)
    if options.only in (None, "files"):
        parts["Files through the stack"] = _files(options, found)
    if options.only in (None, "in-process"):
        parts["Files, converted and split alone"] = _in_process(options, found)
    print(report.render(parts))
    if options.write_docs:
        report.write(parts)
    for line in found:
        print(f"found: {line}", file=sys.stderr)
    return 1 if found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--cases",
        type=int,
        default=CASES,
        help="HTTP requests, at least; on PostgreSQL never more than 1,500",
    )
    parser.add_argument("--files", type=int, default=FILES, help="mutated files")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, help="of both; a new one by default")
    parser.add_argument(
        "--only",
        choices=("api", "postgresql", "files", "in-process"),
        help="one part alone: the requests, fewer of them with the ledger on PostgreSQL, the files "
        "through a stack, or the files without one, which is fast",
    )
    parser.add_argument("--write-docs", action="store_true", help="put it into docs/reliability.md")
    parser.add_argument(
        "--write-file", type=int, metavar="NUMBER", help="write this mutated file here, and end"
    )
    options = parser.parse_args()
    if options.seed is None:
        if options.write_file is not None:
            parser.error("--write-file needs the --seed of the run that named the number")
        options.seed = random.SystemRandom().randrange(10**6)
    return options


def _head(options: argparse.Namespace, part: str, count: int, what: str) -> str:
    arguments = f"--only {part} --seed {options.seed} --{what} {count}"
    return f"{time.strftime('%d %B %Y')}, `make fuzz FUZZ='{arguments}'`."


def _api(options: argparse.Namespace, found: list[str]) -> dict[str, str]:
    result = trial.run(options.cases, options.seed, progress)
    found += result.faults()
    head = _head(options, "api", options.cases, "cases")
    made = (head, result.sentence(), api.table(result.made).markdown())
    return {
        "Requests": "\n\n".join(made),
        "Broken requests": f"{head}\n\n{raw.table(result.broken).markdown()}",
    }


def _postgresql(options: argparse.Namespace, found: list[str]) -> dict[str, str]:
    """Nothing where there is no PostgreSQL."""
    if obstacle := PostgreSQL.obstacle():
        progress(f"skipped, the requests with the ledger on PostgreSQL: {obstacle}")
        return {}
    cases = min(options.cases, CASES_ON_POSTGRESQL)
    result = trial.run_on_postgresql(cases, options.seed, progress)
    found += [f"on PostgreSQL: {line}" for line in result.faults()]
    head = _head(options, "postgresql", cases, "cases")
    text = (head, result.sentence(), result.table().markdown())
    return {"Requests, with the ledger on PostgreSQL": "\n\n".join(text)}


def _files(options: argparse.Namespace, found: list[str]) -> str:
    with running_stack() as stack:
        numbers = range(options.first, options.first + options.files)
        findings = submission.run(stack, options.seed, numbers, progress)
    found += findings.faults()
    lost = findings.memory.replaced
    answered = ", ".join(f"{count} × {status}" for status, count in findings.answers.items())
    return "\n\n".join(
        (
            _head(options, "files", options.files, "files"),
            f"{options.files:,} files in {findings.seconds:.0f} s. Workers lost: {len(lost)}; "
            f"processes of theirs: {findings.lost}. "
            f"Questions and searches over what was read of them: {answered}.",
            findings.table().markdown(),
            findings.memory.table().markdown(),
        )
    )


def _in_process(options: argparse.Namespace, found: list[str]) -> str:
    began, ended, longest = time.monotonic(), Endings(), 0.0
    numbers = range(options.first, options.first + options.files)
    for ending in inprocess.endings(options.seed, numbers):
        file = mutated_file(options.seed, ending.number)
        ended.add(ending.code, file.format)
        longest = max(longest, ending.seconds)
        if ending.is_fault:
            found.append(f"{file}: {ending.code} after {ending.seconds:.1f} s\n{ending.detail}")
        if (done := ended.total().total()) % 500 == 0:
            progress(f"in-process: {done:,} of {options.files:,} files")
    found += ended.unread()
    seconds = time.monotonic() - began
    return "\n\n".join(
        (
            _head(options, "in-process", options.files, "files"),
            f"{options.files:,} files in {seconds:.0f} s, the longest of them {longest:.1f} s.",
            ended.table().markdown(),
        )
    )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
