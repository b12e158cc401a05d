"""Text recognition with the models themselves, which takes some seconds a picture."""

from pathlib import Path

import numpy as np
import pytest

from flotilla.document.converters.image import ImageConverter
from flotilla.document.converters.ocr import TextReader
from flotilla.errors import FileCorrupt, NoText
from tests.doubles.drawn import drawn, encoded

pytest.importorskip("rapidocr", reason="the extra `ocr` is not installed")

NOTICE = ("Öffnungszeiten", "Montag bis Freitag von 9 bis 17 Uhr", "Gebühr: 12,50 € für Gäste")


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader(threads=1)


def test_what_is_written_is_read_with_its_accents_and_figures(reader: TextReader) -> None:
    pixels = np.asarray(drawn(*NOTICE, size=(900, 400)))[:, :, ::-1]
    page = reader.page(np.ascontiguousarray(pixels), 3)
    assert page.number == 3
    for line in NOTICE:
        assert line in page.text


def test_a_page_that_lies_on_its_side_is_read_too(reader: TextReader) -> None:
    lines = (*NOTICE, "Die Kasse ist im Torhaus", "Hunde bleiben draußen")
    image = drawn(*lines, size=(900, 600)).rotate(90, expand=True)
    text = reader.page(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]), 1).text
    places = [text.index(line) for line in lines]
    assert places == sorted(places)


@pytest.mark.parametrize("line", ["Page three", "A", "17"])
def test_a_single_word_on_a_large_page_is_not_overlooked(reader: TextReader, line: str) -> None:
    pixels = np.ascontiguousarray(np.asarray(drawn(line))[:, :, ::-1])
    assert reader.page(pixels, 1).text == line


def test_a_picture_without_text_has_none(reader: TextReader) -> None:
    assert reader.page(np.full((300, 300, 3), 255, np.uint8), 1).text == ""


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_a_picture_is_a_document(reader: TextReader, tmp_path: Path, form: str) -> None:
    path = tmp_path / "notice"
    path.write_bytes(encoded(drawn(*NOTICE[:2], size=(900, 300)), form))
    converter = ImageConverter(lambda: reader, None, max_side=1500)
    assert converter.inspect(path).pages == 1
    [page] = converter.pages(path)
    assert (page.number, NOTICE[1] in page.text) == (1, True)


class Reader:
    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def page(self, pixels: np.ndarray, number: int | None):  # type: ignore[no-untyped-def]
        from flotilla.models import Page

        self.shapes.append(pixels.shape)
        # The colour of a corner: blue first.
        return Page(number=number, text=f"{pixels[0, 0].tolist()}")


def test_each_picture_of_a_tiff_is_a_page(tmp_path: Path) -> None:
    frames = [drawn(size=(80, 120), colour=colour) for colour in ("red", "blue", "white")]
    path = tmp_path / "fax.tiff"
    path.write_bytes(encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]))
    converter = ImageConverter(Reader, None, max_side=60)  # type: ignore[arg-type]
    assert converter.inspect(path).pages == 3
    assert [(p.number, p.text) for p in converter.pages(path, first=2, last=3)] == [
        (2, "[255, 0, 0]"),
        (3, "[255, 255, 255]"),
    ]


def test_a_picture_is_turned_as_its_camera_says_and_made_no_larger(tmp_path: Path) -> None:
    from PIL import Image

    image = drawn(size=(100, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(image, "JPEG", exif=exif))
    seen = Reader()
    list(ImageConverter(lambda: seen, None, max_side=100).pages(path))  # type: ignore[arg-type,return-value]
    assert seen.shapes == [(50, 100, 3)]


def test_what_is_seen_through_is_white(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "drawing.png"
    path.write_bytes(encoded(Image.new("RGBA", (40, 40), (0, 0, 0, 0))))
    [page] = ImageConverter(Reader, None, max_side=60).pages(path)  # type: ignore[arg-type]
    assert page.text == "[255, 255, 255]"


@pytest.mark.parametrize("cut", [20, 60, 300])
def test_a_damaged_picture(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(encoded(drawn("a", size=(300, 300)))[:cut])
    with pytest.raises(FileCorrupt, match="damaged"):
        list(ImageConverter(Reader, None, max_side=60).pages(path))  # type: ignore[arg-type]


def test_a_picture_that_is_too_large_is_not_unpacked(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "bomb.png"
    path.write_bytes(encoded(Image.new("1", (12_000, 12_000))))
    with pytest.raises(FileCorrupt, match="pixels"):
        ImageConverter(Reader, None, max_side=60).inspect(path)  # type: ignore[arg-type]


def test_a_picture_in_which_nothing_can_be_read(reader: TextReader, tmp_path: Path) -> None:
    path = tmp_path / "blank.png"
    path.write_bytes(encoded(drawn(size=(300, 300))))
    with pytest.raises(NoText):
        list(ImageConverter(lambda: reader, None, max_side=600).pages(path))
