"""What the documentation tells people to type works as it stands.

Every block of ```bash in README.md and docs/*.md is run against the stack, those of one file in
one shell and in their order. A block that cannot be (it installs, or stops the stack) is marked
on the line before it: <!-- test: skip REASON -->.
"""

import re
import subprocess
from pathlib import Path

import pytest

from flotilla.schemas import Document
from flotilla.settings import child_environment
from tests.acceptance.stack import ROOT, Stack

FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"^(?:<!--\s*test:\s*(?P<mark>\w+)[ \t]*(?P<reason>.*?)\s*-->[ \t]*\n+)?"
    r"```bash[^\n]*\n(?P<code>.*?)^```[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost):8000\b")
SECONDS = 120


def blocks(text: str) -> list[str]:
    """The blocks that are to be run.

    Raises:
        ValueError: a mark is not `run` or `skip`, or a skip gives no reason.
    """
    kept = []
    for found in BLOCK.finditer(text):
        mark, reason = found["mark"] or "run", found["reason"]
        if mark not in ("run", "skip") or (mark == "skip" and not reason):
            raise ValueError(f"the mark {found[0].splitlines()[0]!r} is not understood")
        if mark == "run":
            kept.append(found["code"])
    return kept


def test_marked_blocks_alone_are_left_out() -> None:
    text = "```bash\na\n```\n<!-- test: skip installs -->\n```bash\nb\n```\n\n```python\nc\n```\n"
    text += "<!-- test: run -->\n\n```bash\nd\ne\n```\n"
    assert blocks(text) == ["a\n", "d\ne\n"]
    with pytest.raises(ValueError, match="not understood"):
        blocks("<!-- test: skip -->\n```bash\na\n```\n")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_commands_work(stack: Stack, samples: dict[str, Document], path: Path) -> None:
    found = blocks(path.read_text(encoding="utf-8"))
    if not found:
        pytest.skip("no commands in it")
    script = "\n".join(["set -euxo pipefail", *found])
    # The extended trace says which command it was that failed.
    done = subprocess.run(
        ["bash", "-c", ADDRESS.sub(stack.url, script)],
        cwd=ROOT,
        env=child_environment(stack.environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{done.stderr[-4000:]}\n{done.stdout[-2000:]}"
