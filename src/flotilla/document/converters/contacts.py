"""Contact data in the furniture of a web page: addresses, telephone numbers, opening hours."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

# Around a page's content, these alone say how to reach who wrote it; menus and dialogs do not.
PLACES = ("footer", "aside", "header")
ROLES = frozenset(("contentinfo", "complementary", "banner"))
PLACE_NAME = re.compile(
    r"(?:^|[\s_-])(?:footer|sidebar|masthead|topbar|site-header|contact|kontakt|imprint|impressum)"
    r"(?:$|[\s_-])",
    re.IGNORECASE,
)
NOT_WANTED = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|menu|breadcrumbs?|cookies?|consent|gdpr|newsletter|"
    r"share|sharing|related|advert|ads|promo|pagination|skip-link)(?:$|[\s_-])",
    re.IGNORECASE,
)
DROPPED = ("nav", "form", "dialog", "menu", "button", "select")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6", "dt", "summary")
BLOCKS = frozenset(
    re.findall(
        r"\w+",
        """address article aside blockquote body details dd div dl dt fieldset figure footer h1 h2
        h3 h4 h5 h6 header hr li main ol p section summary table ul""",
    )
)
LONGEST_PLACE = 20_000
"""Characters of a place, menus included, above which it is the page itself."""
MOST_CHARS = 2_000
"""Characters of a place above which it is a text of its own and no contact data."""
LONGEST_LINE = 200
LINK_SHARE = 0.8

_MAIL = r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"
# A sign of a telephone number beside it, or the international form.
_PHONE = (
    r"(?:\b(?:tel|telephone|telefon|teléfono|téléphone|phone|fax|mobile?|call(?: us)?|hotline|ph)\b"
    r"[^\d\n]{0,20}\+?\(?\d[\d\s()./–-]{5,20}\d)|(?<![\w.])(?:\+|00)\d{1,3}[\s(./–-]{0,3}\d[\d\s()./–-]{5,18}\d"
    r"|\(\d{2,5}\)\s?\d{3,4}[\s.–-]?\d{3,5}"
)
# Times from and to, as in "9:00–17:30", "9 am to 5 pm" or "9 bis 17 Uhr".
_HOURS = (
    r"\d{1,2}[:.h]\d{2}\s?(?:[ap]\.?m\.?|uhr|h)?\s?(?:-|–|—|to|till|until|bis|à|a)\s?\d{1,2}(?:[:.h]\d{2})?"
    r"|\d{1,2}\s?[ap]\.?m\.?\s?(?:-|–|—|to|till|until)\s?\d{1,2}(?:[:.]\d{2})?\s?[ap]\.?m"
    r"|\d{1,2}\s?(?:-|–|bis)\s?\d{1,2}\s?uhr\b"
)
_STREET = (
    r"\b\d{1,5}[a-z]?,?\s(?:[\w.'’-]+\s){0,4}(?:street|st\.?|road|rd\.?|avenue|ave\.?|lane|drive|"
    r"boulevard|blvd\.?|square|quay|court|place|way|terrace|parade|highway|rue)\b"
    r"|\b[\w.-]*(?:straße|strasse|str\.|gasse|weg|platz|allee|straat|laan|plein|gade|vej|gatan|katu)"
    r"\s\d{1,5}\b|\b(?:rue|calle|via|avenida|place|piazza|plaza|rua)\s[\w\s.'’-]{2,40}?,?\s\d{1,5}\b"
    r"|\b(?:p\.?\s?o\.?\s?box|postfach)\s\d"
    r"|\b[a-z]{1,2}\d[a-z\d]?\s\d[a-z]{2}\b"
)
EVIDENCE = re.compile(f"{_MAIL}|{_PHONE}|{_HOURS}|{_STREET}", re.IGNORECASE)


def contact_data(tree: "HtmlElement") -> "list[HtmlElement]":
    """Copies of what says, outside the content of a page, where and when its owner is reached.

    It is told by `address` elements, by links to mail and telephone, and by what reads like a
    telephone number, an address or opening hours; the lines and headings beside such a line are
    kept with it. Menus, forms and banners never are.
    """
    from copy import deepcopy

    found = []
    for place in _places(tree):
        if len(_text(place)) > LONGEST_PLACE:
            continue
        copied = deepcopy(place)
        copied.tail = None
        for element in list(copied.iterdescendants()):
            if _is_unwanted(element) and element.getparent() is not None:
                element.drop_tree()
        if _says(copied) and _prune(copied) and len(_text(copied)) <= MOST_CHARS:
            found.append(copied)
    return found


def _places(tree: "HtmlElement") -> "Iterator[HtmlElement]":
    """The outermost elements around the content that may hold contact data."""
    taken: set[HtmlElement] = set()
    for element in tree.iterdescendants():
        if not isinstance(element.tag, str) or element.tag in ("body", "main", "article", "a"):
            continue
        name = f"{element.get('class', '')} {element.get('id', '')}"
        if not (
            element.tag in PLACES
            or element.get("role", "").lower() in ROLES
            or PLACE_NAME.search(name)
        ):
            continue
        above = list(element.iterancestors())
        if not any(up in taken or up.tag in ("main", "article", *DROPPED) for up in above):
            taken.add(element)
            yield element


def _is_unwanted(element: "HtmlElement") -> bool:
    if not isinstance(element.tag, str):
        return False
    if element.tag in DROPPED or element.get("role", "").lower() in (
        "navigation",
        "dialog",
        "menu",
    ):
        return True
    return bool(NOT_WANTED.search(f"{element.get('class', '')} {element.get('id', '')}"))


def _says(element: "HtmlElement") -> bool:
    """Whether contact data stands in it."""
    if element.tag == "address" or next(element.iter("address"), None) is not None:
        return True
    links = [element, *element.iter("a")]
    if any(link.get("href", "").lower().startswith(("tel:", "mailto:")) for link in links):
        return True
    return bool(EVIDENCE.search(_text(element)))


def _prune(element: "HtmlElement") -> bool:
    """Take out what stands in no group with contact data; whether anything is left."""
    children = [child for child in element if child.tag in BLOCKS]
    if not children:
        return _says(element)
    for child in element.findall("a"):
        if not _says(child):
            child.drop_tree()  # the logo, or a menu that is no list
    grouped = not any(_holds_blocks(child) for child in children)
    kept = False
    titles: list[HtmlElement] = []
    for child in children:
        says = _says(child)
        if child.tag in HEADINGS and not says:
            titles.append(child)
            continue
        wanted = says or _is_line(child) if grouped else says and _prune(child)
        if wanted:
            kept = True
        else:
            titles.append(child)
            for dropped in titles:
                dropped.drop_tree()
        titles.clear()
    for dropped in titles:
        dropped.drop_tree()
    return kept or (grouped and _says(element))


def _is_line(element: "HtmlElement") -> bool:
    """Whether it is a short line and not a link."""
    text = _text(element)
    linked = sum(len(_text(link)) for link in element.iter("a"))
    return bool(text) and len(text) <= LONGEST_LINE and linked < LINK_SHARE * len(text)


def _holds_blocks(element: "HtmlElement") -> bool:
    return any(child.tag in BLOCKS for child in element.iterdescendants())


def _text(element: "HtmlElement") -> str:
    return " ".join(" ".join(element.itertext()).split())
