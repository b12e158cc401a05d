"""What the shapes of a slide show: texts, tables, charts, diagrams and pictures' descriptions."""

import re
from collections.abc import Iterable
from typing import Any

from flotilla.document.converters.blocks import FILE_NAME
from flotilla.document.converters.numbers import number_text
from flotilla.document.converters.page_text import PageText
from flotilla.document.converters.tables import Cell, one_line, table

DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
SAME_ROW = 0.04
"""Share of a slide's usual height within which shapes stand side by side."""
SLIDE_HEIGHT = 6_858_000  # English Metric Units: 7.5 inches
MAX_GROUPS = 20
MOST_POINTS = 5_000
"""Values of a chart that are written."""
# What a slide shows by how it is numbered (ECMA-376, 20.1.10.61).
NUMBERED = {
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
    "arabic": "decimal",
}


def ordered_shapes(shapes: Iterable[Any]) -> list[Any]:
    """The shapes as they are read: from top to bottom, those of one height from the left; those
    that say of no place where they are come in the file's order, behind what is above them."""
    row = SAME_ROW * SLIDE_HEIGHT
    placed: list[tuple[int, int, int, Any]] = []
    top = left = 0
    for shape in shapes:
        top, left = (shape.top, shape.left) if shape.top is not None else (top, left)
        placed.append((top or 0, left or 0, len(placed), shape))
    placed.sort(key=lambda each: each[:3])
    rows: list[list[tuple[int, int, int, Any]]] = []
    for each in placed:
        if rows and each[0] - rows[-1][0][0] <= row:
            rows[-1].append(each)
        else:
            rows.append([each])
    return [each[3] for line in rows for each in sorted(line, key=lambda each: each[1:3])]


def unwrap_alternatives(root: Any) -> None:
    """Put the first alternative with a text in the place of the choice between them, which the
    library passes over."""
    for choice in list(root.iter(f"{COMPATIBILITY}AlternateContent")):
        parent = choice.getparent()
        if parent is None:
            continue
        texts = [each for each in choice if "".join(each.itertext()).strip()]
        chosen = (texts or list(choice) or [None])[0]
        if chosen is not None:
            for child in list(chosen):
                choice.addprevious(child)
        parent.remove(choice)


def write_shape(out: PageText, shape: Any, depth: int = 0) -> None:
    """Add what a shape shows; of a group what those in it show."""
    from pptx.enum.shapes import MSO_SHAPE_TYPE, PP_PLACEHOLDER

    if shape.is_placeholder and shape.placeholder_format.type in (
        PP_PLACEHOLDER.DATE,
        PP_PLACEHOLDER.FOOTER,
        PP_PLACEHOLDER.SLIDE_NUMBER,
    ):
        return
    if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
        if depth < MAX_GROUPS:
            for inner in ordered_shapes(shape.shapes):
                write_shape(out, inner, depth + 1)
    elif getattr(shape, "has_table", False):
        _write_table(out, shape.table)
    elif getattr(shape, "has_chart", False):
        _write_chart(out, shape.chart)
    elif shape.has_text_frame and shape.text_frame.text.strip():
        _write_text(out, shape)
    elif diagram := _diagram(shape):
        for text in diagram:
            out.block(f"- {text}", "item")
    else:
        described = shape._element.xpath("string(.//p:cNvPr/@descr)").strip()
        if described and not FILE_NAME.fullmatch(described):
            out.block(one_line(described))


def _write_text(out: PageText, shape: Any) -> None:
    from pptx.enum.shapes import PP_PLACEHOLDER

    paragraphs = [each for each in shape.text_frame.paragraphs if _text(each)]
    listed = (
        shape.is_placeholder
        and shape.placeholder_format.type in (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT)
        and len(paragraphs) > 1
    )
    numbers: dict[int, int] = {}
    for paragraph in paragraphs:
        marker = _marker(paragraph, numbers, listed=listed)
        if marker:
            out.block(f"{'  ' * paragraph.level}{marker} {_text(paragraph)}", "item")
        else:
            out.block(_text(paragraph))


def _text(paragraph: Any) -> str:
    lines = paragraph.text.replace("\v", "\n").split("\n")
    return "\n".join(filter(None, (one_line(line) for line in lines)))


def _marker(paragraph: Any, numbers: dict[int, int], *, listed: bool) -> str:
    """What stands ahead of an item, "" where the paragraph is none."""
    level = paragraph.level
    properties = paragraph._p.pPr
    auto = None if properties is None else properties.find(f"{DRAWING}buAutoNum")
    for deeper in [each for each in numbers if each > level]:
        del numbers[deeper]
    if auto is not None:
        start = auto.get("startAt", "1")
        first = int(start) if start.isascii() and start.isdigit() and len(start) < 6 else 1
        numbers[level] = numbers.get(level, first - 1) + 1
        kind = re.match(r"(?:alpha|roman|arabic)(?:Lc|Uc)?", auto.get("type", ""))
        return f"{number_text(numbers[level], NUMBERED.get(kind[0] if kind else '', 'decimal'))}."
    numbers.pop(level, None)
    if properties is not None and properties.find(f"{DRAWING}buNone") is not None:
        return ""
    marked = properties is not None and properties.find(f"{DRAWING}buChar") is not None
    return "-" if marked or listed else ""


def _write_table(out: PageText, made: Any) -> None:
    rows = [
        [
            Cell(
                one_line(cell.text.replace("\v", " ")),
                colspan=max(1, cell.span_width),
                rowspan=max(1, cell.span_height),
            )
            for cell in row.cells
            if not cell.is_spanned
        ]
        for row in made.rows
    ]
    out.table(table(rows, 1 if made.first_row and len(rows) > 1 else None))


def _write_chart(out: PageText, chart: Any) -> None:
    title = ""
    if chart.has_title and chart.chart_title.has_text_frame:
        title = one_line(chart.chart_title.text_frame.text)
        out.block(title)
    for plot in chart.plots:
        categories = [one_line(str(each)) for each in plot.categories][:MOST_POINTS]
        series = list(plot.series)[: max(1, MOST_POINTS // max(1, len(categories)))]
        if not categories or not series:
            continue
        rows = [[Cell(""), *(Cell(one_line(each.name or "")) for each in series)]]
        values = [list(each.values) for each in series]
        for at, category in enumerate(categories):
            numbers = [column[at] if at < len(column) else None for column in values]
            rows.append(
                [Cell(category), *(Cell("" if n is None else f"{n:.11g}") for n in numbers)]
            )
        named = any(cell.text for cell in rows[0])
        out.table(table(rows if named else rows[1:], int(named)), title or None)


def _diagram(shape: Any) -> list[str]:
    """The texts of a diagram (SmartArt), which stand in a part of their own."""
    relations = next(shape._element.iter(f"{DIAGRAM}relIds"), None)
    if relations is None:
        return []
    from lxml import etree

    part = shape.part.related_part(relations.get(f"{RELATION}dm"))
    root = etree.fromstring(part.blob, etree.XMLParser(resolve_entities=False))
    points = (
        one_line(" ".join(text.text or "" for text in point.iter(f"{DRAWING}t")))
        for point in root.iter(f"{DIAGRAM}pt")
    )
    return [text for text in points if text]
