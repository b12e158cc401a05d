import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from flotilla.document.converters.sheets import PAGE_ROWS
from flotilla.document.converters.xlsx import XlsxConverter
from flotilla.errors import ArchiveTooLarge, FileCorrupt, NoText
from tests.unit.document.converters.conftest import MEBIBYTE, Rewrite, SplitFile

CONVERTER = XlsxConverter(max_unpacked_bytes=16 * MEBIBYTE)
SHEET = "xl/worksheets/sheet1.xml"


def save(book: Workbook, folder: Path) -> Path:
    path = folder / "book.xlsx"
    book.save(path)
    return path


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    book = Workbook()
    book.properties.title = "Berth prices"
    prices = book.active
    assert prices is not None
    prices.title = "Prices"
    prices["B2"] = "Berths of the north quay"
    prices["B4"], prices["C4"], prices["D4"], prices["E4"] = "Berth", "Price", "From", "Share"
    for row, (berth, price, share) in enumerate((("A1", 1234.5, 0.125), ("A2\nwide", 40, 1)), 5):
        prices.cell(row, 2, berth)
        prices.cell(row, 3, price).number_format = '#,##0.00\\ "€"'
        prices.cell(row, 4, datetime(2025, 3, row)).number_format = "dd/mm/yyyy"  # noqa: DTZ001
        prices.cell(row, 5, share).number_format = "0.0%"
    prices["C7"] = "=SUM(C5:C6)"
    prices["B9"] = "Prices are for a week."
    boats = book.create_sheet("Boats")
    boats["A1"], boats["B1"] = "Quay", "Boats"
    boats.merge_cells("B1:C1")
    boats.merge_cells("A1:A2")
    boats["B2"], boats["C2"] = "small", "large"
    boats.append(["North", 1, 2])
    hidden = book.create_sheet("Drafts")
    hidden["A1"] = "Nobody sees this."
    hidden.sheet_state = "hidden"
    return save(book, tmp_path)


def test_cells_are_read_as_they_are_shown(workbook: Path) -> None:
    assert CONVERTER.inspect(workbook).title == "Berth prices"
    prices, boats = CONVERTER.pages(workbook)
    assert (prices.number, boats.number) == (None, None)
    assert prices.text == (
        "Prices\n\nBerths of the north quay\n\nBerth | Price | From | Share\n"
        "A1 | 1,234.50 € | 05/03/2025 | 12.5%\nA2 wide | 40.00 € | 06/03/2025 | 100.0%\n\n"
        "Prices are for a week."
    )
    assert [heading.title for heading in (*prices.headings, *boats.headings)] == ["Prices", "Boats"]


def test_tables_have_headers_and_merged_cells(workbook: Path) -> None:
    prices, boats = CONVERTER.pages(workbook)
    (region,) = prices.regions
    assert prices.text[region.start :].startswith("Berth | Price")
    assert (region.header_rows, region.caption) == (1, None)
    (region,) = boats.regions
    assert boats.text[region.start : region.end] == (
        "Quay | Boats | Boats\nQuay | small | large\nNorth | 1 | 2"
    )
    assert region.header_rows == 2
    assert region.html is not None
    assert '<th rowspan="2">Quay</th><th colspan="2">Boats</th>' in region.html


def test_a_title_right_above_a_table_is_its_caption(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Fares in 2025"], ["Who", "When", "Fare"], ["Child", "May", 1]):
        sheet.append(row)
    (page,) = CONVERTER.pages(save(book, tmp_path))
    assert page.text == "Fares in 2025\n\nWho | When | Fare\nChild | May | 1"
    assert page.regions[0].caption == "Fares in 2025"


def test_a_long_sheet_is_several_pages_with_the_header_on_each(
    tmp_path: Path, split_file: SplitFile
) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Log")
    sheet.append(["number", "boat", "length"])
    for number in range(2 * PAGE_ROWS):
        sheet.append([number, f"boat {number}", 7])
    path = save(book, tmp_path)
    pages = list(CONVERTER.pages(path))
    assert len(pages) == 3
    for page in pages:
        (region,) = page.regions
        assert region.header_rows == 1
        assert page.text[region.start :].startswith("number | boat | length\n")
    assert sum(page.text.count("boat ") for page in pages) - 3 == 2 * PAGE_ROWS
    assert {chunk.heading_path for chunk in split_file(path)} == {("Log",)}


def test_a_cell_far_out_costs_nothing(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["XFD1048576"] = "here", "far away"
    (page,) = CONVERTER.pages(save(book, tmp_path))
    assert page.text == "here\n\nfar away"


def test_formulas_are_not_run(tmp_path: Path, rewrite: Rewrite) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"] = "kept"
    path = save(book, tmp_path)
    with zipfile.ZipFile(path) as archive:
        xml = archive.read(SHEET)
    cell = b'<c r="B1" t="str"><f>WEBSERVICE("http://127.0.0.1:9")</f><v>cached</v></c></row>'
    (page,) = CONVERTER.pages(rewrite(path, {SHEET: xml.replace(b"</row>", cell)}))
    assert page.text == "kept | cached"


@pytest.mark.parametrize(
    "content",
    [None, b"", b"<worksheet", b'<!DOCTYPE w [<!ENTITY a "b">]><worksheet>&a;</worksheet>'],
)
def test_a_damaged_sheet_is_corrupt(
    workbook: Path, rewrite: Rewrite, content: bytes | None
) -> None:
    with pytest.raises(FileCorrupt, match="XLSX"):
        list(CONVERTER.pages(rewrite(workbook, {SHEET: content})))


def test_a_bomb_is_refused(workbook: Path, rewrite: Rewrite) -> None:
    bomb = rewrite(workbook, {"xl/worksheets/sheet9.xml": b" " * (17 * MEBIBYTE)})
    with pytest.raises(ArchiveTooLarge, match="Excel"):
        list(CONVERTER.pages(bomb))


def test_an_empty_workbook_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoText):
        list(CONVERTER.pages(save(Workbook(), tmp_path)))
