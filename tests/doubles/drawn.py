"""Documents that are pictures: scanned pages, pictures of text, and PDFs with pictures in them."""

import io
from collections.abc import Sequence
from pathlib import Path

import reportlab
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

A4 = (595.0, 842.0)  # points
FONT = str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf")


def drawn(
    *lines: str, size: tuple[int, int] = (1240, 1754), points: int = 34, colour: str = "white"
) -> Image.Image:
    """A picture of lines of text, in pixels: those of A4 at 150 dots an inch."""
    image = Image.new("RGB", size, colour)
    pen = ImageDraw.Draw(image)
    font = ImageFont.truetype(FONT, points)
    for number, line in enumerate(lines):
        pen.text((60, 60 + number * 2 * points), line, fill="black", font=font)
    return image


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def pdf(*pages: Sequence[str | tuple[Image.Image, tuple[float, float, float, float]]]) -> bytes:
    """A PDF of pages, each of lines of text, from the top, and of pictures with their boxes: left,
    top, right and bottom in points from the upper left corner."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for page in pages:
        y = 780.0
        for part in page:
            if isinstance(part, str):
                canvas.drawString(72, y, part)
                y -= 16
            else:
                image, (left, top, right, bottom) = part
                canvas.drawImage(
                    ImageReader(image), left, A4[1] - bottom, right - left, bottom - top
                )
                y = A4[1] - bottom - 20
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def scan(*lines: str) -> list[tuple[Image.Image, tuple[float, float, float, float]]]:
    """A page that is nothing but a picture of these lines."""
    return [(drawn(*lines), (0.0, 0.0, *A4))]
