"""Addresses of the public Internet, and an HTTP transport that connects to no others.

What users' URLs lead to is fetched and called through it, so that nobody reaches the inside of the
network by naming it. It keeps one deadline, too.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import httpcore
import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Addresses of IPv4 inside of IPv6 behind a translator (RFC 6052).
NAT64 = ipaddress.ip_network("64:ff9b::/96")

LAST_PORT = 65_535


class AddressRefused(Exception):
    """A name leads to no address that may be reached. The message says why."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the public Internet.

    Private, loopback, link-local, shared, reserved and multicast addresses are not; nor are
    addresses of IPv6 that carry one of them.
    """
    if isinstance(address, ipaddress.IPv6Address):
        carried: list[Address] = [
            inner for inner in (address.ipv4_mapped, address.sixtofour) if inner is not None
        ]
        if address.teredo is not None:
            carried.extend(address.teredo)
        if address in NAT64:
            carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if carried:
            return all(is_public(inner) for inner in carried)
        if address.is_site_local:  # given up in 2004, and still routed in some networks
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Reading the certificates takes longer than many a request.
    return httpx.create_ssl_context()


def can_be_reached(address: httpx.URL) -> bool:
    """Whether an address is one of http or https, with a host and a port that there can be."""
    try:
        host = address.host
    except UnicodeError:  # Punycode that stands for no name
        return False
    port = address.port
    return (
        address.scheme in ("http", "https")
        and bool(host)
        and (port is None or 1 <= port <= LAST_PORT)
    )


def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses that a name leads to and that may be reached.

    Args:
        host: a name, or an address in any of its notations.
        port: the port that is to be connected to.
        allow_private: whether addresses that are not public may be reached.

    Raises:
        AddressRefused: all of them are private or reserved.
        OSError: the name cannot be resolved.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (UnicodeError, OverflowError) as error:  # no name, or no port
        raise OSError(f"{host}:{port} is no address") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if allow_private:
        return addresses
    public = [a for a in addresses if is_public(ipaddress.ip_address(a.partition("%")[0]))]
    if not public:
        raise AddressRefused("it leads to a private or reserved address")
    return public


class CheckedTransport(httpx.BaseTransport):
    """Resolves a name once, checks the addresses and connects to one that was checked.

    So a name that answers differently the second time leads nowhere. Host header and TLS go on
    using the name. Proxies are not used, since behind one the address is not ours to check.

    Args:
        deadline: moment of `time.monotonic` after which any wait ends with a timeout.
        allow_private: whether addresses that are not public may be reached.
    """

    def __init__(self, *, deadline: float, allow_private: bool) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(),
            network_backend=_CheckedBackend(deadline, allow_private),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=response.status, headers=response.headers, stream=_Body(response)
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _CheckedBackend(httpcore.NetworkBackend):
    def __init__(self, deadline: float, allow_private: bool) -> None:
        self._deadline = deadline
        self._allow_private = allow_private
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._resolve(host, port):
            try:
                stream = self._sockets.connect_tcp(
                    address, port, _left(self._deadline), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure or httpcore.ConnectError(f"{host} has no address")

    def _resolve(self, host: str, port: int) -> list[str]:
        try:
            return resolve(host, port, allow_private=self._allow_private)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error


class _TimedStream(httpcore.NetworkStream):
    """A connection on which no wait outlasts the deadline, however often it is renewed."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    """Seconds until the deadline.

    Raises:
        httpcore.ReadTimeout: it has passed.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return left
