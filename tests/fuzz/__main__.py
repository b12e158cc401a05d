"""Bad input in bulk, against stacks of its own: `python -m tests.fuzz`, or `make fuzz`.

Prints Markdown on stdout and its progress on stderr; exit code 1 when anything was found.
"""

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from tests.benchmarks.stack import isolate_environment, progress, running_stack
from tests.fuzz import api, inprocess, report, submission
from tests.fuzz.files import mutated_file
from tests.fuzz.ledger import Ledger

CASES, FILES = 10_000, 2_000
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
        parts["Requests"] = _api(options, found)
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
    parser.add_argument("--cases", type=int, default=CASES, help="HTTP requests, at least")
    parser.add_argument("--files", type=int, default=FILES, help="mutated files")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, help="of both; a new one by default")
    parser.add_argument(
        "--only",
        choices=("api", "files", "in-process"),
        help="one part alone; `in-process` is the files without a stack, which is fast",
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


def _api(options: argparse.Namespace, found: list[str]) -> str:
    with running_stack() as stack:
        began = time.monotonic()
        tallies = api.run(stack.gateway, options.cases, options.seed, progress)
        seconds = time.monotonic() - began
        progress("api: waiting for the tasks that were begun")
        ledger = Ledger(stack.data)
        ends = api.ends_of_tasks(stack.gateway, ledger)
        lost = ledger.lost_processes()
    for label, tally in tallies.items():
        found += [f"{label}: {name}\n{text}" for name, text in tally.samples.items()]
    found += [
        f"{count} tasks that the cases began ended as {code}"
        for code, count in ends.items()
        if code in submission.DEATHS
    ]
    found += [f"process lost: {each}" for each in lost.beyond]
    shown = ", ".join(f"`{code}` {count:,}" for code, count in ends.most_common())
    sent = sum(tally.cases for tally in tallies.values())
    return "\n\n".join(
        (
            _head(options, "api", options.cases, "cases"),
            f"{sent:,} requests in {seconds:.0f} s. The {ends.total():,} tasks that they began "
            f"ended as: {shown}. Processes lost over them: {lost}.",
            api.table(tallies).markdown(),
        )
    )


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
    began, codes, longest = time.monotonic(), Counter[str](), 0.0
    numbers = range(options.first, options.first + options.files)
    for ending in inprocess.endings(options.seed, numbers):
        codes[ending.code] += 1
        longest = max(longest, ending.seconds)
        if ending.is_fault:
            file = mutated_file(options.seed, ending.number)
            found.append(f"{file}: {ending.code} after {ending.seconds:.1f} s\n{ending.detail}")
        if codes.total() % 500 == 0:
            progress(f"in-process: {codes.total():,} of {options.files:,} files")
    table = report.Table(
        ("ended as", "files"), [(f"`{code}`", f"{count:,}") for code, count in codes.most_common()]
    )
    seconds = time.monotonic() - began
    return "\n\n".join(
        (
            _head(options, "in-process", options.files, "files"),
            f"{options.files:,} files in {seconds:.0f} s, the longest of them {longest:.1f} s.",
            table.markdown(),
        )
    )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
