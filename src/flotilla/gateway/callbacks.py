"""Which addresses may be called back, as far as a submission can tell.

What counts is the address that is connected to when a delivery is sent, and it is checked there
again: a name may lead elsewhere by then. Here the mistake is told to whom it concerns, at once.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from flotilla.errors import CallbackRefused
from flotilla.public_addresses import AddressRefused, can_be_reached, resolve
from flotilla.schemas.webhooks import LONGEST_CALLBACK_URL

RESOLVE_SECONDS = 2.0
RESOLVERS = 4  # threads; a name server that hangs holds up nothing else


class CallbackAddresses:
    """Checks addresses before they are written down.

    Args:
        allow_private: whether addresses that are not public may be called.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._threads = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="resolve")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def check_given(self, url: str | None) -> str | None:
        """The address where a submission's end is to be told, if it names one. Raises as `check`
        does."""
        return None if url is None else await self.check(url)

    async def check(self, url: str, field: str = "callback_url") -> str:
        """The address as it is to be kept.

        A name that cannot be resolved now is taken: its deliveries say so and are tried again.

        Args:
            url: as it was sent.
            field: the request's field that it came in.

        Raises:
            CallbackRefused: it is no web address, too long, bears a password, or leads into the
                network.
        """
        address = _parse(url, field)
        port = address.port or (443 if address.scheme == "https" else 80)
        look = partial(resolve, address.host, port, allow_private=self._allow_private)
        if not self._allow_private:
            try:
                resolved = asyncio.get_running_loop().run_in_executor(self._threads, look)
                await asyncio.wait_for(resolved, RESOLVE_SECONDS)
            except AddressRefused as error:
                raise CallbackRefused(
                    f"{address.host} may not be called: {error}. Give a public one, or set "
                    "FLOTILLA_WEBHOOK_ALLOW_PRIVATE.",
                    field=field,
                ) from None
            except (OSError, TimeoutError):
                pass
        return str(address)


def _parse(url: str, field: str) -> httpx.URL:
    _check_length(url, field)
    try:
        address = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError):
        address = httpx.URL("")
    if not can_be_reached(address):
        raise CallbackRefused(
            "Only http and https addresses can be called: send a whole one such as "
            "https://example.com/flotilla.",
            field=field,
        )
    if address.userinfo:
        raise CallbackRefused(
            "An address is stored and shown, so it must not hold a user name or a password: "
            "deliveries are signed, check their signature instead.",
            field=field,
        )
    kept = address.copy_with(fragment=None)
    # What is kept is longer than what was sent where it has characters that are percent-encoded.
    _check_length(str(kept), field)
    return kept


def _check_length(url: str, field: str) -> None:
    if len(url) > LONGEST_CALLBACK_URL:
        raise CallbackRefused(
            f"An address may have {LONGEST_CALLBACK_URL:,} bytes, percent-encoded as it is called, "
            "and this one is longer: give a shorter one.",
            field=field,
        )
