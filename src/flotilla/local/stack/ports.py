"""Chooses the ports of a stack."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flotilla.local.stack.options import LOOPBACK, Ports

TRIES = 50
"""Ports above the one asked for that are tried before any free one is taken."""

Claim = Callable[[int], bool]
"""Tells whether a port is nobody else's plan, and makes it the caller's."""


@contextmanager
def reserved_ports(asked: Ports, host: str, before: Ports | None = None) -> Iterator[Ports]:
    """`choose_ports`, and until the context ends no other stack of this user chooses the same.

    A port is free until its server listens, which takes seconds after it was chosen. A lock
    on a file in the system's temporary folder stands for it meanwhile.
    """
    with ExitStack() as locks:
        yield choose_ports(asked, host, before, lambda port: _lock(port, locks))


def choose_ports(
    asked: Ports, host: str, before: Ports | None = None, claim: Claim = lambda _: True
) -> Ports:
    """Ports that are free now: those asked for, else those of last time, else the next free.

    Args:
        asked: ports to begin with; 0 asks for any.
        host: where the gateway will listen; all else listens on the loopback address.
        before: the ports that this stack had last time, if it ran before.
        claim: asked about each port that would do, before it is taken.
    """
    taken: dict[str, int] = {}
    for name, port in asked.model_dump().items():
        wishes = [port] if port else []
        wishes += [getattr(before, name)] if before else []
        wishes += range(port + 1, min(port + 1 + TRIES, 65536)) if port else []
        where = host if name == "gateway" else LOOPBACK
        taken[name] = _first_free(where, wishes, taken.values(), claim)
    return Ports(**taken)


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        with _bound(host, port):
            return True
    except OSError:
        return False


def _first_free(host: str, wishes: list[int], taken: Collection[int], claim: Claim) -> int:
    for port in wishes:
        # Claimed before it is looked at: who held it before may listen on it by now.
        if port not in taken and claim(port) and is_free(host, port):
            return port
    while True:
        with _bound(host, 0) as server:
            port = int(server.getsockname()[1])
        if port not in taken and claim(port):
            return port


def _lock(port: int, locks: ExitStack) -> bool:
    path = Path(tempfile.gettempdir()) / f"flotilla-{os.getuid()}-port-{port}.lock"
    try:
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        file = locks.enter_context(os.fdopen(os.open(path, flags, 0o600), "r+"))
    except OSError:
        return True  # Nowhere to put a lock: the port is as free as it looks.
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its last holder may have removed it between the opening and the locking.
        if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return False
    except OSError:
        return False
    locks.callback(path.unlink, missing_ok=True)
    return True


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
