"""Rows about the machine itself: a worker whose clock is wrong."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from tests.chaos.stack import Stack, wait_for
from tests.chaos.trial import Row, Trial
from tests.chaos.verdict import AT_WORK, killed_at_work

WORK_SECONDS = 20.0
"""For each worker with a wrong clock to have done anything, when there was enough to do for all."""

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
    while trial.goes_on():
        trial.kill_at_work(("vectorstore.index", "document."))
        trial.rest(4.0, 8.0)
    for fleet, name, offset in WRONG:
        log = trial.stack.data / "logs" / f"{fleet}-{name}.log"
        wait_for(lambda path=log: done(path), WORK_SECONDS, f"{log.stem} has done any work")  # type: ignore[misc]
        hours = skew(log) / 3600
        assert abs(hours - int(offset.removesuffix("h"))) < 0.1, f"{log.stem} is {hours:.2f} h off"
        trial.note(f"{log.stem}, {hours:+.1f} h off{AT_WORK}", done(log))


DONE = re.compile(r"^(\S+Z) .*Task (?!upkeep\.re)(\w+\.\w+)\[\S+\] succeeded", re.MULTILINE)


def done(log: Path) -> int:
    """How many tasks a worker has done by its log, beat's left out."""
    return len(DONE.findall(log.read_text(encoding="utf-8", errors="replace")))


def skew(log: Path) -> float:
    """Seconds by which a worker's clock is ahead: its last line's time by itself, and by the file's
    own, which is the machine's."""
    text = log.read_text(encoding="utf-8", errors="replace")
    last = re.findall(r"^(\d{4}-\S+Z) ", text, re.MULTILINE)[-1]
    return datetime.fromisoformat(last).timestamp() - log.stat().st_mtime


def _is_up(stack: Stack, fleet: str, name: str) -> bool:
    return any(stack.redis.scan_iter(f"flotilla:worker:{fleet}:{name}@*"))


ROWS = (
    Row(
        "clock",
        "workers whose clocks are an hour off, and kills of others",
        _kill_beside,
        questions=True,
        felt=killed_at_work,
        obstacle=_obstacle,
        company=_wrong_clocks,
    ),
)
