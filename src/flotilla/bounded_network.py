"""Connections that no server can stretch, however slowly it sends.

Each wait for the network is bounded by what is left of the whole request, whose deadline is the
context's.
"""

import ssl
import weakref
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

from flotilla.deadlines import current

CONNECT_SECONDS = 5.0
"""What a connection may take to be made: a server that is there takes milliseconds."""


def _bounded(timeout: float | None, late: type[Exception]) -> float | None:
    deadline = current()
    if deadline is None:
        return timeout
    left = deadline.left()
    if left <= 0:
        raise late("the deadline has passed")
    return left if timeout is None else min(timeout, left)


class BoundStream(httpcore2.NetworkStream):
    """A connection whose every wait ends at the deadline of the request that waits."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _bounded(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _bounded(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        bound = _bounded(timeout, httpcore2.ConnectTimeout)
        return BoundStream(self._stream.start_tls(ssl_context, server_hostname, bound))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class BoundBackend(httpcore2.NetworkBackend):
    """Makes connections that know of deadlines."""

    def __init__(self, backend: httpcore2.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        bound = _bounded(timeout, httpcore2.ConnectTimeout)
        return BoundStream(
            self._backend.connect_tcp(host, port, bound, local_address, socket_options)
        )

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.NetworkStream:
        bound = _bounded(timeout, httpcore2.ConnectTimeout)
        return BoundStream(self._backend.connect_unix_socket(path, bound, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


def bound_client(base_url: str | None, timeout: float) -> httpx2.Client:
    """The `openai` package's own HTTP client, whose connections know of deadlines.

    `timeout` is in seconds, for requests outside of any deadline.
    """
    import openai

    seconds = httpx2.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout))
    options: dict[str, Any] = {} if base_url is None else {"base_url": base_url}
    client: httpx2.Client = openai.DefaultHttpxClient(timeout=seconds, **options)
    # Neither package has a setting for it. A transport of one's own would have to do again what
    # they do with proxies, certificates and exceptions.
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx2.HTTPTransport):
            pool: Any = transport._pool
            pool._network_backend = BoundBackend(pool._network_backend)
        if transport is not None:
            weakref.finalize(client, transport.close)
    return client
