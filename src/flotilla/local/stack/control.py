"""Speaks with the supervisord of one stack: its configuration and its remote control."""

import contextlib
import getpass
import http.client
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flotilla.errors import StackFailed
from flotilla.local.stack.forked import NAME_ROOM, NAME_VARIABLE
from flotilla.local.stack.preload import make_interface
from flotilla.local.stack.programs import Program
from flotilla.local.stack.record import StackRecord
from flotilla.settings import STACK_MARKER, child_environment, get_settings
from flotilla.settings.base import cores

ALIVE = {"STARTING", "RUNNING", "BACKOFF", "STOPPING"}
"""supervisord's states of a program that runs or will run again by itself."""

LONGEST_STOP = 30.0
"""Seconds after which a program that ignores even SIGKILL is left to `end_processes`."""

CALL_TIMEOUT = 30.0
"""Seconds that supervisord may take to answer: it answers nobody while it loads a module."""

Unreachable = (OSError, http.client.HTTPException, xmlrpc.client.Error)
"""What a call raises when no supervisord listens, or when it is already going."""


@dataclass(frozen=True)
class ProcessInfo:
    """What supervisord knows of a program; `started` in seconds since the epoch."""

    name: str
    state: str
    pid: int | None
    started: float
    spawn_error: str


class Supervisord:
    """The supervisord of one stack.

    Args:
        record: the stack.
    """

    def __init__(self, record: StackRecord) -> None:
        self._record = record
        self._config = record.data / "supervisord.conf"
        self._log = record.logs / "supervisord.log"
        self._transport = _UnixTransport(str(record.socket))

    def launch(self, programs: Iterable[Program], *, companion: int | None = None) -> None:
        """Start supervisord with some of the stack's programs, detached from this terminal.

        Args:
            programs: what it starts with; `apply` adds the rest.
            companion: process with whose end the stack ends too.

        Raises:
            StackFailed: it refused to start.
        """
        self._log.unlink(missing_ok=True)
        self._write(programs)
        together = ["--with", str(companion)] if companion else []
        command = [sys.executable, "-m", "flotilla.local.stack.supervisord", *together]
        started = subprocess.run(
            [*command, "-c", str(self._config)],
            env=child_environment(self._environment()),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        if started.returncode:
            raise StackFailed(
                f"The supervisor did not start: {started.stderr.strip() or started.stdout.strip()}"
            )

    def preload(self, modules: Iterable[str]) -> None:
        """Have supervisord load modules, so that the programs it starts from now on have them in
        memory; returns at once."""
        self._call("wish", list(modules), namespace="preload")

    def await_preload(self, deadline: float) -> None:
        """Wait until they are loaded, or until the monotonic clock shows `deadline`."""
        while self._call("pending", namespace="preload") and time.monotonic() < deadline:
            time.sleep(0.02)

    def is_running(self) -> bool:
        """Whether it answers and is not on its way out."""
        try:
            self._call("getPID")
        except Unreachable:
            return False
        return True

    def processes(self) -> dict[str, ProcessInfo]:
        """The programs under supervision by name; empty when supervisord is gone."""
        try:
            answer = self._call("getAllProcessInfo")
        except Unreachable:
            return {}
        return {
            info["name"]: ProcessInfo(
                name=info["name"],
                state=info["statename"],
                pid=info["pid"] or None,
                started=info["start"],
                spawn_error=info["spawnerr"],
            )
            for info in answer
        }

    def exits(self) -> dict[str, int]:
        """How often each program ended without being told to, since supervisord started."""
        counts: dict[str, int] = {}
        with contextlib.suppress(FileNotFoundError):
            log = self._log.read_text(encoding="utf-8", errors="replace")
            for name in re.findall(r"(?:INFO|WARN) exited: (\S+) \(", log):
                counts[name] = counts.get(name, 0) + 1
        return counts

    def apply(self, programs: Iterable[Program]) -> tuple[list[str], list[str]]:
        """Make these the programs under supervision; returns the names added and removed.

        A program whose command has changed goes on as it is until the stack is started anew.
        """
        self._write(programs)
        [[added, _, removed]] = self._call("reloadConfig")
        for name in removed:
            self.stop([name])
            self._call("removeProcessGroup", name)
        for name in added:
            self._call("addProcessGroup", name)
        return added, removed

    def stop(self, names: Iterable[str]) -> None:
        """Tell programs to end, all at once, and wait; supervisord kills those that do not."""
        deadline = time.monotonic() + LONGEST_STOP
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):  # not running
                self._call("stopProcess", name, False)
        waiting = set(names)
        while waiting and time.monotonic() < deadline:
            known = self.processes()
            waiting = {n for n in waiting if n in known and known[n].state in ALIVE}
            time.sleep(0.02)

    def shutdown(self) -> None:
        """Tell supervisord to end itself and whatever still runs."""
        with contextlib.suppress(*Unreachable):
            self._call("shutdown")

    def _call(self, method: str, *arguments: Any, namespace: str = "supervisor") -> Any:
        proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=self._transport)
        try:
            return getattr(proxy, f"{namespace}.{method}")(*arguments)
        finally:
            self._transport.close()

    def _environment(self) -> Mapping[str, str]:
        record = self._record
        return {
            "REDIS_URL": record.redis_url,
            # Empty counts as not set.
            "FLOTILLA_CACHE_URL": record.cache_url or "",
            "QDRANT_URL": record.qdrant_url,
            "FLOTILLA_DATA": str(record.data),
            "FLOTILLA_GATEWAY_HOST": record.host,
            "FLOTILLA_GATEWAY_PORT": str(record.taken.gateway),
            STACK_MARKER: str(record.data),
            "PYTHONUNBUFFERED": "1",
            # Keeps the setproctitle package from writing over the environment and the marker.
            "SPT_NOENV": "1",
            NAME_VARIABLE: NAME_ROOM,
            **self._shared_processors(),
        }

    def _shared_processors(self) -> Mapping[str, str]:
        """Several workers that embed share this machine's processors: if each took all of them,
        their threads would spin while they wait for one another."""
        workers = sum(program.fleet == "vectorstore" for program in self._record.programs)
        if workers < 2 or "embedding_threads" in get_settings().vectorstore.model_fields_set:
            return {}
        return {"FLOTILLA_VECTORSTORE_EMBEDDING_THREADS": str(max(1, cores() // workers))}

    def _write(self, programs: Iterable[Program]) -> None:
        sections = [self._daemon_section(), *map(self._program_section, programs)]
        self._config.write_text("\n".join(sections), encoding="utf-8")

    def _daemon_section(self) -> str:
        record = self._record
        user = f"user = {getpass.getuser()}\n" if os.getuid() == 0 else ""
        return (
            "; Written anew by each `flotilla up`.\n"
            "[supervisord]\n"
            f"{user}"
            f"logfile = {self._log}\n"
            "logfile_maxbytes = 5MB\n"
            "logfile_backups = 1\n"
            f"pidfile = {record.data / 'supervisord.pid'}\n"
            f"childlogdir = {record.logs}\n"
            "umask = 077\n"
            "silent = true\n\n"
            "[unix_http_server]\n"
            f"file = {record.socket}\n"
            "chmod = 0700\n\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory = "
            "supervisor.rpcinterface:make_main_rpcinterface\n\n"
            "[rpcinterface:preload]\n"
            f"supervisor.rpcinterface_factory = {make_interface.__module__}:make_interface\n"
        )

    def _program_section(self, program: Program) -> str:
        return (
            f"[program:{program.name}]\n"
            f"command = {_quoted(program.command)}\n"
            f"priority = {int(program.stage)}\n"
            f"startsecs = {program.start_seconds}\n"
            f"stopwaitsecs = {program.stop_seconds}\n"
            # A worker lets its processes finish their tasks when it alone is told to end.
            "stopasgroup = false\n"
            "killasgroup = true\n"
            "autorestart = true\n"
            "startretries = 1000000\n"
            "redirect_stderr = true\n"
            f"stdout_logfile = {self._record.log(program.name)}\n"
            "stdout_logfile_maxbytes = 10MB\n"
            "stdout_logfile_backups = 3\n"
        )


def _quoted(command: Iterable[str]) -> str:
    """A command line as supervisord reads it: shell quotes, %% for %, and no comment signs."""
    line = shlex.join(command).replace("%", "%%")
    return re.sub(r"(\s)([;#])", r"""\1'"\2"'""", line)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=CALL_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._open: _UnixConnection | None = None

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        self.close()
        self._open = _UnixConnection(self._path)
        return self._open

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
