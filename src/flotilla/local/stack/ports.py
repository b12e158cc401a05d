"""Chooses the ports of a stack."""

import socket
from collections.abc import Collection

from flotilla.local.stack.options import LOOPBACK, Ports

TRIES = 50
"""Ports above the one asked for that are tried before any free one is taken."""


def choose_ports(asked: Ports, host: str, before: Ports | None = None) -> Ports:
    """Ports that are free now: those asked for, else those of last time, else the next free.

    Args:
        asked: ports to begin with; 0 asks for any.
        host: where the gateway will listen; all else listens on the loopback address.
        before: the ports that this stack had last time, if it ran before.
    """
    taken: dict[str, int] = {}
    for name, port in asked.model_dump().items():
        wishes = [port] if port else []
        wishes += [getattr(before, name)] if before else []
        wishes += range(port + 1, min(port + 1 + TRIES, 65536)) if port else []
        where = host if name == "gateway" else LOOPBACK
        taken[name] = _first_free(where, wishes, taken.values())
    return Ports(**taken)


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        with _bound(host, port):
            return True
    except OSError:
        return False


def _first_free(host: str, wishes: list[int], taken: Collection[int]) -> int:
    for port in wishes:
        if port not in taken and is_free(host, port):
            return port
    while True:
        with _bound(host, 0) as server:
            port = int(server.getsockname()[1])
        if port not in taken:
            return port


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As servers do: a port whose last connections are fading out is free.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((host, port))
    except OSError:
        server.close()
        raise
    return server
