"""The tasks of the fleet `document`: fetch, convert, split."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from celery.canvas import Signature
from celery.exceptions import Ignore
from celery.signals import task_postrun, worker_process_init

from flotilla import pipelines
from flotilla.blobs import (
    BlobStore,
    chunks_ref,
    pages_ref,
    pictures_prefix,
    source_ref,
    version_prefix,
)
from flotilla.broker import at_start
from flotilla.document.chunk_batches import live_chunks, remove_beyond
from flotilla.document.conversion import Conversion
from flotilla.document.converters.choice import available, has_ocr
from flotilla.document.detect import CONTENT_TYPES, detect
from flotilla.document.fetch import FetchedSource
from flotilla.document.fetch import fetch as fetch_url
from flotilla.document.memory import Surplus, watch_memory
from flotilla.document.remote_conversion import (
    RemoteConversion,
    failure,
    forget,
    is_sent,
    notes_of,
)
from flotilla.document.reuse import KnownTexts
from flotilla.document.splitter import SectionSplitter, Splitter
from flotilla.document.titles import MOST_CHARS, title_of
from flotilla.errors import (
    Cancelled,
    DependencyUnavailable,
    DocumentNotFound,
    FlotillaError,
    LeaseLost,
    NoText,
    TooManyPages,
)
from flotilla.heartbeats import show
from flotilla.ledger import job_ends, jobs, submissions, versions
from flotilla.ledger.endings import tell
from flotilla.ledger.runs import Postponed, StageRun
from flotilla.ledger.stages import stage
from flotilla.ledger.versions import Version
from flotilla.models import Chunk, ConverterName
from flotilla.pages import StoredPages
from flotilla.remote_tokens import remote_counter
from flotilla.schemas import Task
from flotilla.settings import get_settings
from flotilla.step_times import step


@lru_cache(maxsize=1)
def _blobs() -> BlobStore:
    return BlobStore(get_settings().blobs_url)


@lru_cache(maxsize=1)
def _splitter() -> Splitter:
    settings = get_settings()
    remote = settings.embedding_is_remote
    return SectionSplitter(
        remote_counter(settings.embedding.model) if remote else settings.embedding_model_folder,
        chunk_tokens=settings.document.chunk_tokens,
        overlap=settings.document.chunk_overlap,
    )


@at_start
def _warm_up() -> None:
    """Load what every document needs, once for all processes of the worker, and tell what it can
    read with."""
    _splitter()
    show(converters=available(get_settings()))


@worker_process_init.connect
def _limit_memory(**_: Any) -> None:
    watch_memory(get_settings().document.memory_limit)
    surplus = Surplus()
    task_postrun.connect(lambda **_: surplus.give_back(), weak=False)


@stage(pipelines.FETCH)
def fetch(run: StageRun) -> None:
    """Bring a URL's document into the blobs.

    Where another job is ingesting the same bytes, this one waits for it: it ends as a duplicate
    once they can be searched, and ingests them itself should the other one not get through.
    """
    settings = get_settings()
    version = run.version()
    run.wait_for_other()
    with tempfile.TemporaryDirectory(prefix="flotilla-") as folder:
        path = Path(folder) / "source"
        with step("fetch"):
            found = fetch_url(
                run.job.payload["url"],
                path,
                timeout=settings.document.fetch_timeout,
                max_bytes=settings.gateway.max_upload_bytes,
                allow_private=settings.document.fetch_allow_private,
            )
        ref = source_ref(version.tenant_id, version.id)
        # Another worker may have been given other bytes, and noted those.
        run.checkpoint()
        _blobs().put_file(ref, path)
    _check_wanted(run, version)
    same = _take_bytes(run, version, ref, found)
    if same is None:
        return
    with suppress(DependencyUnavailable):
        _blobs().delete(version_prefix(version.tenant_id, version.id))
    if isinstance(same, Postponed):
        raise same
    tell(run.database, same)
    raise Ignore


def _take_bytes(
    run: StageRun, version: Version, ref: str, found: FetchedSource
) -> Task | Postponed | None:
    """Note what was fetched. Where the collection has the same bytes already, the job ends; where
    another job is ingesting them, it waits."""
    with run.writing(version.collection_id, document=True) as connection:
        same = submissions.same_as_fetched(connection, version, found.sha256)
        if same is not None and same.status in jobs.OPEN:
            if not jobs.is_waiting(connection, same.task_id):
                return run.wait_for(connection, same.task_id)
            same = None  # of two that fetch again, one has to go on
        if same is None:
            versions.describe(
                connection,
                version.id,
                blob=ref,
                sha256=found.sha256,
                size=found.size,
                content_type=found.content_type,
            )
            return None
        return job_ends.complete_as_duplicate(connection, run.job, same.document_id)


@stage(pipelines.CONVERT)
def convert(run: StageRun) -> Signature | None:
    """Turn the source into pages; a long PDF or presentation by page ranges, side by side.

    Where a service reads the document, this gives its step back while the service is at it.
    """
    version = run.version()
    if is_sent(run) and _is_read_remotely(run, version, lambda: _source(version)):
        return None
    try:
        return _convert(run, version)
    except FlotillaError as error:
        if not error.retryable and not isinstance(error, Cancelled | LeaseLost):
            forget(run)
        raise


def _convert(run: StageRun, version: Version) -> Signature | None:
    settings = get_settings()
    stands_in = failure(run)
    with _source(version) as path:
        conversion = _conversion(run, version, path, stands_in)
        with step("convert"):
            info = conversion.inspect(path)
        total = info.pages or 1
        if total > settings.document.max_pages:
            raise TooManyPages(
                f"The document has {total:,} pages, and {settings.document.max_pages:,} are "
                "allowed: split it, or raise FLOTILLA_DOCUMENT_MAX_PAGES."
            )
        run.describe(
            content_type=conversion.content_type,
            pages=info.pages,
            title=info.title[:MOST_CHARS] if info.title else None,
            converter=conversion.converter_name,
        )
        run.progress(0, total, "pages")
        if conversion.is_remote:
            if _is_read_remotely(run, version, lambda: nullcontext(path)):
                return None
            conversion = _conversion(run, version, path, failure(run))
            run.describe(converter=conversion.converter_name)
        ranges = conversion.ranges(path, info.pages)
        if ranges is not None:
            run.note(conversion.notes())
            return pipelines.convert_ranges(run.job.id, run.plan(pipelines.CONVERT_RANGE, ranges))
        with step("convert"):
            pages = conversion.pages(path)
            _blobs().put_values(pages_ref(version.tenant_id, version.id, 0), pages)
    _check_wanted(run, version)
    run.note(conversion.notes())
    run.finish_part(total, total, "pages")
    return None


def _conversion(
    run: StageRun, version: Version, path: Path, stands_in: str | None = None
) -> Conversion:
    media_type = detect(path, version.document_name, version.content_type)
    return Conversion(
        get_settings(),
        _blobs(),
        version,
        media_type=media_type,
        content_type=CONTENT_TYPES[media_type],
        requested=ConverterName(run.job.payload.get("converter", ConverterName.AUTO)),
        stands_in=stands_in,
        password=run.job.payload.get("password"),
        beat=run.checkpoint,
    )


def _is_read_remotely(
    run: StageRun, version: Version, source: Callable[[], AbstractContextManager[Path]]
) -> bool:
    """Have a service read the document; False where it failed, and the usual converter stands in.

    Raises:
        Postponed: it is at it.
    """
    with RemoteConversion(run, get_settings().llamaparse) as remote:
        parsed = remote.result(source, version.document_name)
        if parsed is None:
            return False
        _blobs().put_values(pages_ref(version.tenant_id, version.id, 0), parsed.pages)
        _check_wanted(run, version)
        count = len(parsed.pages)
        run.describe(pages=count, converter=ConverterName.LLAMAPARSE.value)
        run.note(notes_of(parsed))
        run.finish_part(count, count, "pages")
        remote.finish()
    return True


@stage(pipelines.CONVERT_RANGE)
def convert_range(run: StageRun, first: int, last: int) -> None:
    """Convert the pages `first` to `last` of a long document, both counted from 1 and included."""
    version = run.version()
    with _source(version) as path:
        conversion = _conversion(run, version, path, failure(run))
        with step("convert"):
            pages = conversion.pages(path, first, last)
            _blobs().put_values(pages_ref(version.tenant_id, version.id, run.part), pages)
    _check_wanted(run, version)
    run.note(conversion.notes())
    run.finish_part(last - first + 1, version.pages, "pages")


@stage(pipelines.SPLIT, after=pipelines.CONVERT_RANGE)
def split(run: StageRun) -> Signature:
    """Cut the pages into chunks, in batches for the vectorstore fleet."""
    version = run.version()
    known = KnownTexts(live_chunks(run, _blobs(), version))
    chunks = known.mark(
        _splitter().split(
            StoredPages(_blobs(), version.tenant_id, version.id).indexing(),
            document_id=version.document_id,
            version_id=version.id,
            title=title_of(version.document_name, version.title),
        )
    )
    size = get_settings().vectorstore.chunks_per_batch
    total = parts = 0
    while batch := _next(chunks, size):
        with step("store"):
            _blobs().put_values(chunks_ref(version.tenant_id, version.id, parts), batch)
        total += len(batch)
        parts += 1
    remove_beyond(run, _blobs(), version, parts)
    if total == 0:
        raise NoText(_why_no_text(version))
    _check_wanted(run, version)
    with suppress(DependencyUnavailable):
        _blobs().delete(pictures_prefix(version.tenant_id, version.id))
    run.describe(chunks=total)
    run.progress(0, total, "chunks")
    return pipelines.index_batches(run.job.id, run.plan(pipelines.INDEX, [()] * parts))


def _next(chunks: Iterator[Chunk], size: int) -> list[Chunk]:
    with step("split"):
        return list(islice(chunks, size))


def _check_wanted(run: StageRun, version: Version) -> None:
    """Take back what was written for a document that was deleted meanwhile: its blobs may have
    been removed before.

    Raises:
        Cancelled, DocumentNotFound: it was deleted, or its task cancelled.
        LeaseLost: it has gone on without this worker, and has what was written.
    """
    try:
        run.version()
    except (Cancelled, DocumentNotFound, LeaseLost):
        if run.is_given_up():
            _blobs().delete(version_prefix(version.tenant_id, version.id))
        raise


def _source(version: Version) -> Any:
    return _blobs().local_path(source_ref(version.tenant_id, version.id))


def _why_no_text(version: Version) -> str:
    name, pages = version.document_name, version.pages
    if pages is None:
        return f"{name} holds no text: send a document with text in it."
    where = "its only page" if pages == 1 else f"any of its {pages} pages"
    if has_ocr(get_settings()):
        return (
            f"{name} holds no text on {where}, and text recognition found none: "
            "send one with text, or a sharper scan."
        )
    return (
        f"{name} holds no text on {where}: it seems to be scanned. Install the "
        "extra `ocr` on the document fleet, or run it through OCR, then send it again."
    )
