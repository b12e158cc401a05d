"""What has to become of each source of a row: by it the ledger's jobs and documents are judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.documents import Planned
from tests.chaos.submission import Submission, Submitted


class Fate(StrEnum):
    """How a source ends."""

    ANSWERS = "answers"
    FAILS = "fails"
    CANCELLED = "cancelled"
    DELETED = "deleted"


@dataclass(frozen=True)
class Expected:
    """How a source has to end.

    Args:
        planned: the state of it that was handed in last.
        fate: what becomes of that.
        states: how many were handed in; each of them is ingested once.
        cut: requests that were sent once more, though they may have been carried out.
    """

    planned: Planned
    fate: Fate = Fate.ANSWERS
    states: int = 1
    cut: int = 0

    def may_end(self, status: str, code: str | None) -> bool:
        """Whether an ingestion of it may have ended like this."""
        match self.fate:
            case Fate.FAILS:
                return status == "failed" and code in self.planned.fails
            case Fate.CANCELLED:
                return status == "cancelled"
            case Fate.DELETED:
                return status in ("completed", "cancelled")
            case Fate.ANSWERS:
                # A state that comes late finds its successor there.
                return status == "completed" or (status == "cancelled" and self.states > 1)


def expected(submission: Submission) -> dict[str, Expected]:
    """What has to become of the sources that were taken, by their names."""
    return {
        entry.planned.name: _expected(entry) for entry in submission.submitted if entry.accepted
    }


def _expected(entry: Submitted) -> Expected:
    last, states, cut = entry.planned, 1, len(entry.cut)
    if entry.later is not None and entry.later.accepted:
        last, states, cut = entry.later.planned, 2, cut + len(entry.later.cut)
    return Expected(last, Fate.FAILS if last.fails else Fate.ANSWERS, states, cut)


def uploads_cut(submission: Submission, others: Mapping[str, Expected]) -> int:
    """Uploads of which a file may be left that no row of the ledger tells of."""
    cut = sum(len(entry.cut) for entry in submission.handed_in)
    return cut + sum(source.cut for source in others.values())
