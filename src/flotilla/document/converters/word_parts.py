"""The parts of a Word document made ready for mammoth, with what it would leave out.

It passes over formulas, the numbers of numbered paragraphs, headings by outline level or by styles
that are based on one, and takes hidden text for text.
"""

import io
import re
import zipfile
from typing import IO, TYPE_CHECKING

from flotilla.document.converters.archives import STRICT, TRANSITIONAL
from flotilla.document.converters.formulas import latex
from flotilla.document.converters.page_text import LABEL_MARKS
from flotilla.document.converters.word_inline import COMPATIBILITY, spell_out
from flotilla.document.converters.word_looks import (
    drop_looks,
    fill_rows,
    mark_header_rows,
    name_bold_lines,
    styles_with_headers,
)
from flotilla.document.converters.word_numbering import (
    LEVELS,
    MAX_LINKS,
    WORD,
    Numbering,
    ParagraphStyle,
    number,
    paragraph_styles,
    value,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
SPACE = "{http://www.w3.org/XML/1998/namespace}space"
HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
DEEPEST = 6
"""The deepest level of HTML's headings."""
LONGEST_HEADING = 250
"""Characters above which a paragraph with an outline level is a text and no heading."""


def prepared(parts: IO[bytes]) -> IO[bytes]:
    """The archive of a document's XML parts, changed. A part that cannot be read stays as it is,
    so that whoever reads it says what is wrong."""
    out = io.BytesIO()
    with zipfile.ZipFile(parts) as archive, zipfile.ZipFile(out, "w") as written:
        roots = {
            name: root
            for name in archive.namelist()
            if name.endswith(".xml") and (root := _root(archive.read(name))) is not None
        }
        styles_root = _first(roots, "styles")
        styles = paragraph_styles(styles_root)
        numbering = Numbering(_first(roots, "numbering"), styles)
        headings = {name: level for name in styles if (level := _heading(name, styles))}
        with_headers = styles_with_headers(styles_root)
        for name in archive.namelist():
            root = roots.get(name)
            if root is None:
                written.writestr(name, STRICT.sub(TRANSITIONAL, archive.read(name)))
                continue
            if root is styles_root:
                _name_headings(root, headings)
            elif root.tag in (f"{WORD}document", f"{WORD}footnotes", f"{WORD}endnotes"):
                _drop_hidden(root)
                spell_out(root)
                _spell_out_formulas(root)
                if root.tag == f"{WORD}document":
                    _mark_paragraphs(root, numbering, headings)
                fill_rows(root)
                mark_header_rows(root, with_headers)
                drop_looks(root)
            written.writestr(name, _serialised(root))
    out.seek(0)
    return out


def _root(content: bytes) -> "_Element | None":
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        root = etree.fromstring(STRICT.sub(TRANSITIONAL, content), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    # Only these are changed; others need not be written anew.
    return root if root.tag.startswith(WORD) else None


def _first(roots: "dict[str, _Element]", kind: str) -> "_Element | None":
    return next((root for root in roots.values() if root.tag == f"{WORD}{kind}"), None)


def _serialised(root: "_Element") -> bytes:
    from lxml import etree

    content: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
    return content


def _heading(style_id: str, styles: dict[str, ParagraphStyle]) -> int | None:
    """The heading level of a style, by its name or outline level or those that it is based on."""
    named: str | None = style_id
    for _ in range(MAX_LINKS):
        style = styles.get(named or "")
        if style is None:
            return None
        if found := HEADING.fullmatch(style.name):
            return int(found[1])
        if style.outline is not None:
            return style.outline + 1 if style.outline < LEVELS else None
        if style.name.lower() in ("title", "subtitle"):
            return None
        named = style.based_on
    return None


def _name_headings(root: "_Element", headings: dict[str, int]) -> None:
    """Give the styles of headings the names that mammoth knows, and leave out how they look: most
    of its time goes into building a tree of that."""
    for child in list(root):
        if child.tag != f"{WORD}style":
            root.remove(child)
    for style in root:
        for child in list(style):
            if child.tag not in (f"{WORD}name", f"{WORD}pPr"):
                style.remove(child)
        level = headings.get(style.get(f"{WORD}styleId", ""))
        name = style.find(f"{WORD}name")
        if level is not None and name is not None and style.get(f"{WORD}type") == "paragraph":
            name.set(f"{WORD}val", f"heading {min(level, DEEPEST)}")


def _drop_hidden(root: "_Element") -> None:
    for mark in list(root.iter(f"{WORD}vanish")):
        properties = mark.getparent()
        run = None if properties is None else properties.getparent()
        if run is None or run.tag != f"{WORD}r" or mark.get(f"{WORD}val") in ("0", "false"):
            continue
        parent = run.getparent()
        if parent is not None:
            parent.remove(run)


def _spell_out_formulas(root: "_Element") -> None:
    """Put each formula as a run of LaTeX in its place."""
    for formula in list(root.iter(f"{MATH}oMath")):
        parent = formula.getparent()
        if parent is None or any(up.tag == f"{MATH}oMath" for up in formula.iterancestors()):
            continue
        block = parent.tag == f"{MATH}oMathPara"
        dollars = "$$" if block else "$"
        said = latex(formula)
        # Two formulas beside one another are two.
        run = _run(f" {dollars}{said}{dollars} " if said else "")
        run.tail = formula.tail
        parent.replace(formula, run)
    # The wrapper of a formula on a line of its own is unknown to mammoth.
    from lxml import etree

    etree.strip_tags(root, f"{MATH}oMathPara")


def _mark_paragraphs(root: "_Element", numbering: Numbering, headings: dict[str, int]) -> None:
    """Write the numbers of numbered paragraphs, and name what is a heading by itself."""
    from lxml import etree

    walk = etree.iterwalk(root, events=("start",), tag=(f"{WORD}p", f"{COMPATIBILITY}Choice"))
    found = []
    for _, element in walk:
        if element.tag == f"{WORD}p":
            found.append(element)
        elif element.getparent().find(f"{COMPATIBILITY}Fallback") is not None:
            walk.skip_subtree()  # mammoth reads the other one
    if not any(_style(paragraph) in headings for paragraph in found):
        name_bold_lines(root)
    for paragraph in found:
        label = numbering.label(paragraph)
        text = "".join(paragraph.itertext(f"{WORD}t"))
        if not text.strip():
            continue
        _name_heading(paragraph, headings, len(text))
        if label:
            run = _run(f"{LABEL_MARKS[0]}{label}{LABEL_MARKS[1]}")
            properties = paragraph.find(f"{WORD}pPr")
            paragraph.insert(0 if properties is None else paragraph.index(properties) + 1, run)


def _style(paragraph: "_Element") -> str | None:
    properties = paragraph.find(f"{WORD}pPr")
    return None if properties is None else value(properties, "pStyle")


def _name_heading(paragraph: "_Element", headings: dict[str, int], length: int) -> None:
    properties = paragraph.find(f"{WORD}pPr")
    outline = None if properties is None else value(properties, "outlineLvl")
    if properties is None or outline is None or length > LONGEST_HEADING:
        return
    style = properties.find(f"{WORD}pStyle")
    if style is not None and style.get(f"{WORD}val", "") in headings:
        return
    level = number(outline, LEVELS) + 1
    if level <= LEVELS:
        if style is None:
            style = properties.makeelement(f"{WORD}pStyle")
            properties.insert(0, style)
        style.set(f"{WORD}val", f"Heading{min(level, DEEPEST)}")


def _run(text: str) -> "_Element":
    from lxml import etree

    run = etree.Element(f"{WORD}r")
    content = etree.SubElement(run, f"{WORD}t")
    content.text = text
    content.set(SPACE, "preserve")
    return run
