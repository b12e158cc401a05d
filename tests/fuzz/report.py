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


def write(section: str, page: Path = PAGE) -> None:
    """Put the section between its markers; the page, or the section, is made where it is not."""
    block = f"{BEGIN}\n\n{section.strip()}\n\n{END}"
    text = page.read_text(encoding="utf-8") if page.exists() else "# Reliability\n"
    if BEGIN in text:
        pattern = re.escape(BEGIN) + r".*?" + re.escape(END)
        text = re.sub(pattern, lambda _: block, text, count=1, flags=re.DOTALL)
    else:
        text = f"{text.rstrip()}\n\n{TITLE}\n\n{block}\n"
    page.write_text(text, encoding="utf-8")
