"""How a Word document looks, as far as it says what is a heading or a table's header."""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from flotilla.document.converters.word_numbering import WORD, number, value

if TYPE_CHECKING:
    from lxml.etree import _Element

LONGEST_BOLD_LINE = 100
"""Characters above which a bold line is a text and no heading."""

MOST_COLUMNS = 63
"""Columns of a table in Word."""


def styles_with_headers(root: "_Element | None") -> set[str]:
    """The table styles that set the first row off from the others."""
    return {
        style.get(f"{WORD}styleId", "")
        for style in (() if root is None else root.iterchildren(f"{WORD}style"))
        for part in style.iterchildren(f"{WORD}tblStylePr")
        if part.get(f"{WORD}type") == "firstRow"
    }


def mark_header_rows(root: "_Element", with_headers: set[str]) -> None:
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


def fill_rows(root: "_Element") -> None:
    """Give rows that begin further right the cells that they pass over."""
    for skipped in list(root.iter(f"{WORD}gridBefore")):
        row = next(skipped.iterancestors(f"{WORD}tr"), None)
        columns = min(number(skipped.get(f"{WORD}val"), 0), MOST_COLUMNS)
        first = None if row is None else row.find(f"{WORD}tc")
        if first is None or columns < 1:
            continue
        cell = first.makeelement(f"{WORD}tc")
        properties = cell.makeelement(f"{WORD}tcPr")
        properties.append(cell.makeelement(f"{WORD}gridSpan", {f"{WORD}val": str(columns)}))
        cell.extend((properties, cell.makeelement(f"{WORD}p")))
        first.addprevious(cell)


def _sets_first_row_off(look: "_Element") -> bool:
    said = look.get(f"{WORD}firstRow")
    if said is not None:
        return said in ("1", "true", "on")
    flags = look.get(f"{WORD}val", "")
    # The bit for the first row (ECMA-376-1, 17.18.87, in its transitional form).
    return bool(re.fullmatch(r"[0-9A-Fa-f]{1,8}", flags)) and bool(int(flags, 16) & 0x20)


def drop_looks(root: "_Element") -> None:
    """Leave out how runs look: most of mammoth's time goes into building a tree of that."""
    for properties in list(root.iter(f"{WORD}rPr")):
        run = properties.getparent()
        if run is not None and run.tag == f"{WORD}r":
            run.remove(properties)


def name_bold_lines(root: "_Element") -> None:
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
