"""What httpx's clients are built with."""

import ssl

import pytest

from flotilla.client import Flotilla


@pytest.mark.parametrize(
    ("address", "loads"),
    [
        ("http://127.0.0.1:8000", False),
        ("http://localhost:8000/", False),
        ("https://localhost:8000", True),
        ("http://flotilla.example.com", True),  # where a proxy may be asked over TLS
        ("https://flotilla.example.com", True),
    ],
)
def test_authorities_are_loaded_where_something_may_be_encrypted(
    monkeypatch: pytest.MonkeyPatch, address: str, loads: bool
) -> None:
    """It takes longer than all else that a command does before its first request."""
    loaded = []
    make = ssl.create_default_context

    def noted(*given: object, **options: object) -> ssl.SSLContext:
        loaded.append(options)
        return make(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl, "create_default_context", noted)
    Flotilla(address).close()
    assert bool(loaded) is loads
