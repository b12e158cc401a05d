"""What a space lacks of the documents that are live: found, parted into work, written, compared."""

from collections.abc import Iterator, Sequence
from typing import Any

from flotilla.errors import DependencyUnavailable, DocumentNotFound
from flotilla.ledger import sweep as ledger_sweep
from flotilla.ledger import versions
from flotilla.ledger.runs import StageRun
from flotilla.ledger.sweep import LiveVersion
from flotilla.ledger.versions import Version
from flotilla.logging import get_logger
from flotilla.vectorstore.indexing import Indexer
from flotilla.vectorstore.spaces import VectorSpace

logger = get_logger(__name__)

PART_CHUNKS = 128
"""Chunks of one part, about a second's work: whoever has an ingestion in the queue waits for no
more than one part a worker."""

PART_DOCUMENTS = 32

PASSES = 3
"""Times that the space is compared with the ledger before the switch."""

LISTED = 20
"""Documents that an error names."""

Piece = list[Any]
"""Version, first batch of chunks, batch after the last or None, and whether it is the last piece
of its document; as JSON, for a step's arguments."""


class Filling:
    """The filling of one space by one attempt at a stage.

    Args:
        run: the attempt.
        space: which is filled.
        indexer: writes chunks to it.
    """

    def __init__(self, run: StageRun, space: VectorSpace, indexer: Indexer) -> None:
        self._run = run
        self._space = space
        self._indexer = indexer

    def _pages(self) -> Iterator[list[LiveVersion]]:
        """All versions that answer, page by page."""
        after = ""
        while True:
            self._run.checkpoint()
            with self._run.database.reading() as connection:
                page = ledger_sweep.live_versions(connection, after)
            if not page:
                return
            after = page[-1].id
            yield page

    def _short(self, page: Sequence[LiveVersion]) -> list[LiveVersion]:
        """The versions of which the space does not have every chunk."""
        counts = self._space.census.live_counts([version.id for version in page])
        return [version for version in page if counts[version.id] < version.chunks]

    def _pieces(self) -> Iterator[tuple[int, Piece]]:
        """What the space lacks, long documents in several pieces; each with its chunks."""
        for page in self._pages():
            for live in self._short(page):
                if live.chunks <= 2 * PART_CHUNKS:
                    yield live.chunks, [live.id, 0, None, True]
                    continue
                version = self._version(live.id)
                batches = self._indexer.batches(version) if version is not None else 0
                size = max(1, PART_CHUNKS * batches // live.chunks)
                for first in range(0, batches, size):
                    last = first + size >= batches
                    yield PART_CHUNKS, [live.id, first, None if last else first + size, last]

    def parts(self) -> Iterator[list[Piece]]:
        """Pieces gathered into parts of about equal work."""
        part: list[Piece] = []
        held = 0
        for chunks, piece in self._pieces():
            if part and (held + chunks > PART_CHUNKS or len(part) == PART_DOCUMENTS):
                yield part
                part, held = [], 0
            part.append(piece)
            held += chunks
        if part:
            yield part

    def _version(self, version_id: str) -> Version | None:
        """The version; None when it is gone.

        Where it answers no more, what an earlier attempt has left of it is removed.
        """
        with self._run.database.reading() as connection:
            live = versions.is_live(connection, version_id)
            try:
                version = versions.get(connection, version_id)
            except DocumentNotFound:  # the sweep removes what is left, if anything is
                return None
        if live:
            return version
        self._space.points.remove_version(version.tenant_id, version.document_id, version.id)
        return None

    def fill(self, version_id: str, first: int = 0, stop: int | None = None) -> int:
        """Write what the space lacks of a version; returns the tokens of the longest chunk.

        A document whose stored chunks are gone is left out: the last stage names those.
        """
        version = self._version(version_id)
        if version is None:
            return 0
        batches = range(first, stop if stop is not None else self._indexer.batches(version))
        try:
            written = self._indexer.complete(self._space, version, self._run.checkpoint, batches)
        except DocumentNotFound:
            logger.warning("migration.chunks_missing", document_id=version.document_id)
            return 0
        self._run.checkpoint()
        # Whoever replaces or deletes it changes the ledger first and removes its points then; here
        # they are written first, and the ledger is asked then. One of the two removes them.
        self._space.points.publish(version.tenant_id, version.document_id, version.id)
        self._version(version_id)
        return written.longest

    def verify(self) -> int:
        """Write what the space still lacks; returns how many documents it has in the end.

        What is published meanwhile goes into the space anyway.

        Raises:
            DocumentNotFound: naming the documents whose stored chunks are gone.
            DependencyUnavailable: points went missing again and again.
        """
        for _ in range(PASSES):
            looked_at = 0
            missing: list[LiveVersion] = []
            for page in self._pages():
                looked_at += len(page)
                missing += self._short(page)
            if not missing:
                return looked_at
            for live in missing:
                self.fill(live.id)
        left = [
            (live, version) for live in missing if (version := self._version(live.id)) is not None
        ]
        names = [version.document_name for _, version in left if not self._indexer.batches(version)]
        if names:
            shown = ", ".join(names[:LISTED]) + (" and others" if len(names) > LISTED else "")
            raise DocumentNotFound(
                f"The stored chunks of {len(names)} documents are gone ({shown}): submit these "
                "again or delete them, then retry this task."
            )
        raise DependencyUnavailable(
            "Points are missing from the new collection: they are written anew."
        )
