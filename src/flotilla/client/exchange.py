"""From an operation to httpx's request, and from httpx's response to a value or an error."""

import ipaddress
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from flotilla.client.errors import FlotillaAPIError, GatewayUnreachable, UnexpectedReply
from flotilla.client.operation import Operation
from flotilla.retry_after import seconds_to_wait
from flotilla.schemas import Problem

T = TypeVar("T")

CONNECT_TIMEOUT = 5.0
"""Seconds in which a connection has to stand."""

FIRST_BACKOFF = 0.2
"""Seconds before the second try; doubled at each further one."""

LONGEST_RETRY_AFTER = 60.0
"""Seconds of Retry-After that are waited out, as long as a gateway with too much to do asks for at
most; a longer one is the caller's to plan with."""

PASSING = frozenset({429, 502, 503, 504})
"""Statuses of a gateway, or of a proxy before it, that may be others in a moment."""


def client_options(base_url: str, api_key: str | None) -> dict[str, Any]:
    """The arguments that httpx's two clients are built with."""
    loopback = _is_loopback(base_url)
    options: dict[str, Any] = {
        "base_url": base_url.rstrip("/"),
        "headers": {"Authorization": f"Bearer {api_key}"} if api_key else {},
        # A proxy of the environment cannot reach this machine's own loopback.
        "trust_env": not loopback,
    }
    if loopback and urlsplit(base_url).scheme == "http":
        # No redirection is followed, so that nothing is ever encrypted: of a context that trusts
        # nobody nothing comes, while those whom all trust take 50 ms to load.
        options["verify"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return options


def _is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def request_options(operation: Operation[Any], timeout: float) -> dict[str, Any]:
    """The arguments of httpx's `request`."""
    options: dict[str, Any] = {
        "method": operation.method,
        "url": operation.path,
        "params": {key: value for key, value in operation.params.items() if value is not None},
        "timeout": httpx.Timeout(
            timeout, connect=CONNECT_TIMEOUT, read=timeout + operation.patience
        ),
    }
    if operation.headers:
        options["headers"] = dict(operation.headers)
    if operation.body is not None:
        options["json"] = operation.body
    if operation.form is not None:
        options["data"] = operation.form
        options["files"] = [("files", (file.name, file)) for file in operation.files]
    return options


def read_response(operation: Operation[T], response: httpx.Response) -> T:
    """The value of the response.

    Raises:
        FlotillaAPIError: the gateway says that it failed, and why.
        UnexpectedReply: the reply is not Flotilla's.
    """
    if response.is_success or response.status_code in operation.also:
        try:
            return operation.parse(response.content)
        except ValidationError:
            if response.is_success:
                raise UnexpectedReply(
                    f"{response.url} did not answer as a Flotilla gateway does: "
                    "check the address and that client and gateway have the same version."
                ) from None
    raise FlotillaAPIError(_problem(response), retry_after=_retry_after(response))


def _problem(response: httpx.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        # A proxy's own page stands where the gateway's problem should.
        reason = response.reason_phrase or "an error"
        return Problem(
            title=reason,
            status=response.status_code,
            detail=f"{response.url} answered {response.status_code} ({reason}) without "
            "saying why: look into the log of the gateway or of the proxy before it.",
            code=f"http_{response.status_code}",
            request_id=response.headers.get("x-request-id"),
            retryable=response.status_code in PASSING,
        )


def _retry_after(response: httpx.Response) -> float | None:
    return seconds_to_wait(response.headers.get("retry-after"))


def transport_failure(
    base_url: str, operation: Operation[Any], error: httpx.TransportError | None
) -> GatewayUnreachable:
    """The sentence for a request that got no reply."""
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return GatewayUnreachable(
            f"No gateway answers at {base_url}: start the stack with `flotilla up`, "
            "or give the address of a running one."
        )
    if isinstance(error, httpx.TimeoutException):
        return GatewayUnreachable(
            f"The gateway at {base_url} did not answer {operation.method} {operation.path} "
            "in time: look at `flotilla status`, or allow more time."
        )
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return GatewayUnreachable(
            f"{base_url} cannot be used as the gateway's address: {str(error).rstrip('.')}."
        )
    return GatewayUnreachable(
        f"The connection to the gateway at {base_url} broke off during {operation.method} "
        f"{operation.path}: look at `flotilla status` and try again."
    )


@dataclass(frozen=True)
class Pause:
    """Seconds to let pass."""

    seconds: float


Outcome = httpx.Response | httpx.TransportError | None
Steps = Generator[dict[str, Any] | Pause, Outcome, T]
"""A call as its driver sees it: it yields the arguments of httpx's `request`, and is sent the
response or the error, or yields a Pause and is sent None; what it returns is the call's value."""


@dataclass(frozen=True)
class Exchange:
    """How operations reach one gateway; the drivers of its steps do the I/O."""

    base_url: str
    timeout: float
    retries: int
    longest_retry_after: float = LONGEST_RETRY_AFTER

    def perform(self, operation: Operation[T]) -> Steps[T]:
        """Carry out one operation, again where that is safe and may help.

        Raises:
            FlotillaAPIError: the gateway says that it failed, and why.
            UnexpectedReply: the reply is not Flotilla's.
            GatewayUnreachable: there was no reply.
        """
        tries = 0
        while True:
            outcome = yield request_options(operation, self.timeout)
            delay = retry_delay(operation, outcome, tries) if tries < self.retries else None
            if delay is None or delay > self.longest_retry_after:
                break
            yield Pause(delay)
            tries += 1
        if isinstance(outcome, httpx.Response):
            return read_response(operation, outcome)
        raise transport_failure(self.base_url, operation, outcome) from outcome


def retry_delay(operation: Operation[Any], outcome: Outcome, tries: int) -> float | None:
    """Seconds until the operation is to be sent again, or None when it is not.

    `tries` counts what has been sent again already.
    """
    if is_turned_away(outcome):
        # Nothing of it was read, whatever it was. A stream cannot be sent twice.
        repeatable = all(file.size is not None for file in operation.files)
    else:
        repeatable = operation.repeatable
    if not repeatable:
        return None
    if isinstance(outcome, httpx.Response):
        if outcome.status_code != 503 or operation.also:
            return None
        return _retry_after(outcome)
    if isinstance(outcome, (httpx.NetworkError, httpx.ConnectTimeout, httpx.RemoteProtocolError)):
        return float(FIRST_BACKOFF * 2**tries)
    return None


def is_turned_away(outcome: Outcome) -> bool:
    """Whether the gateway has more to do than it takes, and has refused the request unread."""
    if not isinstance(outcome, httpx.Response) or outcome.status_code != 503:
        return False
    return _problem(outcome).code == "overloaded"
