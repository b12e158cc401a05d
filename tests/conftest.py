"""Real servers that several kinds of tests share, each started when a test first asks for it."""

import contextlib
import functools
import gc
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
import redis

from tests.forking import Process, start

PATIENCE = 30.0

# Every process that the tests start imports Flotilla, and pytest compiles each test file: all
# would do it anew each time where the environment forbids to write bytecode, as images often do.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What is imported and collected stays to the end: to look for garbage among it is in vain, while it
# is made and at each later turn of the collector.
gc.disable()

# Each client of httpx would read all authorities anew, for 50 ms of a processor.
ssl.create_default_context = functools.cache(ssl.create_default_context)

# How long one example takes is the machine's affair.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Who starts the tests in the background of a shell has them ignore Ctrl-C, and so would all that
# they start; some of it is told by Ctrl-C to end.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="also what takes minutes, and the ledger's state machines twenty times as often",
    )
    parser.addoption(
        "--robustness",
        type=Path,
        metavar="FOLDER",
        help="files of others with their texts, as tests/reference_texts.py says, to convert",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "thorough: it takes a minute or more; with --thorough only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("thorough"):
        return
    left_out = [item for item in items if item.get_closest_marker("thorough")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether a test may take minutes."""
    return bool(request.config.getoption("thorough"))


@pytest.fixture(scope="session")
def effort(thorough: bool) -> int:
    """How many times as many examples as usual a state machine is to walk through."""
    return 20 if thorough else 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.02)


@contextlib.contextmanager
def running(
    command: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[Process]:
    """A process that is told to end, and killed should it not, when the block is left."""
    process = start(command, log, environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty Redis that belongs to this session of tests."""
    from flotilla.local.redis_server import find_redis_server

    folder = tmp_path_factory.mktemp("redis")
    port = free_port()
    command = [str(find_redis_server().path), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--dir", str(folder), "--save", "", "--maxmemory-policy", "noeviction"]
    url = f"redis://127.0.0.1:{port}/0"

    def answers() -> bool:
        with contextlib.suppress(redis.ConnectionError), redis.Redis.from_url(url) as client:
            return bool(client.ping())
        return False

    with running(command, folder / "log"):
        wait_until(answers)
        yield url


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The address of a PostgreSQL server of this session; its user may make databases."""
    programs = {name: shutil.which(name) for name in ("initdb", "postgres")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        pytest.skip(f"PostgreSQL is not installed here: no {' and no '.join(missing)} on the PATH")
    folder = Path(tempfile.mkdtemp(prefix="flotilla-postgresql-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        if shutil.which("setpriv") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no setpriv on the PATH")
        as_user = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        shutil.chown(folder, "nobody", "nogroup")
    data, port = folder / "data", free_port()
    try:
        initdb = [*as_user, str(programs["initdb"]), "--pgdata", str(data), "--no-sync"]
        initdb += ["--username", "flotilla", "--auth", "trust", "--encoding", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, timeout=60, cwd=folder)
        server = [*as_user, str(programs["postgres"]), "-D", str(data), "-k", str(folder)]
        server += ["-h", "127.0.0.1", "-p", str(port), "-c", "fsync=off"]
        url = f"postgresql://flotilla@127.0.0.1:{port}/postgres"

        def answers() -> bool:
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
                return True
            return False

        with running(server, folder / "log"):
            wait_until(answers)
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)
