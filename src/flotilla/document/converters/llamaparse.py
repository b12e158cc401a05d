"""LlamaParse: documents are sent to LlamaCloud, and come back as pages of Markdown.

Each function is one exchange of bounded length. Who calls them waits in between, so that no
process is held while the service reads.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from billiard.exceptions import SoftTimeLimitExceeded

from flotilla.deadlines import Deadline, wait_for
from flotilla.document.converters.blocks import structured_page
from flotilla.document.converters.unseen import drop_unseen
from flotilla.errors import FlotillaError
from flotilla.logging import get_logger
from flotilla.models import Page, Value
from flotilla.retry_after import of_headers

if TYPE_CHECKING:
    from flotilla.settings import LlamaParseSettings

logger = get_logger(__name__)

T = TypeVar("T")

PASSING = frozenset((408, 409, 425, 429))
TIDYING_SECONDS = 10.0
"""For what is removed in the end: whether it works changes nothing for the document."""
FINISHED = "COMPLETED"
ENDED = frozenset(("FAILED", "CANCELLED"))
# What stands in the Markdown of a page for a picture.
PICTURE = re.compile(r"!\[([^\]]*)\]\([^)\s]*\)")


class ParseFailed(FlotillaError):
    """LlamaParse did not read the document.

    Never shown as an error: the usual converter stands in, and a note gives the reason. `passing`
    tells whether the same request may work a little later.
    """

    code, status = "llamaparse_failed", 502

    def __init__(
        self, message: str, *, passing: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.passing = passing


class RemoteParse(Value):
    """A document that the service is reading: its job and its file there."""

    job: str
    file: str


class Parsed(Value):
    """What the service has read; `failed` are the numbers of pages that it could not read."""

    pages: tuple[Page, ...]
    failed: tuple[int, ...] = ()


class LlamaParse:
    """The service, for one document; a context manager, which ends its connections.

    Args:
        settings: the key, the address and what is asked for.
    """

    def __init__(self, settings: "LlamaParseSettings") -> None:
        import httpx
        from llama_cloud import LlamaCloud

        assert settings.api_key is not None  # noqa: S101 - looked at by who chooses converters
        self._settings = settings
        self._client: LlamaCloud = LlamaCloud(
            api_key=settings.api_key.get_secret_value(),
            base_url=settings.base_url,
            timeout=httpx.Timeout(
                settings.request_timeout, connect=min(10.0, settings.request_timeout)
            ),
            max_retries=0,  # attempts and their pauses belong to the task
        )

    def __enter__(self) -> "LlamaParse":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def upload(self, path: Path, name: str) -> str:
        """Send a file; returns its id there. Raises ParseFailed."""

        def send() -> str:
            with path.open("rb") as file:
                return self._client.files.create(file=(name, file), purpose="parse").id

        return self._ask(send)

    def begin(self, file: str) -> RemoteParse:
        """Have a file read that is there. Raises ParseFailed."""

        def send() -> str:
            return self._client.parsing.create(
                tier=self._settings.tier,
                version=self._settings.version,
                file_id=file,
                output_options={"markdown": {"tables": {"output_tables_as_markdown": False}}},
            ).id

        return RemoteParse(job=self._ask(send), file=file)

    def result(self, parse: RemoteParse) -> Parsed | None:
        """What it has read; None while the service is at it. Raises ParseFailed."""
        job = self._ask(lambda: self._client.parsing.get(parse.job)).job
        if job.status in ENDED:
            logger.warning("llamaparse.ended", status=job.status, error=job.error_message)
            raise ParseFailed(f"its job there has ended as {job.status.lower()}")
        if job.status != FINISHED:
            return None
        reply = self._ask(lambda: self._client.parsing.get(parse.job, expand=["markdown"]))
        if reply.markdown is None or not reply.markdown.pages:
            raise ParseFailed("it sent no pages")
        sent = sorted(reply.markdown.pages, key=lambda page: page.page_number)
        pages = tuple(
            page_of_markdown(getattr(page, "markdown", None) or "", page.page_number)
            for page in sent
        )
        if not any(page.text for page in pages):
            raise ParseFailed("it found no text")
        return Parsed(pages=pages, failed=tuple(p.page_number for p in sent if not p.success))

    def tidy(self, parse: RemoteParse, *, running: bool) -> None:
        """Remove the document and its text from the service, as far as that can be done."""
        steps: list[Callable[[], object]] = []
        if running:
            steps.append(lambda: self._client.parsing.cancel(parse.job))
        if not self._settings.keep:
            steps.append(lambda: self._client.parsing.delete(parse.job))
            steps.append(lambda: self._client.files.delete(parse.file))
        for step in steps:
            try:
                wait_for(step, Deadline(TIDYING_SECONDS))
            except SoftTimeLimitExceeded:
                raise
            except Exception as error:  # noqa: BLE001 - the document is read all the same
                status = getattr(error, "status_code", None)
                logger.warning("llamaparse.not_tidied", error=type(error).__name__, status=status)

    def _ask(self, request: Callable[[], T]) -> T:
        try:
            return wait_for(request, Deadline(self._settings.request_timeout))
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - also what is no reply of that form
            raise _failure(error) from None


def _failure(error: Exception) -> ParseFailed:
    """What an exception of the client means, without a word of its text: that may hold a key."""
    import llama_cloud

    if isinstance(error, ParseFailed):
        return error
    status = getattr(error, "status_code", None)
    logger.warning("llamaparse.failed", error=type(error).__name__, status=status)
    if isinstance(status, int):
        response = getattr(error, "response", None)
        passing = status in PASSING or status >= 500
        told = of_headers(response.headers) if passing and response is not None else None
        reason = _REASONS.get(status, f"it answered with HTTP {status}")
        return ParseFailed(reason, passing=passing, retry_after=told)
    if isinstance(error, (llama_cloud.APITimeoutError, TimeoutError)):
        return ParseFailed("it did not reply in time", passing=True)
    if isinstance(error, (llama_cloud.APIConnectionError, OSError)):
        return ParseFailed("it cannot be reached", passing=True)
    return ParseFailed("it sent something that is no reply of its API")


_REASONS = {
    401: "it did not accept the key (HTTP 401): check LLAMA_CLOUD_API_KEY",
    402: "the account has no credits left (HTTP 402): check its plan",
    403: "the key may not be used for this (HTTP 403): check LLAMA_CLOUD_API_KEY",
    413: "the document is too large for it (HTTP 413)",
    415: "it does not take this type of file (HTTP 415)",
    429: "it takes no more requests for now (HTTP 429)",
}


def page_of_markdown(markdown: str, number: int) -> Page:
    """A page of Markdown as text: headings, lists, and tables with a line for each row.

    Args:
        markdown: of one page, tables in HTML or with pipes.
        number: of the page, from 1.
    """
    from lxml import etree, html
    from markdown_it import MarkdownIt

    shown = PICTURE.sub(lambda found: found[1], markdown)
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(shown)
    try:
        tree = html.fragment_fromstring(rendered, create_parent="div")
    except (etree.ParserError, ValueError):
        return Page(number=number, text="")
    drop_unseen(tree)
    return structured_page(tree).model_copy(update={"number": number})
