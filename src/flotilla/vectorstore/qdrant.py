"""The connection to Qdrant, and its failures as Flotilla's errors."""

from collections.abc import Callable
from typing import TypeVar

import httpx
import urllib3
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from flotilla.errors import ConfigurationError, DependencyUnavailable
from flotilla.retry_after import seconds_to_wait
from flotilla.settings import Settings
from flotilla.vectorstore.lean_client import LeanClient

T = TypeVar("T")

# Shorter than servers commonly keep an idle connection, so that none is used that the server is
# about to close.
KEEPALIVE_SECONDS = 3.0

CONNECTIONS = 64
"""Connections that one process keeps to Qdrant: more than any fleet has threads."""


LONGEST_PAUSE = 60.0
"""Seconds: however long Qdrant asks to be left alone, it is looked at once a minute."""

INSUFFICIENT_STORAGE = 507  # RFC 4918, section 11.5

CLOSED = (httpx.RemoteProtocolError, httpx.ReadError, urllib3.exceptions.ProtocolError)
"""What a request meets whose connection the server has closed."""


class CollectionAbsent(Exception):
    """Qdrant has no collection of this name yet; never leaves this package."""


def connect(settings: Settings) -> LeanClient:
    """A client that many threads may share; it connects at the first request.

    Connections are kept alive on loopback too, where `qdrant-client` by itself opens a new one
    for each request.
    """
    key = settings.qdrant.api_key
    return LeanClient(
        url=settings.qdrant.url,
        api_key=key.get_secret_value() if key else None,
        timeout=max(1, round(settings.qdrant.timeout)),
        # Looking at the server's version would make a thread and a request at each start.
        check_compatibility=False,
        limits=httpx.Limits(
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=KEEPALIVE_SECONDS,
        ),
    )


def call(request: Callable[[], T]) -> T:
    """Make a request that may be made twice, and translate what goes wrong.

    Raises:
        DependencyUnavailable: Qdrant is out of reach, overloaded or failing; worth a retry.
        ConfigurationError: Qdrant refuses the key.
        CollectionAbsent: there is no such collection.
    """
    try:
        try:
            return request()
        except ResponseHandlingException as error:
            # A kept connection that the server closed in the same moment: a new one will do.
            if not isinstance(error.source, CLOSED):
                raise
            return request()
    except ResponseHandlingException as error:
        raise DependencyUnavailable(
            f"Qdrant could not be reached ({type(error.source).__name__}); "
            "see that it runs and that QDRANT_URL is right."
        ) from error
    except QdrantException as error:  # 429 with a Retry-After, which may be nonsense
        asked = getattr(error, "retry_after_s", None)
        seconds = seconds_to_wait(str(asked)) if asked is not None else None
        raise DependencyUnavailable(
            "Qdrant is overloaded; try again later.",
            retry_after=min(seconds, LONGEST_PAUSE) if seconds is not None else None,
        ) from error
    except UnexpectedResponse as error:
        status = error.status_code or 500
        if status == 404:
            raise CollectionAbsent from error
        if status in (401, 403):
            raise ConfigurationError("Qdrant refuses the key; set QDRANT_API_KEY.") from error
        if status == INSUFFICIENT_STORAGE:
            raise DependencyUnavailable(
                "Qdrant's disk is full: make room on it; the work goes on by itself then."
            ) from error
        if status >= 500 or status in (408, 429):
            raise DependencyUnavailable(
                f"Qdrant answered with HTTP status {status}; try again later."
            ) from error
        raise
