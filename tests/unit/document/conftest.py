"""Documents made on the spot."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

MakePdf = Callable[..., Path]
DrawPdf = Callable[..., Path]


@pytest.fixture
def make_pdf(tmp_path: Path) -> MakePdf:
    """A PDF of one string of lines a page; "# " before a line sets it in 18 points."""

    def make(
        *pages: str,
        name: str = "made.pdf",
        title: str | None = None,
        outline: Sequence[tuple[int, int, str]] = (),
        running: str = "",
    ) -> Path:
        out = io.BytesIO()
        canvas = Canvas(out)
        if title:
            canvas.setTitle(title)
        for number, page in enumerate(pages, start=1):
            for index, level, text in outline:
                if index == number:
                    canvas.bookmarkPage(text)
                    canvas.addOutlineEntry(text, text, level - 1)
            y = 780
            for line in page.splitlines():
                heading = line.startswith("# ")
                canvas.setFont("Helvetica", 18 if heading else 11)
                canvas.drawString(72, y, line.removeprefix("# "))
                y -= 30 if heading else 15
            if running:
                canvas.setFont("Helvetica", 8)
                canvas.drawString(72, 30, running.format(number))
            canvas.showPage()
        canvas.save()
        path = tmp_path / name
        path.write_bytes(out.getvalue())
        return path

    return make


@pytest.fixture
def draw_pdf(tmp_path: Path) -> DrawPdf:
    """A PDF of A4 pages, each drawn by a function that is given the canvas."""

    def draw(*pages: Callable[[Canvas], None]) -> Path:
        path = tmp_path / "drawn.pdf"
        canvas = Canvas(str(path), pagesize=A4)
        for page in pages:
            canvas.setFont("Helvetica", 10)
            page(canvas)
            canvas.showPage()
        canvas.save()
        return path

    return draw
