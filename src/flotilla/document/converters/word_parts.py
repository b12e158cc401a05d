"""The parts of a Word document made ready for mammoth, with what it would leave out.

It passes over formulas, the numbers of numbered paragraphs, headings by outline level or by styles
that are based on one, and takes hidden text for text.
"""

import io
import re
import zipfile
from itertools import pairwise
from typing import IO, TYPE_CHECKING

from flotilla.document.converters.archives import STRICT, TRANSITIONAL
from flotilla.document.converters.formulas import latex
from flotilla.document.converters.page_text import LABEL_MARKS
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
COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
SPACE = "{http://www.w3.org/XML/1998/namespace}space"
HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
DEEPEST = 6
"""The deepest level of HTML's headings."""
LONGEST_BOLD_LINE = 100
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
        with_headers = _styles_with_headers(styles_root)
        for name in archive.namelist():
            root = roots.get(name)
            if root is None:
                written.writestr(name, STRICT.sub(TRANSITIONAL, archive.read(name)))
                continue
            if root is styles_root:
                _name_headings(root, headings)
            elif root.tag in (f"{WORD}document", f"{WORD}footnotes", f"{WORD}endnotes"):
                _drop_hidden(root)
                _spell_out_formulas(root)
                if root.tag == f"{WORD}document":
                    _mark_paragraphs(root, numbering, headings)
                _mark_header_rows(root, with_headers)
                _drop_looks(root)
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


def _styles_with_headers(root: "_Element | None") -> set[str]:
    """The table styles that set the first row off from the others."""
    return {
        style.get(f"{WORD}styleId", "")
        for style in (() if root is None else root.iterchildren(f"{WORD}style"))
        for part in style.iterchildren(f"{WORD}tblStylePr")
        if part.get(f"{WORD}type") == "firstRow"
    }


def _mark_header_rows(root: "_Element", with_headers: set[str]) -> None:
    """Mark a table's first row as its header where it looks like one: by the table's style, or
    with all of its text bold."""
    for table in root.iter(f"{WORD}tbl"):
        properties, rows = table.find(f"{WORD}tblPr"), table.findall(f"{WORD}tr")
        if len(rows) < 2 or table.find(f"{WORD}tr/{WORD}trPr/{WORD}tblHeader") is not None:
            continue
        look = None if properties is None else properties.find(f"{WORD}tblLook")
        styled = properties is not None and value(properties, "tblStyle") in with_headers
        if not (styled and look is not None and _sets_first_row_off(look)) and not all(
            _is_bold(row) for row in rows[:1]
        ):
            continue
        if _is_bold(rows[1]):
            continue  # then all of it is bold
        changed = rows[0].find(f"{WORD}trPr")
        if changed is None:
            changed = rows[0].makeelement(f"{WORD}trPr")
            rows[0].insert(0, changed)
        changed.append(changed.makeelement(f"{WORD}tblHeader"))


def _sets_first_row_off(look: "_Element") -> bool:
    said = look.get(f"{WORD}firstRow")
    if said is not None:
        return said in ("1", "true", "on")
    flags = look.get(f"{WORD}val", "")
    # The bit for the first row (ECMA-376-1, 17.18.87, in its transitional form).
    return bool(re.fullmatch(r"[0-9A-Fa-f]{1,8}", flags)) and bool(int(flags, 16) & 0x20)


def _drop_looks(root: "_Element") -> None:
    for properties in list(root.iter(f"{WORD}rPr")):
        run = properties.getparent()
        if run is not None and run.tag == f"{WORD}r":
            run.remove(properties)


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
        _name_bold_lines(root)
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


def _name_bold_lines(root: "_Element") -> None:
    """Where no style makes a heading, one is a short bold line above a paragraph that is not."""
    for body in root.iterchildren(f"{WORD}body"):
        blocks = [child for child in body if child.tag in (f"{WORD}p", f"{WORD}tbl")]
        shown = [each for each in blocks if "".join(each.itertext(f"{WORD}t")).strip()]
        for line, next_one in pairwise(shown):
            if _is_bold_line(line) and not _is_bold_line(next_one):
                properties = line.find(f"{WORD}pPr")
                if properties is None:
                    properties = line.makeelement(f"{WORD}pPr")
                    line.insert(0, properties)
                if properties.find(f"{WORD}outlineLvl") is None:
                    level = properties.makeelement(f"{WORD}outlineLvl", {f"{WORD}val": "1"})
                    properties.append(level)


def _is_bold_line(block: "_Element") -> bool:
    if block.tag != f"{WORD}p":
        return False
    text = "".join(block.itertext(f"{WORD}t")).strip()
    if len(text) > LONGEST_BOLD_LINE or text.endswith((".", ",", ";", ":", "!")):
        return False
    if not any(char.isalpha() for char in text):
        return False
    return _is_bold(block)


def _is_bold(block: "_Element") -> bool:
    """Whether all text in it is set bold, and there is any."""
    runs = [run for run in block.iter(f"{WORD}r") if "".join(run.itertext(f"{WORD}t")).strip()]
    marks = [run.find(f"{WORD}rPr/{WORD}b") for run in runs]
    return bool(marks) and all(
        mark is not None and mark.get(f"{WORD}val") not in ("0", "false") for mark in marks
    )


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
