"""The tables as Markdown, and their place in docs/reliability.md."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN = "<!-- fuzz: written by `make fuzz FUZZ=--write-docs` -->"
END = "<!-- fuzz: end -->"
TITLE = "## Bad input, tried in bulk"


@dataclass(frozen=True)
class Table:
    """Cells of text under a head."""

    head: Sequence[str]
    lines: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table; numbers are not aligned, since most cells are text."""
        rule = ["---"] * len(self.head)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (self.head, rule, *self.lines))


def render(parts: dict[str, str]) -> str:
    """Parts under their headings."""
    return "\n\n".join(f"### {heading}\n\n{text.strip()}" for heading, text in parts.items())


def write(parts: dict[str, str], page: Path = PAGE) -> None:
    """Put parts between the markers, each in place of the one of the same heading.

    What was not run this time stays as it is; the page or the section is made where it is not.
    """
    text = page.read_text(encoding="utf-8") if page.exists() else "# Reliability\n"
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n{TITLE}\n\n{BEGIN}\n\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    block, _, after = rest.partition(END)
    _, *pieces = re.split(r"^### (.+)\n", block, flags=re.MULTILINE)
    merged = dict(zip(pieces[::2], pieces[1::2], strict=True)) | parts
    page.write_text(f"{before}{BEGIN}\n\n{render(merged)}\n\n{END}{after}", encoding="utf-8")
