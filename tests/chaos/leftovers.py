"""What is left in the ledger and in the blobs of versions that nobody needs any more."""

import re
from collections import defaultdict
from typing import NamedTuple
from uuid import UUID

from tests.chaos.ledger import FINAL
from tests.chaos.stack import Stack

SOURCE = re.compile(r"source(\.[0-9a-f]{32}\.part)?")
"""What an upload writes before the ledger knows of it."""

WHOLE = re.compile(r"source|pages/index\.jsonl|(pages|chunks)/\d{5}\.jsonl")
"""What a version consists of."""

UNFINISHED = ".part"
"""What ends the name of a blob whose writer was killed: it is never read."""

SHOWN = 3


class Known(NamedTuple):
    """A version of the collection.

    `deleted_at` is its document's; `job_status` its ingestion's; `taken_over` whether a step of
    that was begun more than once.
    """

    id: str
    name: str
    state: str
    is_live: bool
    deleted_at: object
    job_status: str | None
    taken_over: bool


def leftovers(stack: Stack, collection: str, cut: int) -> list[str]:
    """What should not be there, or not in this state.

    A version that answers has its blobs, and one that failed keeps them for its retry. Of a worker
    that was killed there may be an unfinished blob, and of each upload that was sent once more a
    source of which the ledger does not know: both are the sweep's.

    Args:
        stack: where to look.
        collection: of which jobs are over.
        cut: uploads that were sent once more.
    """
    files = _files(stack)
    everywhere = {row[0] for row in stack.ledger.rows("SELECT id FROM versions")}
    found = [f for known in _known(stack, collection) for f in _faults(known, files[known.id])]
    born = _born(stack, collection)
    uploads = []
    for version_id in sorted(files.keys() - everywhere):
        made = _made(version_id)
        if made is not None and made < born:
            continue  # of a row before, which has judged it
        if made is not None and all(SOURCE.fullmatch(name) for name in files[version_id]):
            uploads.append(version_id)
        else:
            found.append(f"blobs of no version: {_shown(version_id, files[version_id])}")
    if len(uploads) > cut:
        found.append(
            f"{len(uploads)} uploads of no version, though {cut} were sent once more: "
            f"{', '.join(uploads[:SHOWN])}"
        )
    return found


def _faults(known: Known, files: list[str]) -> list[str]:
    name = f"version {known.id} of {known.name}"
    if known.job_status is not None and known.job_status not in FINAL:
        return []  # what is still worked on is told elsewhere
    if known.deleted_at is not None:
        return [f"{name} is still in the ledger, and its document deleted"]
    faults = []
    if known.state not in ("live", "failed", "retired"):
        faults.append(f"{name} is {known.state}, and its task {known.job_status}")
    if (known.state == "live") != known.is_live:
        which = "the one" if known.is_live else "not the one"
        faults.append(f"{name} is {known.state}, and {which} that answers")
    needed = known.is_live or (known.state == "failed" and known.job_status == "failed")
    strange = [f for f in files if not (needed and _belongs(f, known.taken_over))]
    if strange:
        faults.append(f"{name}, which is {known.state}, has left {_shown(known.id, strange)}")
    return faults


def _belongs(file: str, taken_over: bool) -> bool:
    return WHOLE.fullmatch(file) is not None or (taken_over and file.endswith(UNFINISHED))


def _shown(version_id: str, files: list[str]) -> str:
    return f"{version_id}: {len(files)} files, {', '.join(sorted(files)[:SHOWN])}"


def _files(stack: Stack) -> defaultdict[str, list[str]]:
    """The blobs of each version, by their paths below it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in stack.blobs.glob("*/*/**/*"):
        if path.is_file():
            _, version_id, *rest = path.relative_to(stack.blobs).parts
            found[version_id].append("/".join(rest))
    return found


def _known(stack: Stack, collection: str) -> list[Known]:
    rows = stack.ledger.rows(
        "SELECT v.id, d.name, v.state, d.live_version_id, d.deleted_at, j.status, "
        "(SELECT MAX(s.fence) FROM steps s WHERE s.job_id = j.id) "
        "FROM versions v JOIN documents d ON d.id = v.document_id "
        "JOIN collections c ON c.id = d.collection_id "
        "LEFT JOIN jobs j ON j.version_id = v.id AND j.kind = 'ingest' WHERE c.name = :name",
        name=collection,
    )
    return [
        Known(id_, name, state, id_ == live, deleted_at, status, (fence or 0) > 1)
        for id_, name, state, live, deleted_at, status, fence in rows
    ]


def _born(stack: Stack, collection: str) -> int:
    """When the collection was made, in milliseconds."""
    rows = stack.ledger.rows(
        "SELECT id FROM collections WHERE name = :name AND deleted_at IS NULL", name=collection
    )
    return max((_made(row[0]) or 0 for row in rows), default=0)


def _made(identifier: str) -> int | None:
    """When a UUID7 was made, in milliseconds since 1970; None for what is none."""
    try:
        found = UUID(identifier)
    except ValueError:
        return None
    return found.int >> 80 if found.version == 7 else None
