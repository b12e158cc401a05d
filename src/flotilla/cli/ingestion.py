"""Sends many sources at once and follows each to its end."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from flotilla.cli.problems import sentence
from flotilla.cli.progress import Display, display
from flotilla.client import ClientError, Flotilla, FlotillaAPIError
from flotilla.errors import CollectionNotFound
from flotilla.schemas import DEFAULT_COLLECTION, DocumentAccepted, TaskStatus

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

    @property
    def failed(self) -> bool:
        """Whether there is an error to show."""
        return self.error is not None


def run(
    flotilla: Flotilla,
    submissions: Sequence[Submission],
    *,
    collection: str,
    metadata: dict[str, Any],
    password: str | None,
    wait: bool,
) -> list[Ingested]:
    """Submit every source and, with `wait`, follow each until it is final.

    A source that fails does not keep the others from going on.

    Raises:
        CollectionNotFound: nothing was sent, since the collection does not exist.
        GatewayUnreachable: nothing was sent, since no gateway answers.
    """
    _check_collection(flotilla, collection)
    size = sum(s.path.stat().st_size for s in submissions if s.path)
    with display(len(submissions), size) as shown:
        work = _Ingestion(flotilla, shown, collection, metadata, password)
        watchers = ThreadPoolExecutor(WATCHED)
        uploads = ThreadPoolExecutor(UPLOADS)
        try:
            sent = [uploads.submit(work.submit, s) for s in submissions]
            futures: list[Future[Ingested]] = []
            for submission, future in zip(submissions, sent, strict=True):
                accepted = future.result()
                futures.append(watchers.submit(work.follow, submission, accepted, wait))
            return [future.result() for future in futures]
        finally:
            uploads.shutdown(wait=False, cancel_futures=True)
            watchers.shutdown(wait=False, cancel_futures=True)


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


class _Ingestion:
    def __init__(
        self,
        flotilla: Flotilla,
        shown: Display,
        collection: str,
        metadata: dict[str, Any],
        password: str | None,
    ) -> None:
        self._flotilla = flotilla
        self._shown = shown
        self._options: dict[str, Any] = {
            "collection": collection,
            "metadata": metadata,
            "password": password,
        }

    def submit(self, submission: Submission) -> DocumentAccepted | Exception:
        """The document and task of the source, or why it was not taken."""
        try:
            if submission.url is not None:
                return self._flotilla.ingest_url(submission.url, **self._options)
            assert submission.path is not None  # noqa: S101 - a source is one of the two
            sent = 0

            def report(_name: str, done: int, _total: int | None) -> None:
                nonlocal sent
                self._shown.sent(done - sent)
                sent = done

            [accepted] = self._flotilla.upload(
                (submission.name, submission.path), progress=report, **self._options
            )
        except (ClientError, OSError) as error:
            return error
        return accepted

    def follow(
        self, submission: Submission, accepted: DocumentAccepted | Exception, wait: bool
    ) -> Ingested:
        """How the source ends, or how far it is when nobody waits."""
        result = Ingested(name=submission.name, status="failed")
        if isinstance(accepted, Exception):
            result.error = sentence(accepted)
            self._shown.finished(result.name, result.status, result.error)
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
        self._shown.finished(result.name, result.status, result.error)
        return result

    def _await(self, result: Ingested) -> None:
        assert result.task_id is not None  # noqa: S101 - set by `follow`
        assert result.document_id is not None  # noqa: S101
        for event in self._flotilla.events(result.task_id):
            self._shown.update(result.name, event)
        task = self._flotilla.task(result.task_id)
        result.status = task.status.value
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
