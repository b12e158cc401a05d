"""Pictures of Word documents, and what is known of them in the text."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from docx.shared import Inches
from PIL import Image

from flotilla.document.converters.docx import DocxConverter
from flotilla.document.converters.docx_pictures import DocxPictures
from flotilla.document.converters.pictures import IllustratedConverter, choose_docx_pictures
from flotilla.errors import NoText
from flotilla.models import Page
from flotilla.settings import PictureSettings, Settings
from tests.doubles.drawn import drawn, encoded

SETTINGS = Settings(pictures=PictureSettings())
RED = drawn(size=(300, 200), colour="red")
BLUE = drawn(size=(200, 200), colour="blue")


class Reader:
    """Says which colour a picture has."""

    def page(self, pixels: Any, number: int | None) -> Page:
        blue, _, red = pixels[0, 0].tolist()
        return Page(number=number, text=f"It is {'red' if red > blue else 'blue'} all over.")


def document(folder: Path, *parts: str | Image.Image) -> Path:
    made = Document()
    for part in parts:
        if isinstance(part, str):
            made.add_paragraph(part)
        else:
            made.add_picture(io.BytesIO(encoded(part)), width=Inches(2))
    path = folder / "made.docx"
    made.save(str(path))
    return path


def illustrated(path: Path) -> list[Page]:
    converter = IllustratedConverter(
        DocxConverter(max_unpacked_bytes=1 << 26),
        SETTINGS,
        choose_docx_pictures(path, SETTINGS, are_read=True),
        open_source=DocxPictures,
        describer=None,
        reader=Reader,  # type: ignore[arg-type]
    )
    return list(converter.pages(path))


def test_what_is_written_in_them_stands_where_they_do(tmp_path: Path) -> None:
    path = document(tmp_path, "First.", RED, "Then\tthis.", "And this.", BLUE, "Last.")
    [page] = illustrated(path)
    assert [" ".join(part.split()) for part in page.text.split("\n\n")] == [
        "First.",
        "It is red all over.",
        "Then this.",
        "And this.",
        "It is blue all over.",
        "Last.",
    ]


def test_a_picture_that_repeats_counts_once(tmp_path: Path) -> None:
    path = document(tmp_path, "First.", RED, "Second.", RED)
    [page] = illustrated(path)
    assert page.text.count("red all over") == 1


def test_small_ones_are_passed_over(tmp_path: Path) -> None:
    path = document(tmp_path, "First.", drawn(size=(10, 10), colour="red"), BLUE)
    found = choose_docx_pictures(path, SETTINGS, are_read=False)
    assert [picture.pixels for picture in found] == [(200, 200)]


def test_a_document_of_nothing_but_pictures_has_their_text(tmp_path: Path) -> None:
    [page] = illustrated(document(tmp_path, RED))
    assert page.text == "It is red all over."
    with pytest.raises(NoText):
        illustrated(document(tmp_path))


def test_what_is_linked_to_is_not_fetched(tmp_path: Path) -> None:
    path = document(tmp_path, "First.", RED)
    linked = tmp_path / "linked.docx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(linked, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("document.xml.rels"):
                data = data.replace(b'Target="media/', b'TargetMode="External" Target="http://x/')
            new.writestr(name, data)
    assert choose_docx_pictures(linked, SETTINGS, are_read=True) == []


@pytest.mark.parametrize("damage", [b"\x89PNG\r\n\x1a\n cut", b"<svg/>", b""])
def test_what_cannot_be_shown_is_passed_over(tmp_path: Path, damage: bytes) -> None:
    path = document(tmp_path, "First.", RED, BLUE)
    damaged = tmp_path / "damaged.docx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(damaged, "w") as new:
        media = sorted(name for name in old.namelist() if "media/" in name)
        for name in old.namelist():
            new.writestr(name, damage if name == media[0] else old.read(name))
    assert len(choose_docx_pictures(damaged, SETTINGS, are_read=True)) == 1


def test_no_word_document_has_no_pictures(tmp_path: Path) -> None:
    path = tmp_path / "no.docx"
    path.write_bytes(b"no archive")
    assert choose_docx_pictures(path, SETTINGS, are_read=True) == []
