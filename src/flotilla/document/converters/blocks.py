"""An HTML tree to structured text: paragraphs, headings, lists, and tables as `a | b | c`."""

import re
from typing import TYPE_CHECKING

from flotilla.models import Heading, Page

if TYPE_CHECKING:
    from lxml.etree import _Element

HEADINGS = {f"h{level}": level for level in range(1, 7)}
HIDDEN = frozenset(("script", "style", "noscript", "template", "head", "title", "svg", "iframe"))
INLINE = frozenset(
    re.findall(
        r"\w+",
        """a abbr b bdi bdo cite code data del dfn em font i img input ins kbd label mark q s samp
        small span strike strong sub sup time tt u var wbr""",
    )
)
# The most rows that HTML lets a cell span.
MAX_ROWSPAN = 65534
LISTS = frozenset(("ul", "ol"))
# What a definition that is one line with its term does not hold.
STRUCTURED = ("ul", "ol", "dl", "dt", "table", "pre", *HEADINGS)
LARGEST_GROUP = 20
"""Terms and definitions that belong together, above which they are no labels and values."""
LONGEST_TERM = 40
"""Characters above which a term stands above its definition: it is a text or a question."""
# Characters that XML or a reader's terminal cannot show; tabs and line ends stay.
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\ufeff]")


class _Text:
    """Gathers blocks and knows at which offset each begins."""

    def __init__(self) -> None:
        self.text = ""
        self.headings: list[Heading] = []
        self._parts: list[str] = []
        self._length = 0
        self._inline: list[str] = []
        self._prefix = ""
        self._label = ""
        self._last_kind = ""

    def write(self, text: str | None) -> None:
        """Add inline text; white space in it is of no meaning."""
        if text:
            self._inline.append(re.sub(r"[ \t\n\r\f]+", " ", text))

    def line_break(self) -> None:
        self._inline.append("\n")

    def bullet(self, prefix: str) -> None:
        """The next block is a list item."""
        self._prefix = prefix

    def label(self, label: str) -> None:
        """The next block is what this label names; with an empty one it is not."""
        self._label = label

    def flush(self, level: int | None = None) -> None:
        """End the block; with a level it is a heading."""
        text = re.sub(r" *\n *", "\n", re.sub(r" +", " ", "".join(self._inline))).strip()
        self._inline.clear()
        if not text:
            return
        if level is not None:
            text = text.replace("\n", " ")
            self._add(text, "heading")
            offset = self._length - len(text)
            self.headings.append(Heading(offset=offset, level=level, title=text))
        else:
            text = self._label + text
            self._add(self._prefix + text, "item" if self._prefix else "paragraph")
        self._prefix = self._label = ""

    def block(self, text: str, kind: str) -> None:
        """Add a block that is written already."""
        self.flush()
        if text.strip():
            self._add(text, kind)

    def _add(self, text: str, kind: str) -> None:
        text = CONTROLS.sub("", text)
        if self._parts:
            gap = "\n" if kind == self._last_kind and kind in ("item", "row") else "\n\n"
            self._parts.append(gap)
            self._length += len(gap)
        self._parts.append(text)
        self._length += len(text)
        self._last_kind = kind

    def page(self) -> Page:
        self.flush()
        return Page(number=None, text="".join(self._parts), headings=tuple(self.headings))


def structured_page(root: "_Element") -> Page:
    """One Page without number, of all that `root` shows."""
    from lxml import etree

    out = _Text()
    counters: list[int | None] = []
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        tag = element.tag
        if event == "start":
            if tag in HIDDEN:
                walk.skip_subtree()
                continue
            if tag == "table" and not _is_layout(element):
                _write_table(out, element)
                walk.skip_subtree()
                continue
            label = _label(element) if tag in ("dt", "dd") and element is not root else ""
            if tag == "dt" and label:
                walk.skip_subtree()
                continue
            if tag == "pre":
                out.block("".join(element.itertext()).strip("\n"), "code")
                walk.skip_subtree()
                continue
            _open(out, element, counters)
            if label:
                out.label(f"{label}: ")
            out.write(element.text)
        else:
            if event == "end":
                _close(out, tag, counters)
            if element is not root:
                out.write(element.tail)
    return out.page()


def _open(out: _Text, element: "_Element", counters: list[int | None]) -> None:
    tag = element.tag
    if tag == "br":
        out.line_break()
    elif tag == "input" and element.get("type") == "checkbox":
        out.write("[x] " if element.get("checked") is not None else "[ ] ")
    elif tag not in INLINE:
        out.flush()
    if tag in LISTS:
        counters.append(0 if tag == "ol" else None)
    elif tag == "li":
        count = counters[-1] if counters else None
        if count is not None:
            counters[-1] = count + 1
        marker = "- " if count is None else f"{count + 1}. "
        out.bullet("  " * (len(counters) - 1) + marker)


def _label(element: "_Element") -> str:
    """What a term, or a definition, of a list of them is called where both are written on a line:
    "Treasurer: Ben Achterberg". A label far from its value would be lost; it is empty where the
    definition is more than a paragraph, and where the term is no label."""
    group = [element]
    for before in element.itersiblings("dt", "dd", preceding=True):
        if (before.tag == "dd" and group[0].tag == "dt") or len(group) > LARGEST_GROUP:
            break
        group.insert(0, before)
    for behind in element.itersiblings("dt", "dd"):
        if (behind.tag == "dt" and group[-1].tag == "dd") or len(group) > LARGEST_GROUP:
            break
        group.append(behind)
    if len(group) > LARGEST_GROUP or any(
        next(member.iterdescendants(*STRUCTURED), None) is not None for member in group
    ):
        return ""
    terms = [_flat(member).rstrip(" :") for member in group if member.tag == "dt"]
    label = ", ".join(filter(None, terms))
    if len(label) > LONGEST_TERM or re.search(r"[.!?:]", label):
        return ""
    return label if any(_flat(member) for member in group if member.tag == "dd") else ""


def _close(out: _Text, tag: str, counters: list[int | None]) -> None:
    if tag in HEADINGS:
        out.flush(level=HEADINGS[tag])
    elif tag not in INLINE and tag != "br":
        out.flush()
    if tag in LISTS and counters:
        counters.pop()
    elif tag == "li":
        out.bullet("")
    elif tag == "dd":
        out.label("")


def _is_layout(table: "_Element") -> bool:
    """Whether a table only arranges the page."""
    return next(table.iterdescendants("table", "h1", "h2", "h3"), None) is not None


def _write_table(out: _Text, table: "_Element") -> None:
    for caption in table.iter("caption"):
        out.block(_flat(caption), "paragraph")
    # Of each column the text of a cell from above that still spans, and for how many rows.
    spans: dict[int, tuple[str, int]] = {}
    for row in table.iter("tr"):
        below: dict[int, tuple[str, int]] = {}
        texts: list[str] = []
        cells = list(row.iter("td", "th"))
        while cells or len(texts) in spans:
            column = len(texts)
            # Said again in each row, so that a row can be understood by itself.
            spanning = spans.pop(column, None)
            cell = None if spanning else cells.pop(0)
            text, rows = spanning or (_flat(cell), _rowspan(cell))
            if rows > 1:
                below[column] = (text, rows - 1)
            texts.append(text)
        spans = below
        if any(texts):
            out.block(" | ".join(texts), "row")


def _rowspan(cell: "_Element | None") -> int:
    value = "" if cell is None else cell.get("rowspan", "").strip()
    # Digits of other scripts and superscripts are digits to Python too.
    if not (value.isascii() and value.isdigit()):
        return 1
    return min(int(value), MAX_ROWSPAN) if len(value) < 10 else MAX_ROWSPAN


def _flat(element: "_Element | None") -> str:
    return "" if element is None else " ".join(structured_page(element).text.split())
