"""Addresses of callbacks, before anything is written down."""

from collections.abc import Iterator

import pytest

from flotilla.errors import CallbackRefused
from flotilla.gateway.callbacks import CallbackAddresses
from flotilla.schemas.webhooks import LONGEST_CALLBACK_URL

LOCAL = "http://127.0.0.1/"
NO_ADDRESSES = [
    "http://xn--/",
    "http://xn--a/",
    "http://h:99999999999999999999/",
    "http://h:65536/",
    "http://h:0/",
    "http://h:-1/",
    "http://h/\ud800",
]


@pytest.fixture(params=[True, False], ids=["private", "public"])
def addresses(request: pytest.FixtureRequest) -> Iterator[CallbackAddresses]:
    addresses = CallbackAddresses(allow_private=request.param)
    yield addresses
    addresses.close()


@pytest.mark.parametrize("url", NO_ADDRESSES)
async def test_what_nothing_can_listen_at_is_refused(
    addresses: CallbackAddresses, url: str
) -> None:
    with pytest.raises(CallbackRefused, match="whole one"):
        await addresses.check(url)


async def test_an_address_is_measured_as_it_is_kept() -> None:
    addresses = CallbackAddresses(allow_private=True)
    room = LONGEST_CALLBACK_URL - len(LOCAL)
    for longest in (LOCAL + "x" * room, LOCAL + "漢" * (room // 9) + "x" * (room % 9)):
        kept = await addresses.check(longest)
        assert len(kept.encode()) == LONGEST_CALLBACK_URL
        with pytest.raises(CallbackRefused, match="longer"):
            await addresses.check(longest + "x")
    addresses.close()


async def test_an_address_is_measured_as_it_was_sent_too() -> None:
    # As a body's schema does it, also where no schema looks at it.
    addresses = CallbackAddresses(allow_private=True)
    with pytest.raises(CallbackRefused, match="longer"):
        await addresses.check(LOCAL + "#" + "x" * LONGEST_CALLBACK_URL)
    addresses.close()
