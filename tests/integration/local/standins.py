"""Small programs in the places of the stack's own, and a table that names them."""

import sys
from pathlib import Path

from flotilla.local.stack.options import Ports, StackOptions
from flotilla.local.stack.programs import Probe, Program, ProgramTable, Stage
from flotilla.settings import Settings

# Writes its name when it is told to end; `ignore` makes it deaf; `fork` gives it a child.
SLEEPER = """
import os, signal, sys, time
name, journal, *how = sys.argv[1:]

def end(*_):
    with open(journal, "a") as file:
        file.write(name + "\\n")
    sys.exit(0)

signal.signal(signal.SIGTERM, signal.SIG_IGN if "ignore" in how else end)
if "fork" in how and os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(name, "runs", flush=True)
while True:
    time.sleep(60)
"""

FAILING = "import sys; sys.exit('no such module: engine')"

SERVER = """
import http.server, signal, sys
name, journal, port = sys.argv[1:]

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

def end(*_):
    with open(journal, "a") as file:
        file.write(name + "\\n")
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
http.server.HTTPServer(("127.0.0.1", int(port)), Ready).serve_forever()
"""


class StandIns:
    """A program table of stand-ins; `how` gives single programs a habit of SLEEPER.

    Each stand-in writes its name into `journal` when it is told to end.
    """

    def __init__(self, folder: Path, **how: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._how = how
        self._scripts = {}
        self.journal = folder / "journal"
        for name, code in {"sleeper": SLEEPER, "server": SERVER, "failing": FAILING}.items():
            self._scripts[name] = folder / f"{name} 100%.py"
            self._scripts[name].write_text(code)

    def table(self, settings: Settings, options: StackOptions, ports: Ports) -> list[Program]:
        address = f"http://127.0.0.1:{ports.gateway}"
        workers = [
            self._program(f"{fleet}-{number}", Stage.FLEET, fleet=fleet)
            for fleet, count in options.workers.items()
            for number in range(1, count + 1)
        ]
        return [
            self._program("redis", Stage.REDIS),
            self._program("qdrant", Stage.QDRANT),
            *workers,
            self._program("beat", Stage.BESIDE),
            self._program(
                "gateway",
                Stage.GATEWAY,
                script="server",
                arguments=(str(ports.gateway),),
                address=address,
                probe=Probe(kind="http", address=address),
            ),
        ]

    def _program(
        self,
        name: str,
        stage: Stage,
        script: str = "sleeper",
        arguments: tuple[str, ...] = (),
        fleet: str | None = None,
        address: str | None = None,
        probe: Probe | None = None,
    ) -> Program:
        how = self._how.get(name.replace("-", "_"), "")
        path = self._scripts["failing" if "failing" in how else script]
        command = (sys.executable, str(path), name, str(self.journal), *arguments, *how.split())
        return Program(
            name=name,
            command=command,
            stage=stage,
            fleet=fleet,
            address=address,
            probe=probe,
            start_seconds=1 if "failing" in how else 0,
            stop_seconds=2,
        )


def only_redis(table: ProgramTable) -> ProgramTable:
    """The Redis of a table's queues and nothing else."""

    def redis(settings: Settings, options: StackOptions, ports: Ports) -> list[Program]:
        return [p for p in table(settings, options, ports) if p.name == "redis"]

    return redis
