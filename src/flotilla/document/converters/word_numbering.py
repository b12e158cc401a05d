"""The numbers that Word shows ahead of numbered paragraphs, which stand nowhere in their text."""

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from flotilla.document.converters.numbers import number_text

if TYPE_CHECKING:
    from lxml.etree import _Element

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
LEVELS = 9
MAX_LINKS = 20
"""Styles that may be based on one another, and lists that may be linked."""


class Level(NamedTuple):
    """How a level of a list counts: `text` holds `%1` for the first level's number, and so on."""

    format: str
    text: str
    start: int
    restarts: bool
    legal: bool
    style: str | None


class ParagraphStyle(NamedTuple):
    """What a paragraph's style says of its place in an outline or in a list."""

    name: str
    based_on: str | None
    outline: int | None
    list_id: str | None
    level: int | None


class Numbering:
    """Counts the numbered paragraphs of a document, in their order.

    Args:
        numbering: the root of `numbering.xml`, None where there is none.
        styles: the paragraph styles by id.
    """

    def __init__(self, numbering: "_Element | None", styles: dict[str, ParagraphStyle]) -> None:
        self._styles = styles
        self._lists: dict[str, str] = {}
        self._levels: dict[str, dict[int, Level]] = {}
        self._starts: dict[tuple[str, int], int] = {}
        self._counts: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._started: set[tuple[str, int]] = set()
        if numbering is not None:
            self._read(numbering)

    def _read(self, root: "_Element") -> None:
        linked: dict[str, str] = {}
        defining: dict[str, str] = {}
        for each in root.iterchildren(f"{WORD}abstractNum"):
            key = each.get(f"{WORD}abstractNumId", "")
            self._levels[key] = {
                number(level.get(f"{WORD}ilvl"), 0): _level(level)
                for level in each.iterchildren(f"{WORD}lvl")
            }
            if (style := value(each, "numStyleLink")) is not None:
                linked[key] = style
            if (style := value(each, "styleLink")) is not None:
                defining[style] = key
        for each in root.iterchildren(f"{WORD}num"):
            key, abstract = each.get(f"{WORD}numId", ""), value(each, "abstractNumId") or ""
            self._lists[key] = defining.get(linked.get(abstract, ""), abstract)
            for override in each.iterchildren(f"{WORD}lvlOverride"):
                level = number(override.get(f"{WORD}ilvl"), 0)
                if (start := value(override, "startOverride")) is not None:
                    self._starts[key, level] = number(start, 1)

    def label(self, paragraph: "_Element") -> str:
        """What stands ahead of the next paragraph, "" where nothing or a bullet does."""
        list_id, depth = self._place(paragraph)
        abstract = self._lists.get(list_id or "")
        levels = self._levels.get(abstract or "", {})
        if abstract is None or list_id is None or depth not in levels:
            return ""
        counts = self._counts[abstract]
        start = levels[depth].start
        if (list_id, depth) in self._starts and (list_id, depth) not in self._started:
            start = self._starts[list_id, depth]
            counts.pop(depth, None)
        self._started.add((list_id, depth))
        counts[depth] = counts.get(depth, start - 1) + 1
        for deeper in [each for each in counts if each > depth]:
            if deeper not in levels or levels[deeper].restarts:
                del counts[deeper]
        return _written(levels, counts, depth)

    def _place(self, paragraph: "_Element") -> tuple[str | None, int]:
        """The list and the level of a paragraph, from its own properties or its style's."""
        properties = paragraph.find(f"{WORD}pPr")
        own = None if properties is None else properties.find(f"{WORD}numPr")
        list_id = None if own is None else value(own, "numId")
        level = None if own is None else value(own, "ilvl")
        style_id = None if properties is None else value(properties, "pStyle")
        if list_id is None and style_id is not None:
            list_id, inherited = self._of_style(style_id)
            level = level if level is not None else str(inherited)
        if list_id == "0":
            return None, 0
        return list_id, min(number(level, 0), LEVELS - 1)

    def _of_style(self, style_id: str) -> tuple[str | None, int]:
        named = style_id
        for _ in range(MAX_LINKS):
            style = self._styles.get(named)
            if style is None:
                break
            if style.list_id is not None:
                levels = self._levels.get(self._lists.get(style.list_id, ""), {})
                for depth, level in levels.items():
                    if level.style == style_id:
                        return style.list_id, depth
                return style.list_id, style.level or 0
            if style.based_on is None:
                break
            named = style.based_on
        return None, 0


def paragraph_styles(root: "_Element | None") -> dict[str, ParagraphStyle]:
    """The paragraph styles of `styles.xml` by their ids."""
    styles: dict[str, ParagraphStyle] = {}
    for each in () if root is None else root.iterchildren(f"{WORD}style"):
        if each.get(f"{WORD}type") != "paragraph":
            continue
        properties = each.find(f"{WORD}pPr")
        numbered = None if properties is None else properties.find(f"{WORD}numPr")
        outline = None if properties is None else value(properties, "outlineLvl")
        styles.setdefault(
            each.get(f"{WORD}styleId", ""),
            ParagraphStyle(
                name=value(each, "name") or "",
                based_on=value(each, "basedOn"),
                outline=None if outline is None else number(outline, LEVELS),
                list_id=None if numbered is None else value(numbered, "numId"),
                level=None if numbered is None else number(value(numbered, "ilvl"), 0),
            ),
        )
    return styles


def value(parent: "_Element", name: str) -> str | None:
    """The `val` of a child element, None where there is no such."""
    child = parent.find(f"{WORD}{name}")
    return None if child is None else child.get(f"{WORD}val")


def number(text: str | None, default: int) -> int:
    """A whole number as Word writes it."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,6}", text) else default


def _level(element: "_Element") -> Level:
    legal = element.find(f"{WORD}isLgl")
    return Level(
        format=value(element, "numFmt") or "decimal",
        text=value(element, "lvlText") or "",
        start=number(value(element, "start"), 0 if value(element, "start") is None else 1),
        restarts=value(element, "lvlRestart") != "0",
        legal=legal is not None and legal.get(f"{WORD}val") not in ("0", "false"),
        style=value(element, "pStyle"),
    )


def _written(levels: dict[int, Level], counts: dict[int, int], depth: int) -> str:
    level = levels[depth]
    if level.format == "bullet":
        return ""

    def counted(found: re.Match[str]) -> str:
        at = int(found[1]) - 1
        if at not in levels:
            return ""
        of = levels[at]
        if of.format == "none":
            return ""
        return number_text(counts.get(at, of.start), "decimal" if level.legal else of.format)

    return " ".join(re.sub(r"%([1-9])", counted, level.text).split())
