"""Headings by size and weight."""

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from flotilla.document.converters.pdf import PdfConverter
from flotilla.document.converters.typography import Line, Typography

PROSE = [
    "All fees are in euros and include the tax. They are due on the day of arrival,",
    "and a receipt is to be kept on board until the boat has left the harbour again,",
    "since it may be asked for at any time by the keeper or by one of his men.",
]


def headings(path: Path) -> list[tuple[int, str]]:
    return [(h.level, h.title) for page in PdfConverter().pages(path) for h in page.headings]


def sections(*heads: tuple[str, str, float]):
    def page(canvas: Canvas) -> None:
        y = 780.0
        for title, font, size in heads:
            canvas.setFont(font, size)
            canvas.drawString(60, y, title)
            canvas.setFont("Helvetica", 10)
            for at, line in enumerate(PROSE):
                canvas.drawString(60, y - 18 - 13 * at, line)
            y -= 80

    return page


def test_bold_lines_of_the_bodys_size_that_stand_alone_are_headings(draw_pdf) -> None:
    path = draw_pdf(
        sections(
            ("The Harbour", "Helvetica-Bold", 16),
            ("Mooring", "Helvetica-Bold", 10),
            ("What is due, and when", "Helvetica-Bold", 10),
        )
    )
    assert headings(path) == [(1, "The Harbour"), (2, "Mooring"), (2, "What is due, and when")]


def test_numbers_say_how_deep_a_bold_heading_is(draw_pdf) -> None:
    path = draw_pdf(
        sections(
            ("1 Mooring", "Helvetica-Bold", 10),
            ("1.1 At night", "Helvetica-Bold", 10),
            ("1.1.1 In winter", "Helvetica-Bold", 10),
        )
    )
    assert headings(path) == [(1, "1 Mooring"), (2, "1.1 At night"), (3, "1.1.1 In winter")]


def test_a_heading_over_two_lines_is_one(draw_pdf) -> None:
    def page(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 18)
        canvas.drawString(60, 780, "The Harbour and what is to be")
        canvas.drawString(60, 759, "known of it")
        canvas.setFont("Helvetica", 10)
        for at, line in enumerate(PROSE):
            canvas.drawString(60, 720 - 13 * at, line)

    assert headings(draw_pdf(page)) == [(1, "The Harbour and what is to be known of it")]


def line(text: str, weight: int = 400, *, size: float = 10, apart: bool = False) -> Line:
    return Line(text, size, weight, None, apart)


@pytest.mark.parametrize(
    "lines",
    [
        [
            line("Please note that boats", 700, apart=True),
            line("longer than this", 700),
            line("may not moor here at all", 700),
        ],
        [line("a warning in the text", 700)],
        [line("Never moor here.", 700, apart=True)],
        [line("12.50 | 13.80 | 14", 700, apart=True)],
        [line("• a point of a slide", size=16), line("• and another", size=16)],
    ],
    ids=["a paragraph", "not alone", "a sentence", "figures", "items"],
)
def test_what_is_bold_for_another_reason_is_no_heading(lines: list[Line]) -> None:
    typography = Typography([line(text) for text in PROSE])
    around = [line(PROSE[0]), *lines, line(PROSE[1])]
    assert typography.headings(around, range(len(around))) == []
