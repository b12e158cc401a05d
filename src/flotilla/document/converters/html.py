"""HTML: the main content, with headings, lists and tables, without menus."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.blocks import structured_page
from flotilla.document.converters.contacts import contact_data
from flotilla.document.converters.unseen import drop_unseen
from flotilla.document.encoding import find_byte_order_mark, meant_encoding
from flotilla.errors import FileCorrupt, NoText
from flotilla.models import Page

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# What XML cannot hold (Extensible Markup Language 1.0, production 2).
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# These controls are no text: what is meant are the characters of Windows at their places (HTML
# Living Standard, 13.2.5.80).
CONTROLS = re.compile("[\x80-\x9f]")
# Where a page says its encoding, within so many bytes.
DECLARED = re.compile(
    rb"""<(?:meta\s[^<>]*?charset|\?xml\s[^<>]*?encoding)\s*=\s*["']?\s*([\w:.-]+)""", re.IGNORECASE
)
DECLARED_BYTES = 65_536
# What surrounds the content of a page, by element, by role and by the words in class and id.
FURNITURE = ("nav", "header", "footer", "aside", "form", "dialog", "menu")
ROLES = frozenset(("navigation", "banner", "contentinfo", "search", "menu", "menubar", "dialog"))
FURNITURE_NAME = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|menu|breadcrumbs?|sidebar|footer|masthead|topbar|"
    r"site-header|cookies?|consent|newsletter|social|share|sharing|related|advert|ads|promo|"
    r"pagination|skip-link)(?:$|[\s_-])",
    re.IGNORECASE,
)
# Furniture by name only: an element with more than this share of the text is the content.
MAX_FURNITURE_SHARE = 0.4
# A list of at least so many links and hardly anything else is a menu.
MENU_LINKS = 3
MENU_LINK_SHARE = 0.85
MENU_LINK_CHARS = 40
# Where trafilatura keeps at least this share of the text, little of it is boilerplate, and the
# page's own structure is kept whole; below the second share it has missed the content.
AGREEMENT = 0.6
MISSED = 0.2
# A page of so many characters or fewer is not judged, and more than this share of it is content.
LITTLE = 600
LITTLE_SHARE = 0.3
# Pages nest some dozens deep. Trafilatura's time grows with the cube of the depth: a minute at
# a few thousand.
MAX_JUDGED_DEPTH = 256
# So many children of one element take it a minute too.
MAX_JUDGED_WIDTH = 20_000
# At this level libxml2 stops reading in silence: its own bound for huge documents.
PARSED_DEPTH = 2048


class HtmlConverter:
    """One Page with the main content."""

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """The title is that of the head."""
        title = read_tree(path.read_bytes()).findtext(".//title") or ""
        return SourceInfo(pages=None, title=" ".join(title.split()) or None)

    def pages(
        self,
        path: Path,
        *,
        first: int = 1,
        last: int | None = None,
        password: str | None = None,
    ) -> Iterator[Page]:
        """The main content as one Page.

        What is hidden, and what is marked as menu, header or footer, is left out, but for the
        addresses, telephone numbers and opening hours there, which follow the content.
        Trafilatura judges the rest: where it takes most of it for boilerplate too, its own
        extraction stands.

        Raises:
            NoText: nothing on the page is text.
        """
        page = content_page(read_tree(path.read_bytes()))
        if not page.text:
            raise NoText("The HTML page shows no text; it may need a browser to be filled.")
        yield page


def content_page(tree: "HtmlElement") -> Page:
    """One Page of a document's main content, with the contact data that stands around it."""
    judged = _depth(tree) <= MAX_JUDGED_DEPTH and max(map(len, tree.iter())) <= MAX_JUDGED_WIDTH
    body = _without_furniture(tree)
    page = structured_page(body)
    main = _main_content(tree) if judged and len(page.text) > LITTLE else None
    if main is not None:
        found = structured_page(main)
        if MISSED < len(found.text) / max(1, len(page.text)) < AGREEMENT:
            body, page = main, found
    whole = _length(tree)
    if len(page.text) < LITTLE_SHARE * min(whole, LITTLE):
        # All text may stand in what is furniture elsewhere.
        return structured_page(tree)
    return _with_contacts(tree, body, page) if judged else page


def _with_contacts(tree: "HtmlElement", body: "HtmlElement", page: Page) -> Page:
    said = " ".join(page.text.split())
    found = [
        element
        for element in contact_data(tree)
        if any(
            " ".join(line.split()) not in said for line in structured_page(element).text.split("\n")
        )
    ]
    if not found:
        return page
    for element in found:
        body.append(element)
    return structured_page(body)


def read_tree(data: bytes) -> "HtmlElement":
    from lxml import etree, html

    text = data.decode(_encoding(data), errors="replace").encode()
    try:
        # The parser's usual bounds would cut deep and long pages off in silence; the file's size
        # is bounded already.
        tree = html.document_fromstring(
            text, parser=html.HTMLParser(encoding="utf-8", remove_pis=True, huge_tree=True)
        )
    except (etree.ParserError, ValueError):
        raise NoText("The HTML page holds no element with text.") from None
    except etree.LxmlError as error:
        raise FileCorrupt(f"The HTML page cannot be read: {error}.") from None
    if _depth(tree) >= PARSED_DEPTH:
        raise FileCorrupt(
            f"The HTML page has more than {PARSED_DEPTH:,} elements within one another, which no "
            "browser shows; save it again and send that."
        )
    _mend_controls(tree)
    drop_unseen(tree)
    return tree


def _encoding(data: bytes) -> str:
    if found := find_byte_order_mark(data):
        return found
    if _is_utf8(data):
        return "utf-8"  # many pages are, and say nothing, or something else
    declared = DECLARED.search(data[:DECLARED_BYTES])
    meant = meant_encoding(declared[1].decode("ascii", "ignore")) if declared else None
    # In UTF-16 the declaration would not have been found, and these bytes are no ASCII.
    return meant if meant and not meant.startswith(("ascii", "utf-16", "utf-32")) else "cp1252"


def _mend_controls(tree: "HtmlElement") -> None:
    """Take out what a character reference such as `&#3;` may put into a tree, and what a tree
    refuses to be given again; `&#150;` is the dash that it is meant to be."""
    for node in tree.iter():
        if node.text and (text := _without_controls(node.text)) != node.text:
            node.text = text
        if node.tail and (text := _without_controls(node.tail)) != node.tail:
            node.tail = text


def _without_controls(text: str) -> str:
    return CONTROLS.sub(_meant_by_control, NOT_XML.sub("", text))


def _meant_by_control(found: re.Match[str]) -> str:
    return found[0].encode("latin-1").decode("cp1252", errors="ignore")


def _depth(tree: "HtmlElement") -> int:
    """How many levels of elements lie within one another."""
    from lxml import etree

    deepest = level = 0
    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        level += 1 if event == "start" else -1
        deepest = max(deepest, level)
    return deepest


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _main_content(tree: "HtmlElement") -> "HtmlElement | None":
    from copy import deepcopy

    import trafilatura
    from lxml import etree, html

    # A copy, since trafilatura prunes the tree that it is given.
    judged = deepcopy(tree)
    for cell in judged.iter("td", "th"):
        cell.attrib.pop("colspan", None)  # it makes cells of what is spanned, however many
    found = trafilatura.extract(
        judged, output_format="html", include_comments=False, include_tables=True
    )
    if not found:
        return None
    try:
        return html.document_fromstring(found)
    except (etree.ParserError, ValueError):
        return None


def _without_furniture(tree: "HtmlElement") -> "HtmlElement":
    from copy import deepcopy

    body = deepcopy(tree)
    whole = _length(body)
    for element in list(body.iterdescendants()):
        if not isinstance(element.tag, str) or element.tag in ("body", "main", "article"):
            continue
        if element.getparent() is None or not _is_furniture(element, whole):
            continue
        element.drop_tree()
    return body


def _is_furniture(element: "HtmlElement", whole: int) -> bool:
    if element.tag in FURNITURE or element.get("role", "").lower() in ROLES:
        # The header of an article is its own title, and old pages are one big form.
        if element.tag == "header":
            return not _is_title(element)
        return element.tag != "form" or _length(element) < MAX_FURNITURE_SHARE * whole
    if element.get("aria-hidden") == "true" or _skips(element):
        return True
    name = f"{element.get('class', '')} {element.get('id', '')}"
    if FURNITURE_NAME.search(name) and _length(element) < MAX_FURNITURE_SHARE * whole:
        return True
    return element.tag in ("ul", "ol") and _is_menu(element, whole)


def _is_title(header: "HtmlElement") -> bool:
    """Whether it is the title of what follows: in the content, or with the page's only heading of
    the first level and without links elsewhere."""
    above = list(header.iterancestors())
    if any(up.tag in ("article", "main") for up in above):
        return True
    title = next(header.iter("h1"), None)
    if title is None or len(list(islice(above[-1].iter("h1"), 2))) != 1:
        return False
    return all(title in link.iterancestors() for link in header.iter("a", "nav", "form"))


def _skips(element: "HtmlElement") -> bool:
    """Whether it is the link past the menu, which is shown to those who cannot see it."""
    if element.tag != "a" or not element.get("href", "").startswith("#"):
        return False
    return str(element.text_content()).strip().lower().startswith("skip to")


def _is_menu(element: "HtmlElement", whole: int) -> bool:
    links = list(element.iter("a"))
    length = _length(element)
    return (
        len(links) >= MENU_LINKS
        and sum(map(_length, links)) >= MENU_LINK_SHARE * length
        and length < min(MAX_FURNITURE_SHARE * whole, MENU_LINK_CHARS * len(links))
    )


def _length(element: "HtmlElement") -> int:
    return len(" ".join(element.text_content().split()))
