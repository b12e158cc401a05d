"""Tables of PDFs, ruled and not, and what looks like one and is none."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from reportlab.lib import colors
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Table, TableStyle

from flotilla.document.converters.pdf import PdfConverter
from flotilla.models import DataType, Page, Region

FIGURES = [
    ["", "2023", "2022"],
    ["Revenue", "1,204", "998"],
    ["Cost of sales", "(640)", "(512)"],
    ["Gross profit", "564", "486"],
    ["Net result", "17.5%", "–"],
]
TEXTS = [
    ["Boat", "Port", "Flag"],
    ["Aurora", "Turku", "Finland"],
    ["Bessie", "Hull", "England"],
    ["Clipper", "Bremen", "Germany"],
    ["Dart", "Gdynia", "Poland"],
]
PROSE = [
    "All fees are in euros and include the tax. They are due on the day of arrival, and",
    "a receipt is to be kept on board until the boat has left the harbour again, since it",
    "may be asked for at any time by the keeper or by one of those who stand in for him.",
]
GRID = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)])
LINES = TableStyle(
    [
        ("LINEABOVE", (0, 0), (-1, 0), 1, colors.black),
        ("LINEBELOW", (0, 0), (-1, 0), 0.5, colors.black),
        ("LINEBELOW", (0, -1), (-1, -1), 1, colors.black),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
    ]
)
BARE = TableStyle([("ALIGN", (1, 0), (-1, -1), "RIGHT")])
SHADED = TableStyle(
    [
        ("ROWBACKGROUNDS", (0, 0), (-1, -1), [colors.lightgrey, colors.white]),
        ("FONT", (0, 0), (-1, 0), "Helvetica-Bold"),
    ]
)
STYLES = {"grid": GRID, "lines": LINES, "bare": BARE, "shaded": SHADED}


def put(canvas: Canvas, rows: Sequence[Sequence[str]], style: TableStyle, y: float = 560) -> None:
    table = Table([list(row) for row in rows], style=style)
    table.wrapOn(canvas, 480, 400)
    table.drawOn(canvas, 60, y)


def write(canvas: Canvas, y: float, lines: Sequence[str], x: float = 60) -> None:
    for at, line in enumerate(lines):
        canvas.drawString(x, y - 13 * at, line)


def around(draw: Callable[[Canvas], None]) -> Callable[[Canvas], None]:
    def page(canvas: Canvas) -> None:
        write(canvas, 760, PROSE)
        draw(canvas)
        canvas.setFont("Helvetica", 10)
        write(canvas, 500, PROSE)

    return page


def convert(path: Path) -> list[Page]:
    return list(PdfConverter().pages(path))


def only_table(path: Path) -> tuple[Page, Region]:
    (page,) = convert(path)
    (region,) = page.regions
    return page, region


def rows_of(page: Page, region: Region) -> list[str]:
    return page.text[region.start : region.end].split("\n")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("rows", [FIGURES, TEXTS], ids=["figures", "texts"])
def test_a_table_is_a_region_of_rows(draw_pdf, style: str, rows: list[list[str]]) -> None:
    page, region = only_table(draw_pdf(around(lambda canvas: put(canvas, rows, STYLES[style]))))
    assert rows_of(page, region) == [" | ".join(row).strip() for row in rows]
    assert region.data_type is DataType.TABLE
    assert region.header_rows == 1
    assert region.html is not None
    assert region.html.startswith("<table><thead><tr><th>")
    assert region.html.count("<td>") == len(rows[0]) * (len(rows) - 1)
    assert page.text.startswith(PROSE[0])
    assert page.text.endswith(PROSE[-1])


def test_a_ruled_table_says_where_it_is(draw_pdf) -> None:
    _, region = only_table(draw_pdf(around(lambda canvas: put(canvas, TEXTS, GRID))))
    assert region.box is not None
    left, top, right, bottom = region.box
    assert left == pytest.approx(60, abs=1)
    assert bottom == pytest.approx(841.9 - 560, abs=1)
    assert bottom - top == pytest.approx(18 * len(TEXTS), abs=1)
    assert right > left + 100


def test_the_box_is_that_of_the_page_as_it_is_shown(draw_pdf) -> None:
    def page(canvas: Canvas) -> None:
        canvas.setPageRotation(90)
        canvas.translate(595, 0)
        canvas.rotate(90)
        put(canvas, TEXTS, GRID, y=400)

    _, region = only_table(draw_pdf(page))
    assert region.box is not None
    left, _, _, bottom = region.box
    assert left == pytest.approx(60, abs=1)
    assert bottom == pytest.approx(595 - 400, abs=1)


@pytest.mark.parametrize(
    ("y", "caption"),
    [
        (660, "Table 3: Fees by the length of the boat"),
        (545, "Table B.2. Fees by the length of the boat"),
        (660, "Tabelle IV – Gebühren nach der Länge"),
    ],
)
def test_the_caption_stands_above_or_below(draw_pdf, y: float, caption: str) -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawString(60, y, caption)
        canvas.setFont("Helvetica", 10)
        put(canvas, FIGURES, GRID)

    page_, region = only_table(draw_pdf(around(page)))
    assert region.caption == caption
    assert caption in page_.text


def test_a_sentence_about_a_table_is_no_caption(draw_pdf) -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawString(60, 660, "Table 3 shows what each boat has to pay.")
        put(canvas, FIGURES, GRID)

    assert only_table(draw_pdf(around(page)))[1].caption is None


def test_cells_that_span_are_said_in_html_and_repeated_down_the_rows(draw_pdf) -> None:
    rows = [["Zone", "Fee", ""], ["", "Day", "Night"], ["North", "10", "12"], ["", "11", "13"]]
    style = TableStyle(
        [
            *GRID.getCommands(),
            ("SPAN", (0, 0), (0, 1)),
            ("SPAN", (1, 0), (2, 0)),
            ("SPAN", (0, 2), (0, 3)),
        ]
    )
    page, region = only_table(draw_pdf(around(lambda canvas: put(canvas, rows, style))))
    assert rows_of(page, region) == [
        "Zone | Fee |",
        "Zone | Day | Night",
        "North | 10 | 12",
        "North | 11 | 13",
    ]
    assert region.header_rows == 2
    assert region.html == (
        '<table><thead><tr><th rowspan="2">Zone</th><th colspan="2">Fee</th></tr>'
        "<tr><th>Day</th><th>Night</th></tr></thead>"
        '<tbody><tr><td rowspan="2">North</td><td>10</td><td>12</td></tr>'
        "<tr><td>11</td><td>13</td></tr></tbody></table>"
    )


@pytest.mark.parametrize("style", ["grid", "lines"])
def test_a_row_that_goes_on_over_lines_is_one(draw_pdf, style: str) -> None:
    rows = [
        ["Service", "What it covers"],
        ["Pilotage", "The way from the outer buoy\nto the berth, by day and by night"],
        ["Mooring", "Lines, and the hands\nthat make them fast"],
        ["Towage", "One tug; a second one\nwhere the wind asks for it"],
    ]
    top = TableStyle([*STYLES[style].getCommands(), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    page, region = only_table(draw_pdf(around(lambda canvas: put(canvas, rows, top))))
    assert rows_of(page, region) == [" | ".join(row).replace("\n", " ") for row in rows]


def test_a_table_in_one_of_two_columns(draw_pdf) -> None:
    narrow = [line[:44] for line in PROSE * 5]

    def page(canvas: Canvas) -> None:
        write(canvas, 760, narrow)
        write(canvas, 760, narrow[:3], x=320)
        table = Table(TEXTS, style=LINES)
        table.wrapOn(canvas, 200, 400)
        table.drawOn(canvas, 320, 620)
        canvas.setFont("Helvetica", 10)
        write(canvas, 600, narrow[:3], x=320)

    page_, region = only_table(draw_pdf(page))
    assert rows_of(page_, region) == [" | ".join(row) for row in TEXTS]
    assert page_.text.index("Aurora") > page_.text.rindex(narrow[-1], 0, region.start)


def test_a_table_that_goes_on_has_no_header_on_the_next_page(draw_pdf) -> None:
    more = [["Elbe", "Hamburg", "Germany"], ["Fram", "Oslo", "Norway"], ["Gull", "Cork", "Ireland"]]
    style = TableStyle([*GRID.getCommands(), ("FONTSIZE", (0, 0), (-1, -1), 9)])

    def part(rows: list[list[str]]) -> Callable[[Canvas], None]:
        def page(canvas: Canvas) -> None:
            table = Table(rows, style=style, colWidths=[120, 120, 120])
            table.wrapOn(canvas, 480, 400)
            table.drawOn(canvas, 60, 600)

        return page

    first, second = convert(draw_pdf(part(TEXTS), part(more)))
    assert [first.regions[0].header_rows, second.regions[0].header_rows] == [1, 0]
    assert "<thead>" not in str(second.regions[0].html)
    again = convert(draw_pdf(part(TEXTS), part([TEXTS[0], *more])))
    assert again[1].regions[0].header_rows == 1


def test_lines_between_groups_of_rows_make_no_row_of_a_group(draw_pdf) -> None:
    rows = [*TEXTS, *([f"Boat {n}", f"Port {n}", f"Flag {n}"] for n in range(8))]
    groups = [("LINEBELOW", (0, at), (-1, at), 0.5, colors.black) for at in (3, 6, 9)]
    style = TableStyle([*LINES.getCommands(), *groups])
    page, region = only_table(draw_pdf(lambda canvas: put(canvas, rows, style)))
    assert rows_of(page, region) == [" | ".join(row) for row in rows]


def test_cells_that_nearly_touch_are_two(draw_pdf) -> None:
    rows = [["Bowline", "61", "58"], ["Clove hitch", "55", "52"], ["Sheet bend", "49", "47"]]
    rows += [["Anchor hitch with a turn", "71", "66"], ["Reef knot", "38", "31"]]

    def page(canvas: Canvas) -> None:
        for at, row in enumerate(rows):
            for x, cell in zip((60, 172, 240), row, strict=True):
                canvas.drawString(x, 700 - 14 * at, cell)

    found, region = only_table(draw_pdf(around(page)))
    assert rows_of(found, region) == [" | ".join(row) for row in rows]


def statement(canvas: Canvas) -> None:
    rows = [
        ("Net revenue", "12,345", "11,222"),
        ("Cost of revenue", "(5,000)", "(4,000)"),
        ("Operating expenses:", "", ""),
        ("  Sales, general and administrative costs of", "", ""),
        ("  the group", "900", "800"),
        ("Total", "6,445", "6,422"),
    ]
    canvas.drawRightString(440, 700, "2025")
    canvas.drawRightString(540, 700, "2024")
    for at, row in enumerate(rows):
        canvas.drawString(60, 686 - 14 * at, row[0])
        for x, amount in zip((440, 540), row[1:], strict=True):
            if amount:
                canvas.drawString(x - 60, 686 - 14 * at, "$")
                canvas.drawRightString(x, 686 - 14 * at, amount)


def test_a_statement_with_signs_of_currency_and_indented_rows(draw_pdf) -> None:
    page, region = only_table(draw_pdf(around(statement)))
    assert rows_of(page, region) == [
        "| 2025 | 2024",
        "Net revenue | $ 12,345 | $ 11,222",
        "Cost of revenue | $ (5,000) | $ (4,000)",
        "Operating expenses:",
        "Sales, general and administrative costs of the group | $ 900 | $ 800",
        "Total | $ 6,445 | $ 6,422",
    ]
    assert region.header_rows == 1


def test_a_row_that_is_shaded_last_and_one_that_is_not(draw_pdf) -> None:
    rows = TEXTS[:4]
    page, region = only_table(draw_pdf(around(lambda canvas: put(canvas, rows, SHADED))))
    assert rows_of(page, region) == [" | ".join(row) for row in rows]


def letterhead(canvas: Canvas) -> None:
    write(canvas, 700, ["Harbour Office", "1 Quay Street", "Hull HU1 2AB"])
    meta = [("Invoice number", "INV-1234"), ("Date", "2 May 2026"), ("Total due", "$1,234.50")]
    for at, (label, value) in enumerate(meta):
        canvas.drawString(350, 700 - 13 * at, label)
        canvas.drawRightString(540, 700 - 13 * at, value)


def listing(canvas: Canvas) -> None:
    canvas.setFont("Courier", 9)
    write(
        canvas,
        700,
        [
            "def fee(length):          # in metres",
            "    rate = 12.5           # per metre",
            "    return rate * length  # of a night",
            "x = [  1,   2,   3]",
            "y = [ 10,  20,  30]",
        ],
    )


def bullets(canvas: Canvas) -> None:
    for at, line in enumerate(PROSE * 2):
        canvas.drawString(60, 700 - 14 * at, "•" if at < 3 else f"{at}.")
        canvas.drawString(80, 700 - 14 * at, line[:60])


def contents(canvas: Canvas) -> None:
    for at, title in enumerate(["Introduction", "Fees", "Rules", "Safety", "Annex"]):
        canvas.drawString(60, 700 - 14 * at, f"{at + 1}")
        canvas.drawString(80, 700 - 14 * at, title)
        canvas.drawRightString(500, 700 - 14 * at, str(3 + 4 * at))


def dotted_contents(canvas: Canvas) -> None:
    for at, title in enumerate(["Introduction", "Fees", "Rules", "Safety", "Annex"]):
        canvas.drawString(60, 700 - 14 * at, f"{title} {'. ' * (60 - len(title))}")
        canvas.drawRightString(500, 700 - 14 * at, str(3 + 4 * at))


def form(canvas: Canvas) -> None:
    fields = {"Name:": "Aurora", "Length:": "12.5", "Berth:": "47", "Fee:": "€12.50", "Paid:": "2"}
    for at, (label, value) in enumerate(fields.items()):
        canvas.drawString(60, 700 - 14 * at, label)
        canvas.drawString(200, 700 - 14 * at, value)


def authors(canvas: Canvas) -> None:
    rows = [
        ["Ann Smith", "Bob Jones-Meyer", "Carla Ek"],
        ["Hull University", "Port of Turku", "Technical University of Oslo"],
        ["ann@hull.example", "bob@turku.example", "carla@oslo.example"],
        ["Hull, England", "Turku, Finland", "Oslo, Norway"],
    ]
    for at, row in enumerate(rows):
        for x, cell in zip((130, 300, 470), row, strict=True):
            canvas.drawCentredString(x, 700 - 14 * at, cell)


def frame(canvas: Canvas) -> None:
    canvas.rect(50, 600, 490, 120)
    canvas.line(50, 690, 540, 690)
    write(canvas, 680, PROSE)
    canvas.drawString(60, 700, "Please note")


def terms(canvas: Canvas) -> None:
    for at, term in enumerate(["berth", "quay", "tide", "fairway"]):
        canvas.drawString(60, 700 - 35 * at, term)
        write(canvas, 700 - 35 * at, [line[:55] for line in PROSE[:2]], x=150)


def blanks(canvas: Canvas) -> None:
    for at in range(5):
        for column in range(4):
            canvas.rect(60 + 100 * column, 700 - 20 * at, 100, 20)
    canvas.drawString(64, 705, "Remarks")


@pytest.mark.parametrize(
    "draw",
    [listing, letterhead, bullets, contents, dotted_contents, form, authors, frame, terms, blanks],
    ids=lambda draw: draw.__name__,
)
def test_what_only_looks_like_a_table_is_none(draw_pdf, draw: Callable[[Canvas], None]) -> None:
    (page,) = convert(draw_pdf(around(draw)))
    assert page.regions == ()


def test_two_columns_of_prose_between_lines_are_no_table(draw_pdf) -> None:
    lines = [line[:44] for line in PROSE * 6]

    def page(canvas: Canvas) -> None:
        for y in (790, 770, 480):
            canvas.line(60, y, 540, y)
        canvas.drawString(60, 778, "The harbour and its rules")
        canvas.drawString(320, 778, "Second part of them")
        for at, line in enumerate(lines):
            canvas.drawString(60, 750 - 13 * at, line)
            canvas.drawString(320, 750 - 13 * at, line)

    (found,) = convert(draw_pdf(page))
    assert found.regions == ()
    assert "\n".join(lines) in found.text.replace("\n\n", "\n")


@pytest.mark.parametrize("style", ["lines", "bare"])
def test_a_heading_between_two_tables_parts_them(draw_pdf, style: str) -> None:
    more = [TEXTS[0], ["Elbe", "Hamburg", "Germany"], ["Fram", "Oslo", "Norway"]]
    more += [["Gull", "Cork", "Ireland"], ["Hero", "Riga", "Latvia"]]

    def page(canvas: Canvas) -> None:
        for rows, y in ((TEXTS, 600), (more, 460)):
            table = Table(rows, style=STYLES[style], colWidths=[120, 120, 120])
            table.wrapOn(canvas, 480, 400)
            table.drawOn(canvas, 60, y)
        canvas.setFont("Helvetica-Bold", 14)
        canvas.drawString(60, 580, "Further boats")

    (found,) = convert(draw_pdf(page))
    assert [rows_of(found, region) for region in found.regions] == [
        [" | ".join(row) for row in rows] for rows in (TEXTS, more)
    ]
    assert "\nFurther boats\n" in found.text
