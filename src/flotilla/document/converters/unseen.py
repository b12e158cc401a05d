"""What a page holds and no reader sees: hidden elements of HTML, and the markup within Markdown."""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from flotilla.document.converters.blocks import FILE_NAME, HEADINGS

if TYPE_CHECKING:
    from lxml.html import HtmlElement

TABLE_MARKS = ("\ue000", "\ue001")
"""Around the number of a table of HTML within Markdown: characters for private use."""

UNSEEN = frozenset(("script", "style", "template", "noscript"))
"""Elements that show nothing, whatever stands in them."""

_NOT_SHOWN = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE
)

# Those that Markdown takes for HTML; "<name>" in a command stays what it is.
_NAMES = """
a abbr address article aside b bdi bdo big blockquote body br button caption center cite code col
colgroup dd del details dfn div dl dt em fieldset figcaption figure font footer form h1 h2 h3 h4 h5
h6 head header hr html i iframe img input ins kbd label legend li link main map mark meta nav
noscript object ol optgroup option p picture pre q s samp script section select small source span
strike strong style sub summary sup svg table tbody td template textarea tfoot th thead time tr tt
u ul var video wbr
"""
_VOID = frozenset(("br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"))
_ATTRIBUTE = r"""\s+[A-Za-z_:][\w.:-]*+(?:\s*=\s*(?:"[^"]*+"|'[^']*+'|[^\s"'=<>`]++))?+"""
_MARKUP = re.compile(
    rf"(?P<code>(?<!`)(?:`(?:[^`\n]|\n(?![ \t]*\n)){{1,2000}}+`|``(?!`)[^\n]{{1,300}}?``)(?!`))|"
    rf"(?P<comment><!--)|"
    rf"<(?P<close>/)?(?P<name>{'|'.join(_NAMES.split())})(?P<attributes>(?:{_ATTRIBUTE})*+)\s*/?>",
    re.IGNORECASE,
)
_HIDDEN = re.compile(r"""\shidden(?=\s|$|=\s*["']?(?:hidden)?["']?(?:\s|$))""", re.IGNORECASE)
_STYLE = re.compile(r"""\sstyle\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_ALTERNATIVE = re.compile(r"""\salt\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_BREAKING = frozenset(
    re.findall(
        r"\w+",
        """address article aside blockquote br center dd details div dl dt fieldset figcaption
        figure footer header hr li main nav ol p pre section summary ul""",
    )
)
_GAP = re.compile(r"\n[ \t]*+(?=\n)")


def drop_unseen(tree: "HtmlElement") -> None:
    """Take out the elements that a browser does not show.

    They are told by their name, by `hidden`, and by `display: none` or `visibility: hidden` in
    their own style; a style sheet is not read. A page that is hidden as a whole is one that a
    script uncovers, and what is hidden only until it is searched for can be found by a reader.
    """
    for element in list(tree.iterdescendants()):
        if not isinstance(element.tag, str) or element.tag in ("body", "main"):
            continue
        hidden = element.get("hidden")
        if (
            element.tag in UNSEEN
            or (hidden is not None and hidden.strip().lower() != "until-found")
            or _NOT_SHOWN.search(element.get("style", ""))
        ) and element.getparent() is not None:
            element.drop_tree()


def shown_markdown(text: str) -> tuple[str, list[str]]:
    """A Markdown text as it is read, and the tables of HTML that stand in it.

    It is without comments, without the tags of HTML, and without what stands in elements that are
    not shown; headings and list items of HTML become such of Markdown. In a table's place stands
    its number, from 0, between `TABLE_MARKS`, as a paragraph of its own. Code stays as it is.
    """
    text = text.replace(TABLE_MARKS[0], "")
    found = [m for m in _MARKUP.finditer(text) if not m["code"]] if "<" in text else []
    if not found:
        return text, []
    ends = _ends(found, text)
    code = deque(_code(text))
    written: list[str] = []
    tables: list[str] = []
    place = 0
    for match in found:
        start = match.start()
        while code and code[0][1] <= start:
            code.popleft()
        if start < place or (code and code[0][0] <= start):
            continue
        written.append(text[place:start])
        place = match.end()
        name = (match["name"] or "").casefold()
        if match["comment"] or (
            not match["close"] and (name in UNSEEN or _is_hidden(match["attributes"]))
        ):
            place = ends.get(start, place)
        elif name == "table" and not match["close"]:
            place = ends[start]
            written.append(f"\n\n{TABLE_MARKS[0]}{len(tables)}{TABLE_MARKS[1]}\n\n")
            tables.append(_table(text[start:place]))
        elif name in HEADINGS and not match["close"]:
            place = ends[start]
            title = _MARKUP.sub(_of_title, text[match.end() : place])
            written.append(f"\n\n{'#' * HEADINGS[name]} {' '.join(title.split())}\n\n")
        else:
            written.append(_instead(match, name, text))
    written.append(text[place:])
    return "".join(written), tables


def _of_title(match: re.Match[str]) -> str:
    """What is left of the markup within a heading: code, what pictures say, and no tags."""
    if match["code"]:
        return match[0]
    if match["comment"]:
        return ""
    said = _instead(match, "img", "") if match["name"].casefold() == "img" else ""
    return said or (" " if match["name"].casefold() in _BREAKING else "")


def _instead(match: re.Match[str], name: str, text: str) -> str:
    """What Markdown has in place of a tag."""
    if name == "img":
        alternative = _ALTERNATIVE.search(match["attributes"])
        said = (alternative[1] or alternative[2] or "") if alternative else ""
        return "" if FILE_NAME.fullmatch(said) else said
    if name not in _BREAKING:
        return ""
    before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    item = "- " if name == "li" and not match["close"] else ""
    if "|" in before:
        return f" {item}"
    if name == "br":
        return "" if text[match.end() : match.end() + 1] == "\n" else "\n"
    if not before.strip():
        return item
    return f"\n{item}" if item or text[match.end() : match.end() + 1] not in ("\n", "") else ""


def _is_hidden(attributes: str) -> bool:
    style = _STYLE.search(attributes)
    return bool(_HIDDEN.search(_STYLE.sub("", attributes))) or (
        style is not None and bool(_NOT_SHOWN.search(style[1] or style[2] or ""))
    )


def _ends(found: list[re.Match[str]], text: str) -> dict[int, int]:
    """Where each element and comment ends, by where it begins: behind its end tag, or with its
    paragraph where it has none. A comment that is never closed is none."""
    ends: dict[int, int] = {}
    opened: dict[str, list[re.Match[str]]] = {}
    last = text.rfind("-->")
    for match in found:
        if match["comment"]:
            if match.start() < last:
                ends[match.start()] = text.index("-->", match.start()) + len("-->")
            continue
        tags = opened.setdefault(match["name"].casefold(), [])
        if not match["close"]:
            tags.append(match)
        elif tags:
            ends[tags.pop().start()] = match.end()
    paragraphs = [gap.start() for gap in _GAP.finditer(text)] if any(opened.values()) else []
    for match in (match for tags in opened.values() for match in tags):
        place = bisect_left(paragraphs, match.end())
        ends[match.start()] = paragraphs[place] if place < len(paragraphs) else len(text)
    return ends


def _table(markup: str) -> str:
    from lxml import html

    tree = html.fragment_fromstring(markup, create_parent="div")
    drop_unseen(tree)
    written: str = html.tostring(tree, encoding="unicode")
    return written


def _code(text: str) -> Iterator[tuple[int, int]]:
    """Where blocks of code stand."""
    from markdown_it import MarkdownIt

    starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    for token in MarkdownIt("commonmark").parse(text):
        if token.type in ("fence", "code_block") and token.map is not None:
            yield starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)]
