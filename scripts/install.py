"""Install a compiled requirements file with pip, showing how far it is.

pip's own bars come one a file, and with 150 files say little; its quiet mode says nothing for
minutes. What pip prints is kept, and shown when it fails. Runs before anything is installed, with
the standard library alone.

Usage: python scripts/install.py REQUIREMENTS.txt
"""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

WIDTH = 30
REDRAW_SECONDS = 0.5


class Progress:
    """One line that is drawn anew on a terminal, and a line now and then elsewhere."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.doing = "starting"
        self.began = time.monotonic()
        self._ended = threading.Event()
        self._terminal = sys.stderr.isatty()
        self._shown = -1
        self._thread = threading.Thread(target=self._draw_on, daemon=True)
        self._thread.start()

    def _draw_on(self) -> None:
        while not self._ended.wait(REDRAW_SECONDS):
            self._draw()

    def _draw(self) -> None:
        share = min(1.0, self.done / self.total)
        seconds = time.monotonic() - self.began
        if self._terminal:
            bar = "█" * round(WIDTH * share) + "░" * (WIDTH - round(WIDTH * share))
            line = f"{bar} {self.done:>3}/{self.total} {seconds:4.0f} s  {self.doing}"
            print(f"\r\033[K{line[:100]}", end="", file=sys.stderr, flush=True)
        elif self.done - self._shown >= 25:
            self._shown = self.done
            print(f"{self.done}/{self.total} packages, {self.doing}", file=sys.stderr, flush=True)

    def end(self, line: str) -> None:
        self._ended.set()
        self._thread.join()
        print(f"\r\033[K{line}" if self._terminal else line, file=sys.stderr, flush=True)


def main() -> int:
    """Run pip and read its lines; its exit code is ours."""
    requirements = Path(sys.argv[1])
    total = len(re.findall(r"^[A-Za-z0-9][^ ]*==", requirements.read_text("utf-8"), re.MULTILINE))
    command = [sys.executable, "-m", "pip", "install", "--require-hashes", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "-r", str(requirements)]
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    progress = Progress(total)
    lines: list[str] = []
    assert pip.stdout is not None  # noqa: S101 - asked for above
    for line in pip.stdout:
        lines.append(line)
        word, _, rest = line.strip().partition(" ")
        if word in ("Collecting", "Requirement", "Ignoring"):
            progress.done += 1
            progress.doing = f"reading {rest.split('==')[0].removeprefix('already satisfied: ')}"
        elif word == "Downloading":
            progress.doing = f"downloading {rest}"
        elif word == "Installing":
            progress.doing = "unpacking all of them"
    code = pip.wait()
    seconds = time.monotonic() - progress.began
    if code == 0:
        progress.end(f"Installed the packages of {requirements} in {seconds:.0f} s")
    else:
        progress.end("pip could not install the packages; this is what it printed last:")
        print("".join(lines[-30:]), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
