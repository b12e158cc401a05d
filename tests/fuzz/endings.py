"""How files end, by format: what of it is a fault, and whether enough of them was read at all."""

from collections import Counter
from collections.abc import Iterable

from tests.fuzz.originals import FORMATS
from tests.fuzz.report import Table

COMPLETED = "completed"
# Ends of which Flotilla, and not the file, is to blame; a quarantine is the file's, and stands
# in the table of its own.
FAULTS = ("internal_error", "time_limit", "worker_lost", "crashed", "out_of_memory", "no state")
DEATHS = ("quarantined", *FAULTS)
# Of a format: files that all fail at the door try nothing behind it, and a door that is shut to all
# is a fault too. A seed gives a third of each format at the least.
LEAST_READ = 0.2
FEWEST = 30  # files of a format: of fewer, chance may have damaged all


class Endings:
    """Counts of ends by code and format."""

    def __init__(self, ends: Iterable[tuple[str, str]] = ()) -> None:
        self._counts: dict[str, Counter[str]] = {}
        for code, kind in ends:
            self.add(code, kind)

    def add(self, code: str, kind: str) -> None:
        """One file: COMPLETED, an error's code, or another word; and its format."""
        self._counts.setdefault(code, Counter())[kind] += 1

    def total(self) -> Counter[str]:
        """Files by format."""
        return sum(self._counts.values(), Counter[str]())

    def unread(self) -> list[str]:
        """The formats of which too little was read, a line each."""
        completed = self._counts.get(COMPLETED, Counter())
        return [
            f"only {completed[kind]:,} of {count:,} {kind.upper()} files were read"
            for kind, count in self.total().items()
            if count >= FEWEST and completed[kind] < LEAST_READ * count
        ]

    def table(self, always: Iterable[str] = ()) -> Table:
        """Files by how they ended and by format; `always` names ends that stand there at 0 too."""
        counts = {code: Counter[str]() for code in always} | self._counts
        ordered = sorted(counts.items(), key=lambda entry: -entry[1].total())
        lines = [
            (f"`{code}`", *(f"{by[kind]:,}" for kind in FORMATS), f"{by.total():,}")
            for code, by in ordered
        ]
        totals = self.total()
        lines.append(
            ("**all**", *(f"{totals[kind]:,}" for kind in FORMATS), f"**{totals.total():,}**")
        )
        return Table(("ended as", *(kind.upper() for kind in FORMATS), "all"), lines)
