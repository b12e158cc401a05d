"""Sends many sources at once and follows each to its end."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import BaseModel

from flotilla.cli.batches import Batches
from flotilla.cli.interrupts import in_thread
from flotilla.cli.problems import sentence
from flotilla.cli.progress import Display, display
from flotilla.cli.task_display import note_line
from flotilla.cli.terminal import print_note
from flotilla.client import ClientError, Flotilla, FlotillaAPIError
from flotilla.client.errors import SourceChanged
from flotilla.client.sources import UploadProgress
from flotilla.errors import BatchClosed, CollectionNotFound, Overloaded
from flotilla.schemas import DEFAULT_COLLECTION, DocumentAccepted, Refusal, TaskStatus

UPLOADS = 4
"""Uploads at once; more do not make one gateway's disk quicker."""

WATCHED = 8
"""Tasks that are followed at once, in the order of their submission."""


class Submission(BaseModel):
    """One source: a file of this machine or a web address."""

    name: str
    path: Path | None = None
    url: str | None = None


class Ingested(BaseModel):
    """How one source ended; `seconds` are from submission to the end, as the ledger has it."""

    name: str
    status: str
    document_id: str | None = None
    task_id: str | None = None
    pages: int | None = None
    chunks: int | None = None
    seconds: float | None = None
    error: str | None = None
    notes: list[str] = []

    @property
    def failed(self) -> bool:
        """Whether there is an error to show."""
        return self.error is not None


@dataclass(frozen=True, slots=True)
class Ingestion:
    """How all of it ended; several sources are a batch.

    They are several batches where one was closed, since nothing came for it for too long, before
    all were sent.
    """

    documents: list[Ingested]
    batch_ids: list[str]


class Interrupted(Exception):
    """Ctrl-C; `message` says what becomes of what was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def run(
    flotilla: Flotilla,
    submissions: Sequence[Submission],
    *,
    collection: str,
    metadata: dict[str, Any],
    password: str | None,
    wait: bool,
    converter: str | None = None,
    batch_name: str | None = None,
    cancel_on_interrupt: bool = False,
) -> Ingestion:
    """Submit every source and, with `wait`, follow each until it is final.

    A source that fails does not keep the others from going on. Several make a batch, in which those
    that are refused are failed members.

    Raises:
        CollectionNotFound: nothing was sent, since the collection does not exist.
        GatewayUnreachable: nothing was sent, since no gateway answers.
        Interrupted: by Ctrl-C; the gateway goes on unless it was told to cancel.
    """
    batches = in_thread(lambda: _prepare(flotilla, collection, batch_name, len(submissions)))
    size = sum(_size(s.path) for s in submissions if s.path)
    options = {
        "collection": collection,
        "metadata": metadata,
        "password": password,
        "converter": converter,
    }
    with display(len(submissions), size) as shown:
        work = _Ingestion(flotilla, shown, options, batches)
        try:
            return in_thread(lambda: work.carry_out(submissions, wait))
        except KeyboardInterrupt:
            raise Interrupted(_leave(work, cancel=cancel_on_interrupt)) from None
        finally:
            work.stop()


def _prepare(
    flotilla: Flotilla, collection: str, batch_name: str | None, total: int
) -> Batches | None:
    """The batch that the sources come into, once the collection is known to be there."""
    _check_collection(flotilla, collection)
    return Batches(flotilla, batch_name, total=total) if total > 1 else None


def _leave(work: "_Ingestion", *, cancel: bool) -> str:
    work.stop()
    try:
        return in_thread(lambda: work.leave(cancel=cancel))
    except KeyboardInterrupt:  # who asks twice does not want to wait
        return "Interrupted. `flotilla tasks` shows what was sent."


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # told where it is sent
        return 0


def _check_collection(flotilla: Flotilla, name: str) -> None:
    if name == DEFAULT_COLLECTION:
        flotilla.health()
        return
    try:
        flotilla.collection(name)
    except FlotillaAPIError as error:
        if error.status == 404:
            raise CollectionNotFound(
                f"There is no collection {name!r}: create it with "
                f"`flotilla collections create {name}`."
            ) from None
        raise


def _is_overloaded(error: Exception) -> bool:
    return isinstance(error, FlotillaAPIError) and error.code == Overloaded.code


def _is_closed(error: Exception) -> TypeGuard[FlotillaAPIError]:
    return isinstance(error, FlotillaAPIError) and error.code == BatchClosed.code


class _Ingestion:
    def __init__(
        self, flotilla: Flotilla, shown: Display, options: dict[str, Any], batches: Batches | None
    ) -> None:
        self._flotilla = flotilla
        self._shown = shown
        self._options = options
        self._batches = batches
        self._tasks: list[str] = []
        self._stopped = threading.Event()
        self._uploads = ThreadPoolExecutor(UPLOADS)
        self._watchers = ThreadPoolExecutor(WATCHED)

    def carry_out(self, submissions: Sequence[Submission], wait: bool) -> Ingestion:
        """Send all of them, and follow each to its end where that is waited for."""
        sent = [self._uploads.submit(self.submit, s) for s in submissions]
        followed: list[Future[Ingested]] = []
        for submission, future in zip(submissions, sent, strict=True):
            accepted = future.result()
            followed.append(self._watchers.submit(self.follow, submission, accepted, wait))
        if self._batches is not None:
            self._flotilla.close_batch(self._batches.current)
        ended = [future.result() for future in followed]
        return Ingestion(ended, self._batches.ids if self._batches is not None else [])

    def stop(self) -> None:
        """Begin nothing more, and tell of nothing more."""
        self._stopped.set()
        for threads in (self._uploads, self._watchers):
            threads.shutdown(wait=False, cancel_futures=True)

    def submit(self, submission: Submission) -> DocumentAccepted | Exception:
        """The document and task of the source, or why it was not taken.

        While the gateway has more to do than it takes, this waits for as long as it is told to.
        """
        sent = 0

        def report(_name: str, done: int, _total: int | None) -> None:
            nonlocal sent
            self._shown.sent(done - sent)
            sent = done

        while True:
            batch_id = self._batches.current if self._batches is not None else None
            try:
                accepted = self._send(submission, report, batch_id)
            except (ClientError, OSError) as error:
                if self._has_another_batch(error, batch_id):
                    continue
                if not _is_overloaded(error):
                    self._record(submission, error)
                    return error
                if self._stopped.wait(getattr(error, "retry_after", None) or 1.0):
                    return error
            else:
                if accepted.duplicate_of is None:
                    self._tasks.append(accepted.task_id)
                return accepted

    def _has_another_batch(self, error: Exception, batch_id: str | None) -> bool:
        if batch_id is None or not _is_closed(error):
            return False
        assert self._batches is not None  # noqa: S101 - it has given the id
        try:
            return not self._stopped.is_set() and self._batches.has_another(batch_id, error)
        except ClientError:  # the source is told of with what was wrong in the first place
            return False

    def _send(
        self, submission: Submission, report: UploadProgress, batch_id: str | None
    ) -> DocumentAccepted:
        if submission.url is not None:
            return self._flotilla.ingest_url(submission.url, batch=batch_id, **self._options)
        assert submission.path is not None  # noqa: S101 - a source is one of the two
        source = (submission.name, submission.path)
        upload = self._flotilla.upload_batch
        reply = upload(source, progress=report, batch=batch_id, **self._options)
        return reply.documents[0]

    def _record(self, submission: Submission, error: Exception) -> None:
        """Make a source that was not taken a failed member of the batch."""
        if isinstance(error, FlotillaAPIError):
            code, final = error.code, error.status < HTTPStatus.INTERNAL_SERVER_ERROR
        else:
            code, final = "unreadable_file", isinstance(error, (OSError, SourceChanged))
        # Of a request that got no reply nobody knows whether it was carried out.
        if self._batches is None or not final or _is_closed(error):
            return
        refusal = Refusal.model_construct(
            name=submission.name[:1024], code=code, message=sentence(error)[:4000]
        )
        while True:
            batch_id = self._batches.current
            try:
                self._flotilla.add_refusals(batch_id, [refusal])
            except ClientError as unrecorded:
                if self._has_another_batch(unrecorded, batch_id):
                    continue
                reason = sentence(unrecorded)
                print_note(f"{submission.name} is not among the batch's failed files: {reason}")
            return

    def leave(self, *, cancel: bool) -> str:
        """Leave what was sent to itself, or cancel it; returns a sentence that says which."""
        # The batches before the last one are over.
        tasks = self._tasks if self._batches is None else [self._batches.current]
        try:
            for task_id in tasks:
                if cancel:
                    self._flotilla.cancel(task_id)
                elif self._batches is not None:
                    self._flotilla.close_batch(task_id)
        except ClientError as error:
            return f"Interrupted. {sentence(error)}"
        if not tasks:
            return "Interrupted. What was sent goes on: `flotilla tasks` shows it."
        if cancel:
            return f"Interrupted. {tasks[0]} is cancelled."
        return (
            f"Interrupted. What was sent goes on as task {tasks[0]}: `flotilla tasks follow "
            f"{tasks[0]}` shows it, and `flotilla tasks cancel {tasks[0]}` ends it."
        )

    def follow(
        self, submission: Submission, accepted: DocumentAccepted | Exception, wait: bool
    ) -> Ingested:
        """How the source ends, or how far it is when nobody waits."""
        result = Ingested(name=submission.name, status="failed")
        if isinstance(accepted, Exception):
            result.error = sentence(accepted)
            self._show(result)
            return result
        result.status = accepted.status.value
        result.document_id = accepted.document_id
        result.task_id = accepted.task_id
        if wait:
            try:
                self._await(result)
            except ClientError as error:
                result.status, result.error = "unknown", sentence(error)
        if accepted.duplicate_of is not None and result.error is None:
            result.status = "duplicate"
        self._show(result)
        return result

    def _show(self, result: Ingested) -> None:
        if not self._stopped.is_set():  # after that no end was waited for
            self._shown.finished(result.name, result.status, result.error)

    def _await(self, result: Ingested) -> None:
        assert result.task_id is not None  # noqa: S101 - set by `follow`
        assert result.document_id is not None  # noqa: S101
        for event in self._flotilla.events(result.task_id):
            self._shown.update(result.name, event)
        task = self._flotilla.task(result.task_id)
        result.status = task.status.value
        result.notes = [note_line(note) for note in task.notes]
        if task.finished_at is not None:
            result.seconds = (task.finished_at - task.created_at).total_seconds()
        if task.status is not TaskStatus.COMPLETED:
            result.error = task.error.message if task.error else f"the task is {task.status}."
            return
        same = task.result.get("duplicate_of") if isinstance(task.result, dict) else None
        if same is not None:  # an address that gave what is there already
            result.document_id, result.status = same, "duplicate"
        document = self._flotilla.document(result.document_id)
        result.pages, result.chunks = document.pages, document.chunks
