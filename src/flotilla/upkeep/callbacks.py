"""One call of a receiver: signed, bounded in time, and never into the network unless allowed."""

import contextlib
import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpcore
import httpx

from flotilla import __version__
from flotilla.public_addresses import AddressRefused, CheckedTransport, can_be_reached
from flotilla.retry_after import seconds_to_wait

GONE = 410
MOST_OF_ANSWER = 4096  # bytes; what is in it is of no interest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call. `status` is None where there was no answer; `final` ones are not
    tried again; `retry_after` is in seconds."""

    status: int | None
    message: str
    retry_after: float | None = None
    final: bool = False

    @property
    def success(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status is not None and 200 <= self.status < 300


def signature(secrets: Sequence[str], moment: int, body: bytes) -> str:
    """The header Flotilla-Signature: HMAC-SHA256 (RFC 2104) over `<moment>.<body>`, one a secret.

    Args:
        secrets: keys, taken as UTF-8; more than one while a new one replaces an old one.
        moment: seconds since 1970.
        body: the bytes that are sent.
    """
    signed = f"{moment}.".encode() + body
    digests = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={moment}", *(f"v1={digest}" for digest in digests)])


def call(
    url: str, body: bytes, headers: dict[str, str], *, timeout: float, allow_private: bool
) -> Outcome:
    """POST a body to a receiver; redirects are not followed.

    Args:
        url: an http or https address.
        body: JSON.
        headers: what says which delivery it is, and signs it.
        timeout: seconds in which the answer's status has to be there.
        allow_private: whether addresses that are not public may be reached.
    """
    transport = CheckedTransport(deadline=time.monotonic() + timeout, allow_private=allow_private)
    everything = {
        "Content-Type": "application/json",
        "User-Agent": f"Flotilla/{__version__}",
        **headers,
    }
    try:
        if not can_be_reached(httpx.URL(url)):
            raise httpx.UnsupportedProtocol(url)
        with (
            httpx.Client(transport=transport, trust_env=False, follow_redirects=False) as client,
            client.stream("POST", url, content=body, headers=everything) as response,
        ):
            outcome = _outcome(response)
            _read_a_little(response)
            return outcome
    except AddressRefused as error:
        return Outcome(
            None,
            f"The address may not be called: {error}; FLOTILLA_WEBHOOK_ALLOW_PRIVATE allows it.",
            final=True,
        )
    except (httpx.TimeoutException, httpcore.TimeoutException):
        return Outcome(None, f"The receiver did not answer within {timeout:g} seconds.")
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpcore.UnsupportedProtocol):
        return Outcome(None, "The address is no http or https address.", final=True)
    except (
        httpx.HTTPError,
        httpcore.ProtocolError,
        httpcore.NetworkError,
        OSError,
    ) as error:
        return Outcome(None, f"The receiver cannot be reached ({type(error).__name__}).")


def _outcome(response: httpx.Response) -> Outcome:
    status = response.status_code
    if response.is_redirect:
        return Outcome(
            status,
            f"The receiver answered {status}: redirects are not followed, give the address "
            "that it leads to.",
        )
    if status == GONE:
        return Outcome(status, "The receiver answered 410: it wants no more.", final=True)
    return Outcome(
        status,
        f"The receiver answered {status}.",
        retry_after=seconds_to_wait(response.headers.get("retry-after")),
    )


def _read_a_little(response: httpx.Response) -> None:
    # A connection that is closed on unread bytes looks like a fault on the other side. Whatever
    # goes wrong from here on, the receiver has said what it had to say.
    seen = 0
    with contextlib.suppress(
        httpx.HTTPError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
        httpcore.NetworkError,
        OSError,
    ):
        for piece in response.iter_raw():
            seen += len(piece)
            if seen >= MOST_OF_ANSWER:
                break
