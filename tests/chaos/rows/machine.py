"""Rows about the machine itself: a worker whose clock is wrong."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.chaos.stack import Stack, wait_for
from tests.chaos.trial import Row, Trial

LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


def _libfaketime() -> Path | None:
    for folder in LIBRARIES:
        found = sorted(Path(folder).glob("**/faketime/libfaketimeMT.so.1"))
        if found:
            return found[0]
    return None


def _obstacle() -> str | None:
    return None if _libfaketime() else "libfaketime is missing: install the package faketime"


WRONG = (
    ("document", "ahead", "+1h"),
    ("document", "behind", "-1h"),
    ("vectorstore", "ahead", "+1h"),
    ("vectorstore", "behind", "-1h"),
    ("default", "ahead", "+1h"),
    ("rag", "behind", "-1h"),
)


@contextmanager
def _wrong_clocks(stack: Stack) -> Iterator[None]:
    """Further workers, an hour ahead or behind."""
    library = _libfaketime()
    assert library is not None
    with ExitStack() as started:
        for fleet, name, offset in WRONG:
            started.enter_context(
                stack.further_worker(
                    fleet,
                    f"{fleet}-{name}",
                    LD_PRELOAD=str(library),
                    FAKETIME=offset,
                    FAKETIME_DONT_FAKE_MONOTONIC="1",
                )
            )
        for fleet, name, _ in WRONG:
            wait_for(lambda f=fleet, n=name: _is_up(stack, f, f"{f}-{n}"), 120, "it takes work")
        yield


def _kill_beside(trial: Trial) -> None:
    """Whoever is killed leaves leases that those with a wrong clock are to judge."""
    for fleet, name, _ in WRONG:
        trial.note(f"{fleet}-{name} at work")
    while trial.goes_on():
        victim = trial.await_claim(("vectorstore.index", "document."))
        if victim is not None:
            trial.kill(victim)
        trial.rest(4.0, 8.0)


def _is_up(stack: Stack, fleet: str, name: str) -> bool:
    return any(stack.redis.scan_iter(f"flotilla:worker:{fleet}:{name}@*"))


ROWS = (
    Row(
        "clock",
        "workers whose clocks are an hour off, and kills of others",
        _kill_beside,
        questions=True,
        obstacle=_obstacle,
        company=_wrong_clocks,
    ),
)
