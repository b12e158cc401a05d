"""What stands within a Word document's paragraphs, as mammoth reads it.

It passes over simple fields, stretches with a direction of their own, characters with readings,
line ends of some kinds, and text boxes without a form for older programs.
"""

from typing import TYPE_CHECKING

from flotilla.document.converters.word_numbering import WORD

if TYPE_CHECKING:
    from lxml.etree import _Element

COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
SHAPES = "{urn:schemas-microsoft-com:vml}"
WRAPPERS = tuple(f"{WORD}{name}" for name in ("fldSimple", "bdo", "dir"))
LINE_ENDS = tuple(f"{WORD}{name}" for name in ("br", "cr"))


def spell_out(root: "_Element") -> None:
    """Change a part of a document so that all of its text is read."""
    from lxml import etree

    etree.strip_tags(root, *WRAPPERS)
    for end in root.iter(*LINE_ENDS):
        # Also what ends a page or a column ends a line.
        end.tag = f"{WORD}br"
        end.attrib.clear()
    for tab in root.iter(f"{WORD}ptab"):
        tab.tag = f"{WORD}tab"
    for ruby in list(root.iter(f"{WORD}ruby")):
        _write_reading(ruby)
    for box in list(root.iter(f"{WORD}txbxContent")):
        _place_text_box(box)


def _write_reading(ruby: "_Element") -> None:
    """Put the characters in the place of what holds them, with their reading in parentheses."""
    said = ["".join(ruby.itertext(f"{WORD}t"))]
    base, reading = ruby.find(f"{WORD}rubyBase"), ruby.find(f"{WORD}rt")
    if base is not None and reading is not None:
        said = ["".join(part.itertext(f"{WORD}t")) for part in (base, reading)]
    text = ruby.makeelement(f"{WORD}t")
    text.text = said[0] + (f"({said[1]})" if len(said) > 1 and said[1] else "")
    text.tail = ruby.tail
    parent = ruby.getparent()
    if parent is not None:
        parent.replace(ruby, text)


def _place_text_box(box: "_Element") -> None:
    """Let a text box that only a drawing holds follow that as a shape, which is read."""
    drawing = None
    for above in box.iterancestors():
        if above.tag == f"{COMPATIBILITY}Fallback" or above.tag == f"{WORD}pict":
            return
        if above.tag == f"{COMPATIBILITY}AlternateContent":
            fallback = above.find(f"{COMPATIBILITY}Fallback")
            if fallback is not None and "".join(fallback.itertext(f"{WORD}t")).strip():
                return
            drawing = above
        elif above.tag == f"{WORD}drawing":
            drawing = above
        elif above.tag == f"{WORD}r":
            break
    if drawing is None:
        return
    picture = box.makeelement(f"{WORD}pict")
    shape = box.makeelement(f"{SHAPES}textbox")
    picture.append(shape)
    shape.append(box)
    picture.tail, drawing.tail = drawing.tail, None
    drawing.addnext(picture)
