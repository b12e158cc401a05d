"""A gateway and all that is behind it, asked what nobody should ask: one half of `make fuzz`."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.benchmarks.stack import Stack, running_stack
from tests.chaos.postgresql import PostgreSQL
from tests.fuzz import api, raw
from tests.fuzz.endings import DEATHS
from tests.fuzz.judgement import Tally, summed, tally_table
from tests.fuzz.ledger import Ledger, LostProcesses
from tests.fuzz.report import Table

MADE, BROKEN = "made from the document", "broken by hand"


@dataclass
class Trial:
    """What was sent, what was answered, and what became of the tasks that it began."""

    made: dict[str, Tally]
    broken: dict[str, Tally]
    ends: Counter[str]
    lost: LostProcesses
    seconds: float

    def faults(self) -> list[str]:
        """Everything that must not be."""
        lines = [
            f"{label}: {name}\n{text}"
            for tallies in (self.made, self.broken)
            for label, tally in tallies.items()
            for name, text in tally.samples.items()
        ]
        lines += [
            f"{count} tasks that the requests began ended as {code}"
            for code, count in self.ends.items()
            if code in DEATHS
        ]
        # What lets nothing through finds nothing.
        for name, tallies in ((MADE, self.made), (BROKEN, self.broken)):
            total = summed(tallies.values())
            if not any(200 <= status < 300 for status in total.statuses):
                lines.append(f"none of {total.cases:,} requests {name} was accepted")
        return lines + [f"process lost: {each}" for each in self.lost.beyond]

    def sentence(self) -> str:
        """What was sent, for how long, and the ends of the tasks."""
        ends = ", ".join(f"`{code}` {count:,}" for code, count in self.ends.most_common())
        sent = summed((*self.made.values(), *self.broken.values())).cases
        return (
            f"{sent:,} requests in {self.seconds:.0f} s, {summed(self.broken.values()).cases:,} of "
            f"them {BROKEN}. The {self.ends.total():,} tasks that they began ended as: {ends}. "
            f"Processes lost over them: {self.lost}."
        )

    def table(self) -> Table:
        """A line for those of either kind."""
        both = {MADE: summed(self.made.values()), BROKEN: summed(self.broken.values())}
        return tally_table("requests", both)


def run(cases: int, seed: int, say: Callable[[str], None], database: str | None = None) -> Trial:
    """Send requests of both kinds to a stack of its own.

    Args:
        cases: made from the document, at least.
        seed: of these.
        say: takes a line of progress.
        database: address of the ledger's; SQLite in the stack's own folder by default.
    """
    with _stack_with(database) as stack:
        began = time.monotonic()
        made = api.run(stack.gateway, cases, seed, say)
        broken = raw.run(stack.gateway, say)
        seconds = time.monotonic() - began
        say("waiting for the tasks that were begun")
        ledger = Ledger(stack.data, database)
        ends = api.ends_of_tasks(stack.gateway, ledger)
        return Trial(made, broken, ends, ledger.lost_processes(), seconds)


def run_on_postgresql(cases: int, seed: int, say: Callable[[str], None]) -> Trial:
    """The same with a ledger on a PostgreSQL server of its own; see `PostgreSQL.obstacle`."""
    say("starting PostgreSQL")
    with PostgreSQL() as server:
        return run(cases, seed, say, server.url)


@contextmanager
def _stack_with(database: str | None) -> Iterator[Stack]:
    if database is not None:
        os.environ["DATABASE_URL"] = database
    try:
        with running_stack() as stack:
            yield stack
    finally:
        os.environ.pop("DATABASE_URL", None)
