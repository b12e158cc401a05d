"""A data set becomes documents, through the fleets; what is there already is not sent again."""

import hashlib
import io
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice

from flotilla.client import Flotilla, FlotillaAPIError
from flotilla.errors import BatchClosed, Overloaded
from flotilla.evaluation.data_sets import DataSet, Source
from flotilla.schemas import Document
from flotilla.schemas.documents import DocumentStatus

FILES_PER_REQUEST = 50
BYTES_PER_REQUEST = 16 * 1024 * 1024
"""An upload ends with the file that reaches either: a request that fails costs that much."""

LISTED_AT_ONCE = 500

LOOK_SECONDS = 1.0
"""Between two looks at what is still being worked on."""

Report = Callable[[int, int], None]
"""Told how many of how many sources are done with."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A source that did not become a document, and why."""

    name: str
    message: str


@dataclass
class Ingested:
    """How the ingestion ended.

    `found_as` has the ids of sources by their document's name: several where their bytes are the
    same, since Flotilla keeps one document of them. `sent` are those that were sent this time.
    """

    sources: int
    sent: int = 0
    failed: list[Failed] = field(default_factory=list)
    found_as: dict[str, list[str]] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    chunks: int = 0


def ingest(
    flotilla: Flotilla,
    data_set: DataSet,
    collection: str,
    report: Report,
    stopped: threading.Event | None = None,
) -> Ingested:
    """Send what the collection does not hold yet, and wait until all of it is there.

    A source whose ingestion failed for good is not sent again: it would fail again. To send all of
    it anew, empty the collection.

    Args:
        flotilla: the gateway's client.
        data_set: what is ingested.
        collection: its name; it is there.
        report: told of each advance.
        stopped: set by another thread, nothing more is sent or waited for.

    Raises:
        FlotillaAPIError, GatewayUnreachable: as every call does. What was sent goes on, and a
            second call takes it up.
    """
    work = _Ingestion(flotilla, data_set, collection, report, stopped or threading.Event())
    return work.carry_out()


class _Ingestion:
    def __init__(
        self,
        flotilla: Flotilla,
        data_set: DataSet,
        collection: str,
        report: Report,
        stopped: threading.Event,
    ) -> None:
        self._flotilla = flotilla
        self._data_set = data_set
        self._collection = collection
        self._report = report
        self._stopped = stopped
        self._refused: list[Failed] = []
        self._batches: list[str] = []

    def carry_out(self) -> Ingested:
        there = self._documents()
        missing = list(self._missing(there))
        settled = len(self._data_set.sources) - len(missing)
        if missing:
            batch = self._open(len(missing))
            for group in _groups(missing):
                if self._stopped.is_set():
                    break
                batch = self._send(group, batch)
                self._report(settled, len(self._data_set.sources))
            self._close(batch)
        self._await(settled)
        return self._ended(self._documents(), sent=len(missing) - len(self._refused))

    def _documents(self) -> dict[str, Document]:
        listed = self._flotilla.documents(collection=self._collection, limit=LISTED_AT_ONCE)
        return {each.name: each for each in listed}

    def _missing(self, there: dict[str, Document]) -> Iterator[Source]:
        digests = {each.sha256 for each in there.values()}
        for source in self._data_set.sources:
            document = there.get(source.name)
            if document is None and hashlib.sha256(source.read()).hexdigest() in digests:
                continue  # another source's document has these bytes
            if document is None or _may_be_tried_again(document):
                yield source

    def _send(self, group: Sequence[Source], batch: str) -> str:
        """Send some sources into the batch; returns it, or the one that was opened since it was
        closed. Where a request of several is refused, each is sent by itself."""
        files = [(each.name, io.BytesIO(each.read())) for each in group]
        try:
            self._flotilla.upload_batch(*files, collection=self._collection, batch=batch)
        except FlotillaAPIError as error:
            if error.code == Overloaded.code:
                self._stopped.wait(error.retry_after or LOOK_SECONDS)
                return batch if self._stopped.is_set() else self._send(group, batch)
            if error.code == BatchClosed.code:
                return self._send(group, self._open())
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            if len(group) == 1:
                self._refused.append(Failed(group[0].name, str(error)))
                return batch
            for each in group:
                batch = self._send([each], batch)
        return batch

    def _open(self, total: int | None = None) -> str:
        self._batches.append(
            self._flotilla.open_batch(name=self._data_set.name, total=total).task_id
        )
        return self._batches[-1]

    def _close(self, batch: str) -> None:
        try:
            self._flotilla.close_batch(batch)
        except FlotillaAPIError as error:
            if error.code != BatchClosed.code:
                raise

    def _await(self, settled: int) -> None:
        """Until nothing of the collection is being worked on: what an earlier call has sent, too.

        A document that had failed before counts as failed until its next ingestion is done, so that
        the batches are looked at first.
        """
        total = len(self._data_set.sources)
        while not self._stopped.is_set():
            batches = [self._flotilla.task(each) for each in self._batches]
            if all(each.status.final for each in batches):
                working = self._working()
                self._report(total - working, total)
                if working == 0:
                    return
            else:
                ended = sum(each.progress.done for each in batches if each.progress is not None)
                self._report(min(settled + ended, total), total)
            self._stopped.wait(LOOK_SECONDS)

    def _working(self) -> int:
        """Documents that are being worked on; of many no more than one listing has."""
        listed = self._flotilla.documents(
            collection=self._collection, status=DocumentStatus.PROCESSING, limit=LISTED_AT_ONCE
        )
        return sum(1 for _ in islice(listed, LISTED_AT_ONCE))

    def _ended(self, there: dict[str, Document], sent: int) -> Ingested:
        ended = Ingested(sources=len(self._data_set.sources), sent=sent)
        ended.failed.extend(self._refused)
        refused = {each.name for each in self._refused}
        by_digest = {each.sha256: each for each in there.values()}
        for source in self._data_set.sources:
            document = there.get(source.name)
            if document is None and source.name not in refused:
                document = by_digest.get(hashlib.sha256(source.read()).hexdigest())
            if document is None:
                if source.name not in refused:
                    ended.failed.append(Failed(source.name, "It is not in the collection."))
            elif document.status is DocumentStatus.READY:
                ended.found_as.setdefault(document.name, []).append(source.id)
                ended.documents[source.id] = document.document_id
            else:
                message = document.error.message if document.error else f"It is {document.status}."
                ended.failed.append(Failed(source.name, message))
        ended.chunks = sum(each.chunks or 0 for each in there.values())
        return ended


def _may_be_tried_again(document: Document) -> bool:
    return (
        document.status is DocumentStatus.FAILED
        and document.error is not None
        and document.error.retryable
    )


def _groups(sources: Iterable[Source]) -> Iterator[list[Source]]:
    group: list[Source] = []
    size = 0
    for each in sources:
        group.append(each)
        size += each.path.stat().st_size if each.path is not None else len(each.text or "")
        if len(group) == FILES_PER_REQUEST or size >= BYTES_PER_REQUEST:
            yield group
            group, size = [], 0
    if group:
        yield group
