"""What a page holds and no reader sees: hidden elements of HTML, and the markup within Markdown."""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from flotilla.document.converters.blocks import structured_page

if TYPE_CHECKING:
    from lxml.html import HtmlElement

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


def shown_markdown(text: str) -> str:
    """A Markdown text as it is read: without comments, without the tags of HTML, and without what
    stands in elements that are not shown. Tables of HTML become rows; code stays as it is."""
    found = [m for m in _MARKUP.finditer(text) if not m["code"]] if "<" in text else []
    if not found:
        return text
    ends = _ends(found, text)
    code = deque(_code(text))
    written: list[str] = []
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
        if match["comment"]:
            place = ends.get(start, place)
        elif match["close"] or name in _VOID - {"br"}:
            continue
        elif name == "br":
            line = text[text.rfind("\n", 0, start) + 1 : place]
            written.append(" " if "|" in line or text[place : place + 1] == "\n" else "\n")
        elif name in UNSEEN or _is_hidden(match["attributes"]):
            place = ends[start]
        elif name == "table":
            place = ends[start]
            written.append(_table(text[start:place]))
    written.append(text[place:])
    return "".join(written)


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
    return f"\n{structured_page(tree).text}\n"


def _code(text: str) -> Iterator[tuple[int, int]]:
    """Where blocks of code stand."""
    from markdown_it import MarkdownIt

    starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    for token in MarkdownIt("commonmark").parse(text):
        if token.type in ("fence", "code_block") and token.map is not None:
            yield starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)]
