"""A Qdrant client that makes the requests of a search in the least time.

`qdrant-client` copies each request in depth, makes an object of each point that comes back, and
sends by httpx: nearly half of the time of a hybrid search, whose two hundred candidates are an id
and a score each. Here those two requests go by urllib3, and what comes back is left as it is.
"""

from collections.abc import Sequence
from typing import Any, TypedDict
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import pydantic_core
import urllib3
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

OK, TOO_MANY_REQUESTS = 200, 429


class FoundPoint(TypedDict, total=False):
    """A point of a reply; it has what was asked for. `score` is that of a search."""

    id: str
    score: float
    payload: dict[str, Any]
    vector: dict[str, Any]


class LeanClient(QdrantClient):
    """`QdrantClient` with two more methods, which raise what its others raise.

    Args:
        url: of Qdrant.
        api_key: None where it asks for none.
        timeout: whole seconds that a request may take.
        limits: of the connections kept; the lean requests have as many of their own.
    """

    def __init__(
        self, url: str, api_key: str | None, timeout: int, limits: httpx.Limits, **options: Any
    ) -> None:
        super().__init__(url=url, api_key=api_key, timeout=timeout, limits=limits, **options)
        # With the port and the path that the other requests go to.
        self._points_url = f"{self.http.client.host.rstrip('/')}/collections/{{}}/points"
        self._pool = _pool(self._points_url, timeout, limits.max_keepalive_connections or 1)
        self._headers = {"Content-Type": "application/json"}
        if api_key is not None:
            self._headers["api-key"] = api_key

    def find(self, collection: str, searches: list[models.QueryRequest]) -> list[list[FoundPoint]]:
        """What each search finds, best first, in one request."""
        batch = models.QueryRequestBatch(searches=searches)
        answers = self._post(collection, "/query/batch", batch)
        return [answer["points"] for answer in answers]

    def look_up(
        self,
        collection: str,
        ids: Sequence[str],
        payload: bool | list[str],
        vectors: bool | list[str],
    ) -> list[FoundPoint]:
        """Those of the points that are there."""
        wanted = models.PointRequest(ids=list(ids), with_payload=payload, with_vector=vectors)
        found: list[FoundPoint] = self._post(collection, "", wanted)
        return found

    def _post(
        self,
        collection: str,
        path: str,
        body: models.QueryRequestBatch | models.PointRequest,
    ) -> Any:
        try:
            reply = self._pool.request(
                "POST",
                self._points_url.format(quote(collection, safe="")) + path,
                body=body.model_dump_json(exclude_unset=True).encode(),
                headers=self._headers,
            )
        except urllib3.exceptions.HTTPError as error:
            raise ResponseHandlingException(error) from error
        if reply.status == OK:
            return pydantic_core.from_json(reply.data)["result"]
        wait = reply.headers.get("Retry-After")
        if reply.status == TOO_MANY_REQUESTS and wait:
            # It reads the header's text itself, though it says that it takes a number.
            raise ResourceExhaustedResponse("", wait)  # type: ignore[arg-type]
        headers = httpx.Headers(dict(reply.headers))
        raise UnexpectedResponse(reply.status, reply.reason or "", reply.data, headers)


def _pool(url: str, timeout: int, connections: int) -> urllib3.PoolManager:
    """Connections by the proxy and the certificates that httpx would take."""
    options: dict[str, Any] = {
        "maxsize": connections,
        "timeout": timeout,
        "retries": False,
    }
    parts = urlsplit(url)
    if parts.scheme == "https":
        options["ssl_context"] = httpx.create_ssl_context()
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and not proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, **options)
    return urllib3.PoolManager(**options)
