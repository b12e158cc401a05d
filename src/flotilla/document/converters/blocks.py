"""An HTML tree to structured text: paragraphs, headings, lists, and tables as `a | b | c`."""

import re
from itertools import islice
from typing import TYPE_CHECKING

from flotilla.document.converters import tables
from flotilla.document.converters.mathml import spoken
from flotilla.document.converters.numbers import ListNumbers
from flotilla.document.converters.page_text import PageText
from flotilla.models import Page

if TYPE_CHECKING:
    from lxml.etree import _Element

HEADINGS = {f"h{level}": level for level in range(1, 7)}
HIDDEN = frozenset(("script", "style", "noscript", "template", "head", "title", "svg", "iframe"))
INLINE = frozenset(
    re.findall(
        r"\w+",
        """a abbr acronym b bdi bdo big cite code data del dfn em font i img input ins kbd label
        mark math meter nobr output picture q rb rp rt rtc ruby s samp small source span strike
        strong sub sup time tt u var wbr""",
    )
)
LISTS = frozenset(("ul", "ol"))
FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?|avif)", re.IGNORECASE)
# What a definition that is one line with its term does not hold.
STRUCTURED = ("ul", "ol", "dl", "dt", "table", "pre", *HEADINGS)
LARGEST_GROUP = 20
"""Terms and definitions that belong together, above which they are no labels and values."""
LONGEST_TERM = 40
"""Characters above which a term stands above its definition: it is a text or a question."""

MOST_INNER = 10
"""Tables within the cells of another, above which that one is no table of data."""
LONGEST_CELL = 1500
"""Characters of a cell above which a table without a header arranges texts side by side."""
LONGEST_LONE_CELL = 200
"""The same of a table of one row."""
BLOCKS = ("p", "ul", "ol", "dl", "blockquote", "pre")


def structured_page(root: "_Element") -> Page:
    """One Page without number, of all that `root` shows."""
    from lxml import etree

    out = PageText()
    lists: list[ListNumbers] = []
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        tag = element.tag
        if event == "start":
            if tag in HIDDEN:
                walk.skip_subtree()
                continue
            if _write_whole(out, element):
                walk.skip_subtree()
                continue
            label = _label(element) if tag in ("dt", "dd") and element is not root else ""
            if tag == "dt" and label:
                walk.skip_subtree()
                continue
            _open(out, element, lists)
            if label:
                out.label(f"{label}: ")
            out.write(element.text)
        else:
            if event == "end":
                if tag == "rt" and _is_bare(element):
                    out.write(")")
                _close(out, tag, lists)
                if tag == "p" and element.get("class") == "caption":
                    out.caption()
            if element is not root:
                out.write(element.tail)
    return out.page()


def _write_whole(out: PageText, element: "_Element") -> bool:
    """Write an element of which not each child is read for itself; whether it is one."""
    match element.tag:
        case "table" if not _is_layout(element):
            _write_table(out, element)
        case "pre":
            out.block(_preformatted(element), "code")
        case "math" if element.get("display") == "block":
            out.block(spoken(element))
        case "math":
            out.write(spoken(element))
        case _:
            return False
    return True


def _open(out: PageText, element: "_Element", lists: list[ListNumbers]) -> None:
    tag = element.tag
    if tag == "br":
        out.line_break()
    elif tag == "rt" and _is_bare(element):
        out.write("(")
    elif tag == "img":
        out.write(_alternative(element))
    elif tag == "input" and element.get("type") == "checkbox":
        out.write("[x] " if element.get("checked") is not None else "[ ] ")
    elif tag not in INLINE:
        out.flush()
    if tag in LISTS:
        lists.append(ListNumbers(element))
    elif tag == "li":
        marker = lists[-1].marker(element) if lists else "-"
        out.bullet("  " * (len(lists) - 1) + marker + " ")


def _is_bare(reading: "_Element") -> bool:
    """Whether the reading of a character, small above it, has no parentheses of its own."""
    above = reading.getparent()
    return above is None or next(above.iterchildren("rp"), None) is None


def _alternative(image: "_Element") -> str:
    """What is said in place of a picture; nothing where a caption says it, or it is a file's
    name."""
    text = image.get("alt", "").strip()
    if not text or FILE_NAME.fullmatch(text):
        return ""
    figure = next(image.iterancestors("figure"), None)
    captioned = figure is not None and next(figure.iter("figcaption"), None) is not None
    return "" if captioned else f" {text} "


def _preformatted(element: "_Element") -> str:
    """The text with its line ends; those that are elements, as some highlighters have them, too."""
    parts = [element.text or ""]
    for child in element.iterdescendants():
        if child.tag == "br":
            parts.append("\n")
        elif isinstance(child.tag, str):
            parts.append(child.text or "")
        parts.append(child.tail or "")
    return "".join(parts).strip("\n")


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


def _close(out: PageText, tag: str, lists: list[ListNumbers]) -> None:
    if tag in HEADINGS:
        out.flush(level=HEADINGS[tag])
    elif tag not in INLINE and tag != "br":
        out.flush()
    if tag in LISTS and lists:
        lists.pop()
    elif tag == "li":
        out.bullet("")
    elif tag == "dd":
        out.label("")


def _is_layout(table: "_Element") -> bool:
    """Whether a table only arranges the page.

    It does where headings stand in it, where it is a single cell or a row of texts, or where it
    holds further tables and names neither itself nor its columns.
    """
    if table.get("role") in ("presentation", "none"):
        return True
    if next(table.iterdescendants("h1", "h2", "h3"), None) is not None:
        return True
    rows = _rows(table)
    cells = [cell for row in rows for cell in row.iterchildren("td", "th")]
    named = any(cell.tag == "th" for cell in cells) or table.find("caption") is not None
    inner = list(islice(table.iterdescendants("table"), MOST_INNER + 1))
    if inner:
        deep = any(next(each.iterdescendants("table"), None) is not None for each in inner)
        return deep or len(inner) > MOST_INNER or not named
    if len(cells) == 1:
        return True
    if len(rows) == 1 and not named and next(table.iterdescendants(*BLOCKS), None) is not None:
        return any(_text_length(cell) > LONGEST_LONE_CELL for cell in cells)
    return not named and any(_text_length(cell) > LONGEST_CELL for cell in cells)


def _text_length(element: "_Element") -> int:
    return sum(map(len, element.itertext()))


def _rows(table: "_Element") -> "list[_Element]":
    """The table's own rows, the header's first and the footer's last as a browser has them."""
    parts: dict[str, list[_Element]] = {"thead": [], "tbody": [], "tfoot": []}
    for child in table:
        if child.tag == "tr":
            parts["tbody"].append(child)
        elif child.tag in parts:
            parts[child.tag] += child.iterchildren("tr")
    return [row for rows in parts.values() for row in rows]


def _write_table(out: PageText, table: "_Element") -> None:
    caption = ""
    for element in table.iterchildren("caption"):
        caption = caption or _flat(element)
        out.block(_flat(element))
    rows = _rows(table)
    made = tables.table(
        [[_cell(cell) for cell in row.iterchildren("td", "th")] for row in rows],
        # What stands in a `thead` is the header, whatever its cells are.
        sum(row.getparent().tag == "thead" for row in rows) or None,
    )
    out.table(made, caption or None)


def _cell(element: "_Element") -> tables.Cell:
    return tables.Cell(
        text=_flat(element),
        header=element.tag == "th",
        colspan=tables.span(element.get("colspan"), tables.MAX_COLSPAN),
        rowspan=tables.span(element.get("rowspan"), tables.MAX_ROWSPAN),
    )


def _flat(element: "_Element") -> str:
    return tables.one_line(structured_page(element).text)
