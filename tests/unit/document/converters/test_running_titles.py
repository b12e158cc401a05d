"""Running titles and page numbers, in whichever range a page is asked for."""

from collections.abc import Callable
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from flotilla.document.converters.pdf import PdfConverter

BODY = "The quay of part {} was empty but for a heron, and nothing moved on the water there."


def drawn(
    heads: Callable[[int], str] | str, feet: Callable[[int], str], *, size: float = 9
) -> Callable[[int], Callable[[Canvas], None]]:
    def page(number: int) -> Callable[[Canvas], None]:
        def draw(canvas: Canvas) -> None:
            for at in range(20):
                canvas.drawString(72, 740 - 14 * at, BODY.format(10 * number + at))
            canvas.setFont("Helvetica", size)
            canvas.drawString(72, 800, heads if isinstance(heads, str) else heads(number))
            canvas.drawRightString(520, 40, feet(number))

        return draw

    return page


def texts(path: Path, **options: int) -> list[str]:
    return [page.text for page in PdfConverter().pages(path, **options)]


def body(number: int) -> str:
    return "\n".join(BODY.format(10 * number + at) for at in range(20))


def test_left_and_right_pages_have_titles_of_their_own(draw_pdf) -> None:
    page = drawn(lambda n: "The Harbour" if n % 2 else "Rules and Fees", lambda n: f"– {n + 6} –")
    path = draw_pdf(*(page(n) for n in range(1, 9)))
    assert texts(path) == [body(n) for n in range(1, 9)]


def test_titles_of_the_bodys_size_that_change_with_the_chapter(draw_pdf) -> None:
    page = drawn(lambda n: f"Chapter {1 + n // 10}", lambda n: f"Page {n} of 30", size=10)
    path = draw_pdf(*(page(n) for n in range(30)))
    assert texts(path) == [body(n) for n in range(30)]


def test_a_page_is_the_same_in_every_range(draw_pdf) -> None:
    page = drawn(lambda n: f"Chapter {1 + n // 3}", lambda n: str(n))
    path = draw_pdf(*(page(n) for n in range(1, 13)))
    whole = texts(path)
    assert [text for n in range(1, 13) for text in texts(path, first=n, last=n)] == whole


def test_two_pages_are_enough(draw_pdf) -> None:
    page = drawn("The Harbour", lambda n: str(n))
    assert texts(draw_pdf(page(1), page(2))) == [body(1), body(2)]


def test_small_roman_numbers(draw_pdf) -> None:
    page = drawn("", lambda n: ("vii", "viii", "ix", "x", "xi")[n])
    assert texts(draw_pdf(*(page(n) for n in range(5)))) == [body(n) for n in range(5)]


def test_numbers_that_do_not_count_the_pages_stay(draw_pdf) -> None:
    page = drawn("", lambda n: f"Total {n * n + 40}")
    assert [text.splitlines()[-1] for text in texts(draw_pdf(*(page(n) for n in range(1, 6))))] == [
        f"Total {n * n + 40}" for n in range(1, 6)
    ]


def test_a_heading_that_recurs_in_large_type_stays(draw_pdf) -> None:
    page = drawn("Questions", lambda n: str(n), size=20)
    assert all(text.startswith("Questions") for text in texts(draw_pdf(*map(page, range(1, 5)))))


def test_a_stamp_on_every_page_is_left_out_and_one_on_a_single_page_is_not(draw_pdf) -> None:
    page = drawn("", lambda n: str(n))

    def stamped(number: int) -> Callable[[Canvas], None]:
        def draw(canvas: Canvas) -> None:
            page(number)(canvas)
            canvas.rotate(45)
            canvas.drawString(400, 200, "COPY")

        return draw

    assert texts(draw_pdf(*map(stamped, range(1, 4)))) == [body(n) for n in range(1, 4)]
    assert "COPY" in texts(draw_pdf(page(1), stamped(2), page(3)))[1]
