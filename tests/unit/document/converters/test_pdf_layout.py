"""The order in which a page is read, whatever the order in which it is drawn."""

from collections.abc import Callable
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from flotilla.document.converters.pdf import PdfConverter

LEFT = [
    "The harbour office opens at eight in",
    "the morning and closes at six in the",
    "evening, but for Sundays, on which a",
    "keeper can be reached by telephone at",
    "any hour. Boats that arrive by night",
]
RIGHT = [
    "moor at the outer quay and report as",
    "soon as the office has opened. Fees",
    "are due on the day of arrival, and a",
    "receipt is to be kept on board until",
    "the boat has left the harbour again.",
]


def text(path: Path) -> str:
    return next(PdfConverter().pages(path)).text


def squeezed(path: Path) -> str:
    return " ".join(text(path).split())


def write(canvas: Canvas, x: float, y: float, lines: list[str]) -> None:
    for at, line in enumerate(lines):
        canvas.drawString(x, y - 13 * at, line)


def row_wise(canvas: Canvas, y: float, left: list[str], right: list[str]) -> None:
    for at, (one, other) in enumerate(zip(left, right, strict=True)):
        canvas.drawString(60, y - 13 * at, one)
        canvas.drawString(310, y - 13 * at, other)


def test_columns_are_read_one_after_another_though_drawn_row_by_row(draw_pdf) -> None:
    path = draw_pdf(lambda canvas: row_wise(canvas, 700, LEFT, RIGHT))
    assert squeezed(path) == " ".join(LEFT + RIGHT)


def test_a_title_across_and_a_single_column_below_keep_their_place(draw_pdf) -> None:
    title = "Rules of the harbour, which hold for all of its quays and for all boats in it"
    end = "This is the last sentence, which goes over the whole width of the page once more."

    def page(canvas: Canvas) -> None:
        row_wise(canvas, 700, LEFT, RIGHT)
        canvas.drawString(60, 600, end)
        canvas.setFont("Helvetica-Bold", 12)
        canvas.drawString(60, 750, title)

    assert squeezed(draw_pdf(page)) == " ".join([title, *LEFT, *RIGHT, end])


def test_columns_above_and_below_a_line_across_are_two_pairs(draw_pdf) -> None:
    between = "A line in between, over the whole width of the page, parts what is above from below."

    def page(canvas: Canvas) -> None:
        row_wise(canvas, 700, LEFT, RIGHT)
        canvas.drawString(60, 610, between)
        row_wise(canvas, 580, RIGHT, LEFT)

    assert squeezed(draw_pdf(page)) == " ".join([*LEFT, *RIGHT, between, *RIGHT, *LEFT])


def test_three_columns(draw_pdf) -> None:
    columns = [[f"{word} line {n} of this col" for n in range(6)] for word in ("One", "Two", "Six")]

    def page(canvas: Canvas) -> None:
        for at in range(6):
            for x, column in zip((50, 220, 390), columns, strict=True):
                canvas.drawString(x, 700 - 13 * at, column[at] + " goes on")

    assert squeezed(draw_pdf(page)) == " ".join(f"{line} goes on" for c in columns for line in c)


def test_a_form_is_read_row_by_row(draw_pdf) -> None:
    labels = ["Name of the boat", "Home port", "Length over all", "Berth", "Fee", "Paid on"]
    values = ["Aurora", "Turku", "12 m", "47", "€12.50", "2 May"]

    def page(canvas: Canvas) -> None:
        write(canvas, 60, 700, labels)
        write(canvas, 310, 700, values)

    page_text = text(draw_pdf(page))
    for label, value in zip(labels, values, strict=True):
        assert f"{label} {value}" in page_text.replace(" | ", " ")


def test_a_footer_that_is_drawn_first_comes_last(draw_pdf) -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawString(60, 40, "At the foot of it")
        write(canvas, 60, 700, LEFT)

    assert squeezed(draw_pdf(page)) == " ".join([*LEFT, "At the foot of it"])


def test_paragraphs_are_parted_by_an_empty_line_and_lines_are_not(draw_pdf) -> None:
    def page(canvas: Canvas) -> None:
        write(canvas, 60, 700, LEFT)
        write(canvas, 60, 620, RIGHT)

    assert text(draw_pdf(page)) == "\n".join(LEFT) + "\n\n" + "\n".join(RIGHT)


def turned(degrees: int, draw: Callable[[Canvas], None]) -> Callable[[Canvas], None]:
    def page(canvas: Canvas) -> None:
        canvas.translate(300, 400)
        canvas.rotate(degrees)
        canvas.translate(-300, -400)
        draw(canvas)

    return page


def test_a_page_whose_text_is_turned_is_read_all_the_same(draw_pdf) -> None:
    for degrees in (90, 180, 270):
        path = draw_pdf(turned(degrees, lambda canvas: row_wise(canvas, 500, LEFT, RIGHT)))
        assert squeezed(path) == " ".join(LEFT + RIGHT), degrees


def test_a_stamp_across_a_page_cuts_no_line(draw_pdf) -> None:
    def page(canvas: Canvas) -> None:
        write(canvas, 60, 700, LEFT)
        canvas.saveState()
        canvas.translate(100, 600)
        canvas.rotate(45)
        canvas.drawString(0, 0, "DRAFT")
        canvas.restoreState()

    assert squeezed(draw_pdf(page)) == " ".join([*LEFT, "DRAFT"])


def test_a_word_split_between_columns_is_whole(draw_pdf) -> None:
    left = [*LEFT[:-1], "any hour. Boats that arrive unexpec-"]
    right = ["tedly moor at the outer quay and then", *RIGHT[1:]]
    assert "unexpectedly moor" in squeezed(
        draw_pdf(lambda canvas: row_wise(canvas, 700, left, right))
    )


def test_what_a_form_is_filled_in_with_stands_beside_its_labels(draw_pdf) -> None:
    def page(canvas: Canvas) -> None:
        for y, label, value in ((700, "Name of the boat", "Aurora"), (660, "Home port", "Turku")):
            canvas.drawString(60, y, label)
            canvas.acroForm.textfield(
                name=label, value=value, x=200, y=y - 5, width=200, height=18, fontSize=10
            )

    assert text(draw_pdf(page)).replace("\n\n", "\n") == "Name of the boat Aurora\nHome port Turku"


def test_the_authors_above_two_columns_are_read_row_by_row(draw_pdf) -> None:
    rows = [
        ["Ann Smith", "Bob Jones", "Carla Ek"],
        ["ann@a.example", "bob@b.example", "c@c.example"],
    ]

    def page(canvas: Canvas) -> None:
        for at, row in enumerate(rows):
            for x, cell in zip((130, 300, 470), row, strict=True):
                canvas.drawCentredString(x, 760 - 14 * at, cell)
        row_wise(canvas, 700, LEFT, RIGHT)

    assert squeezed(draw_pdf(page)) == " ".join([*rows[0], *rows[1], *LEFT, *RIGHT])
