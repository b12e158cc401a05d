"""Runs Flower over Flotilla's Celery app, with its history kept in the data folder."""

import ipaddress
import os

from flotilla.settings import Settings

SAVE_INTERVAL = 10_000
"""Milliseconds between two savings of the history, so that a kill loses little of it."""


def run(settings: Settings, host: str, port: int) -> None:
    """Run Flower in this process until it is told to stop.

    Its API answers without authentication only on the loopback address; elsewhere Flower's own
    options (such as FLOWER_BASIC_AUTH) have to open it.
    """
    folder = settings.data_dir / "flower"
    folder.mkdir(parents=True, exist_ok=True)
    if is_loopback(host):
        os.environ.setdefault("FLOWER_UNAUTHENTICATED_API", "true")

    from flotilla.broker import app

    app.start(arguments(host, port, str(folder / "history")))


def arguments(host: str, port: int, history: str) -> list[str]:
    """The command line of `celery … flower`."""
    return [
        "flower",
        f"--address={host}",
        f"--port={port}",
        "--persistent=True",
        f"--db={history}",
        f"--state_save_interval={SAVE_INTERVAL}",
        "--natural_time=False",
    ]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
