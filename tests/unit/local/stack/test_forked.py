import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flotilla.local.stack.forked import runs_module

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are forked on Linux only")

PARENT = """
import os, signal, sys
from flotilla.local.stack.forked import run_module

signal.signal(signal.SIGTERM, lambda *_: None)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
sys.stdout = open("/dev/null", "w")
child = os.fork()
if child == 0:
    environment = {"PATH": "/bin", "SUPERVISOR_PROCESS_NAME": "rag-1", "ONLY": "the child's"}
    run_module([sys.executable, "-m", *sys.argv[1:]], environment)
_, status = os.waitpid(child, 0)
os._exit(os.waitstatus_to_exitcode(status) % 256)
"""


def run(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Have a forked child run a module of this code."""
    (folder / "probe.py").write_text(code)
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "SUPERVISOR_PROCESS_NAME": " " * 64,
        "PARENTS": "own",
        "SPT_NOENV": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", PARENT, "probe", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_command_is_told_from_others() -> None:
    assert runs_module((sys.executable, "-m", "flotilla", "beat"), "flotilla")
    assert not runs_module((sys.executable, "-m", "flotilla.local.qdrant_node"), "flotilla")
    assert not runs_module(("redis-server", "-m", "flotilla"), "flotilla")


def test_the_module_finds_what_a_new_interpreter_would(tmp_path: Path) -> None:
    code = """
import json, os, signal, sys
from pathlib import Path
shown = Path("/proc/self/environ").read_bytes().decode().split("\\0")
print(json.dumps({
    "name": __name__,
    "main": sys.modules["__main__"].__file__,
    "argv": sys.argv,
    "environment": dict(os.environ),
    "from outside": dict(entry.partition("=")[::2] for entry in shown if entry),
    "SIGTERM": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
    "SIGINT": signal.getsignal(signal.SIGINT) == signal.default_int_handler,
    "SIGHUP": signal.getsignal(signal.SIGHUP) == signal.SIG_IGN,
    "title": Path("/proc/self/cmdline").read_text(),
}))
"""
    told = run(tmp_path, code, "one", "--two=3")
    seen = json.loads(told.stdout)
    assert seen["name"] == "__main__"
    assert seen["main"] == str(tmp_path / "probe.py")
    assert seen["argv"] == [str(tmp_path / "probe.py"), "one", "--two=3"]
    assert seen["environment"]["ONLY"] == "the child's"
    assert "PARENTS" not in seen["environment"]
    assert seen["from outside"]["SUPERVISOR_PROCESS_NAME"] == "rag-1"
    assert seen["from outside"]["PARENTS"] == "own"
    assert (seen["SIGTERM"], seen["SIGINT"], seen["SIGHUP"]) == (True, True, True)
    assert "-m probe one --two=3" in seen["title"]


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('no such fleet')", 1, "no such fleet\n"),
        ("raise RuntimeError('broken')", 1, "RuntimeError: broken"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM % 256, ""),
    ],
)
def test_the_end_is_that_of_the_module(
    tmp_path: Path, code: str, exit_code: int, said: str
) -> None:
    told = run(tmp_path, code)
    assert told.returncode == exit_code
    assert said in told.stderr
    assert bool(told.stderr) == bool(said)


def test_threads_and_exit_functions_have_their_turn(tmp_path: Path) -> None:
    code = """
import atexit, threading
go = threading.Event()
atexit.register(print, "last")
threading.Thread(target=lambda: (go.wait(20), print("thread"))).start()
threading.Timer(0.1, go.set).start()
print("main")
"""
    assert run(tmp_path, code).stdout.split() == ["main", "thread", "last"]


def test_a_module_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "probe.py").unlink(missing_ok=True)
    told = run(tmp_path, "import nowhere_to_be_found")
    assert told.returncode == 1
    assert "No module named 'nowhere_to_be_found'" in told.stderr
