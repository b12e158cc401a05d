"""Notes: what a user should know of how a document was converted, kept with its job.

Each part of a stage writes its own, in place of what an earlier attempt of the same part wrote;
shown is one note for each code and sentence, with the pages of all parts.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from flotilla.ledger.tables import JOBS
from flotilla.models import Note
from flotilla.schemas import TaskNote

SHOWN_RUNS = 100
"""Stretches of pages that are told, of one note: it is a hint for a reader, and no index."""

jobs = JOBS.c


def write(
    connection: Connection, job_id: str, stage: str, part: int, notes: Sequence[Note]
) -> None:
    """Set what one part of a stage has to say. The job has to be locked."""
    stored = connection.scalar(select(jobs.notes).where(jobs.id == job_id)) or []
    others = [each for each in stored if (each["stage"], each["part"]) != (stage, part)]
    own = [
        {
            "stage": stage,
            "part": part,
            "code": note.code,
            "message": note.message,
            "pages": _runs(note.pages),
        }
        for note in notes
    ]
    if own or len(others) != len(stored):
        values = sorted(others + own, key=lambda each: (each["stage"], each["part"]))
        connection.execute(update(JOBS).where(jobs.id == job_id).values(notes=values or None))


def shown(stored: list[dict[str, Any]] | None) -> list[TaskNote]:
    """The notes of all parts as the API has them, those of one code and sentence as one."""
    runs: dict[tuple[str, str], list[list[int]]] = {}
    for each in stored or ():
        runs.setdefault((each["code"], each["message"]), []).extend(each["pages"])
    return [
        TaskNote(code=code, message=message, pages=_written(_joined(pages)))
        for (code, message), pages in runs.items()
    ]


def _runs(pages: Iterable[int]) -> list[list[int]]:
    """Page numbers as stretches of first and last."""
    return _joined([page, page] for page in pages)


def _joined(runs: Iterable[Sequence[int]]) -> list[list[int]]:
    joined: list[list[int]] = []
    for first, last in sorted(map(tuple, runs)):
        if joined and first <= joined[-1][1] + 1:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    return joined


def _written(runs: Sequence[Sequence[int]]) -> str | None:
    if not runs:
        return None
    written = [
        str(first) if first == last else f"{first}-{last}" for first, last in runs[:SHOWN_RUNS]
    ]
    return ",".join(written) + (",…" if len(runs) > SHOWN_RUNS else "")
