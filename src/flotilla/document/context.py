"""What is embedded ahead of a chunk's text: where it stands, and what a table's rows are of."""

import re
from collections.abc import Callable, Sequence

from flotilla.document.pieces import Part

GAP = " > "


class ContextWriter:
    """Writes the context of chunks.

    Args:
        count: counts tokens.
        budget: most tokens of title, headings and caption together.
    """

    def __init__(self, count: Callable[[str], int], budget: int) -> None:
        self._count = count
        self._budget = budget

    def write(self, title: str, path: Sequence[str], part: Part | None, text: str) -> str:
        """Title, headings and caption on a line, then the header of a table that is continued.

        What does not fit is left out: outer headings first, then the ends of what is left. What
        the text says itself is not said again.
        """
        named = [title, *path]
        if part is not None and part.placed.region.caption:
            named.append(part.placed.region.caption)
        said: list[str] = []
        for name in named:
            short = " ".join(name.split())
            if short and short not in said and not (name != title and _holds(text, short)):
                said.append(short)
        line = self._fit(said)
        header = part.header if part else ""
        return "\n".join(filter(None, (line, header)))

    def _fit(self, names: list[str]) -> str:
        while len(names) > 2 and self._count(GAP.join(names)) > self._budget:
            names = [names[0], *names[2:]]
        if self._count(GAP.join(names)) <= self._budget:
            return GAP.join(names)
        share = (self._budget - self._count(GAP) * (len(names) - 1)) // len(names)
        return GAP.join(filter(None, (self._shortened(name, share) for name in names)))

    def _shortened(self, name: str, budget: int) -> str:
        words = re.findall(r"\S+\s*", name)
        while words and self._count("".join(words)) > budget:
            words.pop()
        return "".join(words).strip()


def _holds(text: str, name: str) -> bool:
    """Whether the text begins with these words, as a chunk does with its heading."""
    return name in " ".join(text[: 4 * len(name) + 200].split())
