"""Fetch a document from the web: bounded in time and size, and never from inside the network."""

import hashlib
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from urllib.parse import unquote

import httpcore
import httpx

from flotilla.content_type import kept_content_type
from flotilla.errors import (
    FileTooLarge,
    SourceNotFound,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from flotilla.models import Value
from flotilla.public_addresses import AddressRefused, CheckedTransport, can_be_reached
from flotilla.retry_after import seconds_to_wait

MAX_REDIRECTS = 5
MAX_NAME_BYTES = 200
REDIRECTS = frozenset((301, 302, 303, 307, 308))
GONE = frozenset((404, 410))
RETRYABLE = frozenset((408, 425, 429))
# What httpx decodes in memory bounded by what came in; other codings expand without bound.
CODINGS = frozenset(("", "identity", "gzip", "x-gzip", "deflate"))


class FetchedSource(Value):
    """What was fetched. `size` is in bytes; `sha256` is of the bytes written."""

    name: str
    content_type: str | None
    size: int
    sha256: str
    final_url: str
    etag: str | None


def fetch(
    url: str, destination: Path, *, timeout: float, max_bytes: int, allow_private: bool
) -> FetchedSource:
    """Write the document at `url` to the file `destination`.

    Args:
        url: an http or https address; up to five redirects are followed, each checked anew.
        destination: file to write; its content is of no use when this raises.
        timeout: seconds for everything together, redirects included.
        max_bytes: most bytes of the document, unpacked.
        allow_private: whether addresses that are not public may be reached.

    Raises:
        SourceRefused: the address is no web address, is not public, or wants credentials.
        SourceNotFound: 404 or 410.
        SourceUnavailable: 429, 5xx or no connection; retryable, with `retry_after` if told.
        SourceTimeout: the document was not complete in time.
        FileTooLarge: the document is larger than `max_bytes`.
    """
    deadline = time.monotonic() + timeout
    transport = CheckedTransport(deadline=deadline, allow_private=allow_private)
    headers = {
        "User-Agent": "Flotilla",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, identity;q=0.5",
    }
    address = _web_address(url)
    with httpx.Client(transport=transport, headers=headers, trust_env=False) as client:
        for _ in range(MAX_REDIRECTS + 1):
            with _as_source_errors(address, timeout), client.stream("GET", address) as response:
                if response.status_code in REDIRECTS and "location" in response.headers:
                    address = _web_address(response.headers["location"], base=address)
                    continue
                _check_status(response, address)
                return _save(response, destination, deadline, timeout, max_bytes)
    raise SourceRefused(f"The address {_shown(url)} redirects more than {MAX_REDIRECTS} times.")


def _web_address(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        address = base.join(url) if base else httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError):
        raise SourceRefused("The address is not a valid URL; check how it is written.") from None
    if not can_be_reached(address):
        raise SourceRefused(
            f"The address {_shown(address)} is not an http or https address that there can be; "
            "only these are fetched."
        )
    return address


def _shown(url: httpx.URL | str) -> str:
    """The address without user name, password and query, which may be secrets."""
    try:
        return str(
            httpx.URL(url).copy_with(username=None, password=None, query=None, fragment=None)
        )
    except (httpx.InvalidURL, ValueError):
        return "that was given"


@contextmanager
def _as_source_errors(address: httpx.URL, timeout: float) -> Iterator[None]:
    shown = _shown(address)
    try:
        yield
    except AddressRefused as error:
        raise SourceRefused(f"The address {shown} may not be fetched: {error}.") from None
    except (httpx.TimeoutException, httpcore.TimeoutException):
        raise SourceTimeout(
            f"The address {shown} did not deliver the document within {timeout:g} seconds."
        ) from None
    except (httpx.DecodingError, zlib.error):
        raise SourceUnavailable(f"The address {shown} sent a damaged reply.") from None
    except (httpx.HTTPError, httpcore.ProtocolError, httpcore.NetworkError, OSError) as error:
        raise SourceUnavailable(
            f"The address {shown} cannot be reached ({type(error).__name__}); try again later."
        ) from None


def _check_status(response: httpx.Response, address: httpx.URL) -> None:
    status = response.status_code
    if status == 200:
        return
    shown = _shown(address)
    if status in GONE:
        raise SourceNotFound(f"There is no document at {shown} ({status}); check the address.")
    if status in (401, 403):
        raise SourceRefused(
            f"The server refuses access to {shown} ({status}); "
            "make the document public, or download and upload it."
        )
    if status in RETRYABLE or status >= 500:
        raise SourceUnavailable(
            f"The server answers {status} for {shown}; try again later.",
            retry_after=seconds_to_wait(response.headers.get("retry-after")),
        )
    raise SourceRefused(f"The server answers {status} for {shown} and sends no document.")


def _save(
    response: httpx.Response, destination: Path, deadline: float, timeout: float, max_bytes: int
) -> FetchedSource:
    too_large = FileTooLarge(
        f"The document at {_shown(response.url)} is larger than {max_bytes:,} bytes."
    )
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in CODINGS:
        raise SourceRefused(f"The server sends the document in the unknown coding {coding!r}.")
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise too_large
    digest = hashlib.sha256()
    size = 0
    with destination.open("wb") as file:
        for block in response.iter_bytes():
            size += len(block)
            if size > max_bytes:
                raise too_large
            if time.monotonic() > deadline:
                raise SourceTimeout(
                    f"The address {_shown(response.url)} did not deliver the document within "
                    f"{timeout:g} seconds."
                )
            digest.update(block)
            file.write(block)
    return FetchedSource(
        name=_name(response),
        content_type=kept_content_type(response.headers.get("content-type")),
        size=size,
        sha256=digest.hexdigest(),
        final_url=str(response.url.copy_with(username=None, password=None, fragment=None)),
        etag=response.headers.get("etag"),
    )


def _name(response: httpx.Response) -> str:
    """A name for the document, safe as a file's: from Content-Disposition, else from the URL."""
    header = Message()
    header["Content-Disposition"] = response.headers.get("content-disposition", "")
    try:
        given = header.get_filename()
    except (ValueError, TypeError, LookupError):  # of an encoding that is none, or half of a name
        given = None
    given = given or unquote(response.url.path.rstrip("/").rpartition("/")[2])
    name = given.replace("\\", "/").rpartition("/")[2].encode(errors="ignore").decode()
    name = re.sub(r"[\x00-\x1f\x7f<>:\"|?*]", "", name).strip(". ")
    encoded = name.encode()
    if len(encoded) > MAX_NAME_BYTES:
        stem, dot, suffix = name.rpartition(".")
        kept = suffix if dot and len(suffix) <= 10 else ""
        cut = (stem if kept else name).encode()[: MAX_NAME_BYTES - len(kept) - 1]
        name = cut.decode(errors="ignore") + (f".{kept}" if kept else "")
    return name or re.sub(r"[^\w.-]", "", response.url.host) or "document"
