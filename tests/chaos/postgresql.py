"""A PostgreSQL server of a row's own, from the binaries on the PATH, to be ended and started."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from tests.chaos.stack import wait_for


class PostgreSQL:
    """A server with an empty database; a context manager."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="flotilla-chaos-postgresql-"))
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url = f"postgresql://flotilla@127.0.0.1:{self._port}/postgres"

    @staticmethod
    def obstacle() -> str | None:
        """Why there can be none here."""
        needed = ["initdb", "postgres"] + (["setpriv"] if os.geteuid() == 0 else [])
        missing = [name for name in needed if shutil.which(name) is None]
        if not missing:
            return None
        return (
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not on the PATH: "
            "install PostgreSQL (package postgresql), and add its folder bin to the PATH"
        )

    def __enter__(self) -> Self:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self._folder, "nobody", "nogroup")
        initdb = [*self._as_user(), "initdb", "--pgdata", str(self._folder / "data"), "--no-sync"]
        initdb += ["--username", "flotilla", "--auth", "trust", "--encoding", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, timeout=60, cwd=self._folder)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        server = [*self._as_user(), "postgres", "-D", str(self._folder / "data")]
        server += ["-k", str(self._folder), "-h", "127.0.0.1", "-p", str(self._port)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                server,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                start_new_session=True,
            )
        wait_for(self._answers, 60, "PostgreSQL answers")

    def stop(self, number: signal.Signals) -> None:
        """End it: SIGINT breaks off what is under way, SIGQUIT lets it recover at the start."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def _as_user(self) -> list[str]:
        if os.geteuid():
            return []
        return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
