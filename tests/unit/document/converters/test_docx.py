import struct
import zipfile
from pathlib import Path

import pytest
from docx import Document

from flotilla.document.converters.docx import DocxConverter
from flotilla.errors import ArchiveTooLarge, FileCorrupt, NoText

MEBIBYTE = 1024 * 1024
CONVERTER = DocxConverter(max_unpacked_bytes=16 * MEBIBYTE)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    made = Document()
    made.core_properties.title = "Berths"
    made.add_heading("Harbour", level=1)
    made.add_paragraph("A first paragraph.")
    made.add_heading("Prices", level=2)
    made.add_paragraph("small", style="List Bullet")
    made.add_paragraph("large", style="List Bullet")
    table = made.add_table(rows=0, cols=3)
    for row in (("Berth", "Length", "Price"), ("A1", "8 m", "£40"), ("A2", "", "£55")):
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    path = tmp_path / "berths.docx"
    made.save(path)
    return path


def rewrite(path: Path, change: dict[str, bytes | None]) -> Path:
    """The archive with members replaced, added or (None) left out."""
    target = path.with_name("changed.docx")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", 8) as changed:
        for member in source.namelist():
            if member not in change:
                changed.writestr(member, source.read(member))
        for member, content in change.items():
            if content is not None:
                changed.writestr(member, content)
    return target


def test_structure_becomes_text(document: Path) -> None:
    (page,) = CONVERTER.pages(document)
    assert page.number is None
    assert page.text == (
        "Harbour\n\nA first paragraph.\n\nPrices\n\n- small\n- large\n\n"
        "Berth | Length | Price\nA1 | 8 m | £40\nA2 |  | £55"
    )
    assert [(h.level, h.title) for h in page.headings] == [(1, "Harbour"), (2, "Prices")]
    for heading in page.headings:
        assert page.text[heading.offset :].startswith(heading.title)


def test_title_is_that_of_the_properties(document: Path) -> None:
    assert CONVERTER.inspect(document).title == "Berths"


def test_formulas_are_read(document: Path, tmp_path: Path) -> None:
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    formula = (
        f'<w:p><m:oMath xmlns:m="{math}"><m:r><m:t>x=</m:t></m:r><m:f>'
        "<m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den>"
        "</m:f></m:oMath></w:p>"
    ).encode()
    xml = zipfile.ZipFile(document).read("word/document.xml")
    changed = rewrite(
        document, {"word/document.xml": xml.replace(b"<w:body>", b"<w:body>" + formula)}
    )
    (page,) = CONVERTER.pages(changed)
    assert page.text.startswith("x=(a+b)/2\n\nHarbour")


def test_formulas_within_formulas_are_read_once_each(document: Path) -> None:
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    levels = 60  # to read each twice would take longer than the test has
    formula = (
        f'<w:p><m:oMath xmlns:m="{math}">{"<m:d><m:e>" * levels}<m:r><m:t>x</m:t></m:r>'
        f"{'</m:e></m:d>' * levels}</m:oMath></w:p>"
    ).encode()
    xml = zipfile.ZipFile(document).read("word/document.xml")
    changed = rewrite(
        document, {"word/document.xml": xml.replace(b"<w:body>", b"<w:body>" + formula)}
    )
    (page,) = CONVERTER.pages(changed)
    assert f"{'(' * levels}x{')' * levels}" in page.text


def test_a_declared_bomb_is_refused_before_it_unpacks(document: Path) -> None:
    bomb = rewrite(document, {"word/media/image.png": b"\0" * (17 * MEBIBYTE)})
    with pytest.raises(ArchiveTooLarge):
        list(CONVERTER.pages(bomb))


def test_an_absurd_ratio_is_refused(document: Path) -> None:
    bomb = rewrite(document, {"word/extra.xml": b" " * (40 * MEBIBYTE)})
    with pytest.raises(ArchiveTooLarge, match="times its size"):
        list(DocxConverter(max_unpacked_bytes=512 * MEBIBYTE).pages(bomb))


def test_a_bomb_that_lies_about_its_size_never_unpacks(document: Path) -> None:
    bomb = rewrite(document, {"word/document.xml": b" " * (40 * MEBIBYTE)})
    data = bytearray(bomb.read_bytes())
    real, lie = struct.pack("<L", 40 * MEBIBYTE), struct.pack("<L", 100)
    assert real in data
    bomb.write_bytes(data.replace(real, lie))
    with pytest.raises(FileCorrupt):
        list(CONVERTER.pages(bomb))


def test_no_zip_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(FileCorrupt):
        CONVERTER.inspect(path)


@pytest.mark.parametrize("content", [None, b"<not closed", b""])
def test_a_missing_or_broken_part_is_corrupt(document: Path, content: bytes | None) -> None:
    with pytest.raises(FileCorrupt):
        list(CONVERTER.pages(rewrite(document, {"word/document.xml": content})))


def test_a_flipped_byte_is_corrupt(document: Path) -> None:
    data = bytearray(document.read_bytes())
    with zipfile.ZipFile(document) as archive:
        member = archive.getinfo("word/document.xml")
    data[member.header_offset + 30 + len(member.filename) + member.compress_size // 2] ^= 0xFF
    document.write_bytes(data)
    with pytest.raises(FileCorrupt):
        list(CONVERTER.pages(document))


def test_a_document_without_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.docx"
    Document().save(path)
    with pytest.raises(NoText):
        list(CONVERTER.pages(path))
