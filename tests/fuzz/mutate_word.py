"""Mutations of a Word document's XML that leave it well-formed, so that they reach past its parser.

What the reader of Word documents makes of elements in the wrong place, of values it does not know
and of references that lead nowhere shows only where the XML itself can be read.
"""

import random
from collections.abc import Callable
from contextlib import suppress

from lxml import etree
from lxml.etree import _Element as Element

from tests.fuzz.dice import length, number
from tests.fuzz.mutate_bytes import LARGEST

Change = Callable[[Element, random.Random], None]
"""Changes a part's tree in one place or some, by the dice."""

DEEP = (1, 1, 5, 50, 200, 255, 1000)
OFFICE = "http://schemas.openxmlformats.org"
NAMESPACES = {
    "w": f"{OFFICE}/wordprocessingml/2006/main",
    "r": f"{OFFICE}/officeDocument/2006/relationships",
    "m": f"{OFFICE}/officeDocument/2006/math",
    "wp": f"{OFFICE}/drawingml/2006/wordprocessingDrawing",
    "a": f"{OFFICE}/drawingml/2006/main",
    "mc": f"{OFFICE}/markup-compatibility/2006",
    "v": "urn:schemas-microsoft-com:vml",
}
WORD = (
    *("w:p", "w:r", "w:t", "w:tbl", "w:tr", "w:tc", "w:hyperlink", "w:sdt", "w:sdtContent"),
    *("w:ins", "w:del", "w:fldSimple", "w:smartTag", "w:pPr", "w:rPr", "w:tcPr", "w:body"),
    *("w:pict", "w:txbxContent", "mc:AlternateContent", "mc:Fallback", "m:oMath", "m:oMathPara"),
)
SCRAPS = (
    "<w:tbl/>",
    "<w:tr/>",
    "<w:tc/>",
    "<w:tbl><w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr></w:tc></w:tr></w:tbl>",
    "<w:tcPr><w:gridSpan w:val='{n}'/><w:vMerge w:val='{n}'/></w:tcPr>",
    "<w:pPr><w:numPr><w:ilvl w:val='{n}'/><w:numId w:val='{n}'/></w:numPr></w:pPr>",
    "<w:pPr><w:pStyle w:val='{n}'/><w:outlineLvl w:val='{n}'/></w:pPr>",
    "<w:r><w:sym w:font='Wingdings' w:char='{n}'/></w:r>",
    "<w:r><w:fldChar w:fldCharType='begin'/></w:r>",
    "<w:r><w:fldChar w:fldCharType='separate'/></w:r>",
    "<w:r><w:fldChar w:fldCharType='end'/></w:r>",
    '<w:r><w:instrText>HYPERLINK \\l "{n}</w:instrText></w:r>',
    "<w:r><w:instrText> FORMCHECKBOX {n}</w:instrText></w:r>",
    "<w:r><w:footnoteReference w:id='{n}'/></w:r>",
    "<w:r><w:endnoteReference w:id='{n}'/></w:r>",
    "<w:r><w:commentReference w:id='{n}'/></w:r>",
    "<w:bookmarkStart w:name='{n}' w:id='{n}'/>",
    "<w:hyperlink r:id='{n}' w:anchor='{n}'><w:r><w:t>x</w:t></w:r></w:hyperlink>",
    "<w:r><w:drawing><wp:inline><a:blip r:embed='{n}'/></wp:inline></w:drawing></w:r>",
    "<w:pict><v:shape><v:imagedata r:id='{n}'/></v:shape></w:pict>",
    "<w:r><w:br w:type='{n}'/><w:tab/><w:noBreakHyphen/><w:cr/></w:r>",
    "<mc:AlternateContent><mc:Fallback/></mc:AlternateContent>",
    "<m:oMath><m:f/></m:oMath>",
    "<m:oMath><m:sSup><m:e/><m:sup><m:r><m:t>{n}</m:t></m:r></m:sup></m:sSup></m:oMath>",
    "<m:oMathPara><m:oMath><m:rad><m:e><m:d/></m:e></m:rad></m:oMath></m:oMathPara>",
    "<w:smartTag><w:p/></w:smartTag>",
    "<w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p></w:txbxContent>",
    "<w:sdt><w:sdtContent/></w:sdt>",
    "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>",
    "<x>&#{n};</x>",
    "<x><![CDATA[<w:t>{n}]]></x>",
)
TEXTS = (
    "",
    " ",
    "\u202e\u2066\u200b\u2028\u0085\ufeff",
    "e" + "\u0301" * 500,
    "A" * 5000,
    " " * 5000,
    "\t\r\n" * 50,
    "<w:p>&amp;]]>",
    "\U0010fffd\U0001f600\u0600",
)


def change_tree(xml: bytes, dice: random.Random) -> bytes:
    """The part with one to five changes; as it was, where it is no XML or would become too long."""
    parser = etree.XMLParser(resolve_entities=False, huge_tree=True, no_network=True)
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError):
        return xml
    for _ in range(dice.choice((1, 1, 2, 3, 5))):
        # What a tree does not take (a root's sibling, a text that is none) is left undone.
        with suppress(ValueError, TypeError, etree.XMLSyntaxError):
            dice.choice(CHANGES)(root, dice)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
    return written if len(written) <= max(LARGEST, 2 * len(xml)) else xml


def _elements(root: Element) -> list[Element]:
    """All but the root; comments and instructions are none."""
    return [each for each in root.iter() if isinstance(each.tag, str) and each is not root]


def _some(root: Element, dice: random.Random, most: int = 8) -> list[Element]:
    found = _elements(root)
    return dice.sample(found, min(len(found), length(dice, most)))


def _copy(element: Element) -> Element:
    """With all that it holds, and without the text behind it."""
    return etree.fromstring(
        etree.tostring(element, with_tail=False), etree.XMLParser(huge_tree=True)
    )


def _name(written: str) -> str:
    prefix, _, local = written.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _drop(root: Element, dice: random.Random) -> None:
    """Leave elements out with all that they hold."""
    for element in _some(root, dice):
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)


def _copy_elsewhere(root: Element, dice: random.Random) -> None:
    """Copy elements to before others, or into them."""
    found = _elements(root)
    for element in _some(root, dice, 4):
        target, copied = dice.choice(found), _copy(element)
        if dice.random() < 0.5:
            target.addprevious(copied)
        else:
            target.append(copied)


def _repeat(root: Element, dice: random.Random) -> None:
    """Say an element many times over."""
    for element in _some(root, dice, 1):
        for _ in range(length(dice, 64)):
            element.addnext(_copy(element))


def _unwrap(root: Element, dice: random.Random) -> None:
    """Put what an element holds in its place."""
    for element in _some(root, dice, 4):
        for child in list(element):
            element.addprevious(child)
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)


def _wrap(root: Element, dice: random.Random) -> None:
    """Put an element into others of one name, up to a thousand deep."""
    for element in _some(root, dice, 1):
        tag = dice.choice((element.tag, *map(_name, WORD)))
        outermost = innermost = etree.Element(tag)
        for _ in range(dice.choice(DEEP) - 1):
            innermost = etree.SubElement(innermost, tag)
        element.addprevious(outermost)
        innermost.append(element)


def _swap(root: Element, dice: random.Random) -> None:
    """An element goes to the end or the beginning of what holds it."""
    for element in _some(root, dice):
        parent = element.getparent()
        if parent is not None:
            parent.insert(dice.choice((0, len(parent))), element)


def _values(root: Element, dice: random.Random) -> None:
    """Other values for attributes, such as another's of the same part."""
    holders = [each for each in root.iter() if each.attrib]
    others = [value for each in holders for value in each.attrib.values()]
    for element in dice.sample(holders, min(len(holders), length(dice, 12))):
        name = dice.choice(list(element.attrib))
        element.set(name, dice.choice((number(dice), "", "x" * 300, dice.choice(others))))


def _attributes(root: Element, dice: random.Random) -> None:
    """Leave attributes out."""
    holders = [each for each in root.iter() if each.attrib]
    for element in dice.sample(holders, min(len(holders), length(dice, 8))):
        del element.attrib[dice.choice(list(element.attrib))]


def _rename(root: Element, dice: random.Random) -> None:
    """Rename one element, or all of its name."""
    for element in _some(root, dice, 2):
        old, new = element.tag, dice.choice((*map(_name, WORD), "x"))
        for each in list(root.iter(old)) if dice.random() < 0.2 else [element]:
            each.tag = new


def _scraps(root: Element, dice: random.Random) -> None:
    """Put odd pieces before elements, or into them."""
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    for element in _some(root, dice, 4):
        scrap = dice.choice(SCRAPS).replace("{n}", number(dice))
        for _ in range(dice.choice((1, 1, 20))):
            (piece,) = etree.fromstring(f"<s {declared}>{scrap}</s>")
            if dice.random() < 0.5:
                element.addprevious(piece)
            else:
                element.insert(0, piece)


def _texts(root: Element, dice: random.Random) -> None:
    """Other text, also where none is looked for."""
    for element in _some(root, dice):
        element.text = dice.choice((*TEXTS, number(dice)))
        if dice.random() < 0.2:
            element.tail = dice.choice(TEXTS)


CHANGES: tuple[Change, ...] = (
    *(_drop, _copy_elsewhere, _copy_elsewhere, _repeat, _unwrap, _wrap, _swap),
    *(_values, _values, _values, _attributes, _rename, _scraps, _scraps, _scraps, _texts),
)
