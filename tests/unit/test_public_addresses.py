"""Which addresses may be reached; how they are connected to is tested with the fetching."""

import socket

import pytest

from flotilla.public_addresses import AddressRefused, resolve


def test_a_name_is_resolved_to_what_may_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: object, **__: object) -> list[object]:
        addresses = ["10.0.0.1", "93.184.216.34", "93.184.216.34"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 80)) for each in addresses]

    monkeypatch.setattr("flotilla.public_addresses.socket.getaddrinfo", answer)
    assert resolve("both.example", 80, allow_private=False) == ["93.184.216.34"]
    assert resolve("both.example", 80, allow_private=True) == ["10.0.0.1", "93.184.216.34"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0x7f000001", "169.254.169.254"])
def test_what_leads_inside_alone_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused, match="private"):
        resolve(host, 80, allow_private=False)


def test_a_port_that_there_cannot_be_is_an_os_error() -> None:
    with pytest.raises(OSError):
        resolve("127.0.0.1", 10**20, allow_private=True)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "no-such-name.invalid", "a..b"])
def test_what_cannot_be_resolved_is_an_os_error(host: str) -> None:
    with pytest.raises(OSError):
        resolve(host, 80, allow_private=False)
