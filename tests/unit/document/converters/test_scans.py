"""PDFs with scanned pages, read by a stand-in for text recognition that says what it was shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flotilla.document.converters.pdf import PdfConverter
from flotilla.document.converters.scans import ScanConverter, scanned
from flotilla.errors import Cancelled, NoText
from flotilla.models import Page
from flotilla.settings import OCRSettings
from tests.doubles.drawn import A4, drawn, pdf, scan

LONG = "This page has text of its own, which is long enough that nobody takes it for a stamp."
MORE = "And it goes on a little, since the text of a page is rarely one line and no more."

Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: bytes) -> Path:
        path = tmp_path / "made.pdf"
        path.write_bytes(content)
        return path

    return write


class Reader:
    """Gives the same text for each picture, and keeps the pictures' shapes."""

    def __init__(self, text: str = "What was read.") -> None:
        self.text = text
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self) -> Any:
        return self

    def page(self, pixels: Any, number: int | None) -> Page:
        self.shapes.append(pixels.shape)
        return Page(number=number, text=self.text)


def converter(reader: Reader | None, **options: Any) -> ScanConverter:
    settings = OCRSettings(dpi=100, max_side=1000)
    return ScanConverter(PdfConverter(), settings, reader, **options)  # type: ignore[arg-type]


def test_only_scanned_pages_are_read(write: Write) -> None:
    path = write(
        pdf([LONG, MORE], scan("a"), [], scan("b"), [LONG, (drawn("c"), (50, 200, 150, 300))])
    )
    reader = Reader()
    made = converter(reader)
    texts = [page.text for page in made.pages(path)]
    assert texts[1] == texts[3] == "What was read."
    assert (texts[2], len(reader.shapes)) == ("", 2)
    assert texts[4].startswith(LONG[:40])
    [note] = made.notes()
    assert (note.code, note.pages) == ("pages_read_by_ocr", (2, 4))
    assert scanned(path) == [2, 4]


def test_a_stamp_on_a_scan_does_not_make_it_a_page_of_text(write: Write) -> None:
    path = write(pdf([*scan("a"), "Received on 3 May, number 17"]))
    made = converter(Reader("Received on 3 May, number 17, and what the letter says."))
    assert [page.text for page in made.pages(path)] == [
        "Received on 3 May, number 17, and what the letter says."
    ]
    # What was read is not less than what is known.
    poor = converter(Reader("Rec"))
    assert next(poor.pages(path)).text == "Received on 3 May, number 17"


def test_pages_are_drawn_no_larger_than_allowed(write: Write) -> None:
    reader = Reader()
    list(converter(reader).pages(write(pdf(scan("a")))))
    [(height, width, channels)] = reader.shapes
    assert (max(height, width), channels) == (1000, 3)
    assert width / height == pytest.approx(A4[0] / A4[1], abs=0.01)


def test_where_nothing_reads_them_the_pages_are_named(write: Write) -> None:
    path = write(pdf([LONG, MORE], scan("a"), scan("b"), []))
    made = converter(None)
    assert [bool(page.text) for page in made.pages(path)] == [True, False, False, False]
    [note] = made.notes()
    assert (note.code, note.pages) == ("scanned_pages", (2, 3))
    assert "extra `ocr`" in note.message


@pytest.mark.parametrize(
    ("reader", "pages", "says"),
    [
        (None, [scan("a"), scan("b")], "extra `ocr`"),
        (Reader(""), [scan("a")], "text recognition found none"),
        (None, [[], []], "text in it"),
    ],
)
def test_a_pdf_without_any_text_says_what_to_do(
    write: Write, reader: Reader | None, pages: Any, says: str
) -> None:
    with pytest.raises(NoText, match=says):
        list(converter(reader).pages(write(pdf(*pages))))


def test_a_wholly_scanned_pdf_has_text_once_it_is_read(write: Write) -> None:
    path = write(pdf(scan("a"), scan("b")))
    assert [p.text for p in converter(Reader()).pages(path)] == ["What was read."] * 2


def test_every_page_is_read_where_that_is_wanted(write: Write) -> None:
    made = converter(Reader(), every=True)
    assert [p.text for p in made.pages(write(pdf([LONG], [LONG])))] == ["What was read."] * 2


def test_a_range_of_pages_keeps_its_numbers(write: Write) -> None:
    path = write(pdf(*(scan(str(n)) for n in range(5))))
    made = converter(Reader())
    assert [page.number for page in made.pages(path, first=3, last=4)] == [3, 4]
    assert made.notes()[0].pages == (3, 4)


def test_pages_beyond_the_time_are_named_and_not_lost(write: Write) -> None:
    path = write(pdf([LONG, MORE], scan("a")))
    made = converter(Reader(), seconds=-1.0)
    assert [bool(page.text) for page in made.pages(path)] == [True, False]
    [note] = made.notes()
    assert note.pages == (2,)
    assert "FLOTILLA_OCR_PAGES_PER_RANGE" in note.message


def test_whoever_does_not_want_it_any_more_stops_it_between_pages(write: Write) -> None:
    def stop() -> None:
        raise Cancelled("Nobody waits for it.")

    reader = Reader()
    made = converter(reader, beat=stop)
    with pytest.raises(Cancelled):
        list(made.pages(write(pdf(scan("a")))))
    assert reader.shapes == []


def test_letters_that_are_drawn_as_shapes_are_seen(write: Write) -> None:
    import io

    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for number in range(60):
        canvas.bezier(72, 10 * number, 80, 10, 90, 20, 100, 10 * number)
    canvas.save()
    assert scanned(write(out.getvalue())) == [1]
