"""Deadlines that no server can stretch, however slowly it sends.

A client's timeout counts from byte to byte, so that one byte a second holds a thread for ever.
Here each wait for the network is bounded by what is left of the whole request. Clients of other
providers, whose network is not ours, are waited for in a thread of their own.
"""

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import httpcore2

if TYPE_CHECKING:
    import ssl

    import httpx2

CONNECT_SECONDS = 5.0
"""What a connection may take to be made: a server that is there takes milliseconds."""

T = TypeVar("T")

_current: contextvars.ContextVar["Deadline | None"] = contextvars.ContextVar(
    "model_deadline", default=None
)


class Deadline:
    """The end of one request; `heard` also bounds the silence from one piece to the next.

    Args:
        seconds: what the request may take, from now.
        silence: what may pass between two pieces of a stream.
    """

    def __init__(self, seconds: float, silence: float = float("inf")) -> None:
        self._ends = time.monotonic() + seconds
        self._silence = silence
        self._silent_until = float("inf")

    def heard(self) -> None:
        """A piece of the reply has come."""
        self._silent_until = time.monotonic() + self._silence

    def left(self) -> float:
        """Seconds until something has to have come; 0 or less when it is too late."""
        return min(self._ends, self._silent_until) - time.monotonic()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Bound what this context does on the network."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


def _bounded(timeout: float | None, late: type[Exception]) -> float | None:
    deadline = _current.get()
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
        ssl_context: "ssl.SSLContext",
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


def bound_client(base_url: str | None, timeout: float) -> "httpx2.Client":
    """The `openai` package's own HTTP client, whose connections know of deadlines.

    `timeout` is in seconds, for requests outside of any deadline.
    """
    import httpx2
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
    return client


def wait_for(work: Callable[[], T], deadline: Deadline) -> T:
    """The result of work that is done in a thread of its own, and left to it at the deadline.

    Raises:
        TimeoutError: the deadline has passed.
    """
    return next(pieces(lambda: iter([work()]), deadline))


def pieces(work: Callable[[], Iterator[T]], deadline: Deadline) -> Iterator[T]:
    """What a generator yields in a thread of its own, which is left alone at the deadline.

    Raises:
        TimeoutError: the deadline has passed.
    """
    found: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    over = threading.Event()

    def pump() -> None:
        try:
            iterator = work()
            for piece in iterator:
                found.put(("piece", piece))
                if over.is_set():
                    close = getattr(iterator, "close", None)
                    if close is not None:
                        close()
                    return
            found.put(("end", None))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            found.put(("error", error))

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(pump,), daemon=True, name="model-call").start()
    try:
        while True:
            try:
                kind, value = found.get(timeout=max(0.0, deadline.left()))
            except queue.Empty:
                raise TimeoutError from None
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        over.set()
