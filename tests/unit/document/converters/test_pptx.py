import zipfile
from pathlib import Path

import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from flotilla.document.converters.pptx import PptxConverter
from flotilla.errors import ArchiveTooLarge, FileCorrupt, NoText
from tests.unit.document.converters.conftest import MEBIBYTE, Rewrite, SplitFile

CONVERTER = PptxConverter(max_unpacked_bytes=16 * MEBIBYTE)
TITLE_AND_CONTENT, TITLE_ONLY, BLANK = 1, 5, 6
SLIDE = "ppt/slides/slide1.xml"


@pytest.fixture
def presentation(tmp_path: Path) -> Path:
    made = Presentation()
    made.core_properties.title = "The harbour in a year"
    first = made.slides.add_slide(made.slide_layouts[TITLE_AND_CONTENT])
    first.shapes.title.text = "Berths"
    text = first.placeholders[1].text_frame
    text.text = "north quay"
    inner = text.add_paragraph()
    inner.text, inner.level = "two for visitors", 1
    text.add_paragraph().text = "south quay"
    first.notes_slide.notes_text_frame.text = "Thank the crew."
    made.slides.add_slide(made.slide_layouts[BLANK])
    third = made.slides.add_slide(made.slide_layouts[BLANK])
    for left, top, said in ((5, 3.02, "on the right"), (1, 3, "on the left"), (1, 1, "on top")):
        box = third.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(1))
        box.text_frame.text = said
    group = third.shapes.add_group_shape()
    group.shapes.add_textbox(
        Inches(1), Inches(2), Inches(2), Inches(0.5)
    ).text_frame.text = "grouped"
    table = third.shapes.add_table(3, 2, Inches(1), Inches(5), Inches(5), Inches(1)).table
    for row, texts in enumerate((("Boat", "Berth"), ("Tern", "A1"), ("Gull", ""))):
        for column, said in enumerate(texts):
            table.cell(row, column).text = said
    table.cell(1, 1).merge(table.cell(2, 1))
    fourth = made.slides.add_slide(made.slide_layouts[TITLE_ONLY])
    fourth.shapes.title.text = "Visitors"
    data = CategoryChartData()
    data.categories = ["May", "June"]
    data.add_series("boats", (3, 4.5))
    fourth.shapes.add_chart(
        XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(2), Inches(4), Inches(3), data
    )
    path = tmp_path / "harbour.pptx"
    made.save(path)
    return path


def test_each_slide_is_a_page(presentation: Path) -> None:
    info = CONVERTER.inspect(presentation)
    assert (info.pages, info.title) == (4, "The harbour in a year")
    pages = list(CONVERTER.pages(presentation))
    assert [page.number for page in pages] == [1, 2, 3, 4]
    assert pages[0].text == (
        "Berths\n\n- north quay\n  - two for visitors\n- south quay\n\nNotes\n\nThank the crew."
    )
    assert [(h.level, h.title) for h in pages[0].headings] == [(1, "Berths"), (2, "Notes")]
    assert pages[1].text == ""


def test_shapes_come_in_the_order_in_which_they_are_seen(presentation: Path) -> None:
    (page,) = CONVERTER.pages(presentation, first=3, last=3)
    assert page.text == (
        "Slide 3\n\non top\n\ngrouped\n\non the left\n\non the right\n\n"
        "Boat | Berth\nTern | A1\nGull | A1"
    )


def test_tables_and_charts_are_regions(presentation: Path) -> None:
    pages = list(CONVERTER.pages(presentation, first=3))
    (table,) = pages[0].regions
    assert pages[0].text[table.start : table.end] == "Boat | Berth\nTern | A1\nGull | A1"
    assert table.header_rows == 1
    assert table.html is not None
    assert '<td rowspan="2">A1</td>' in table.html
    (chart,) = pages[1].regions
    assert pages[1].text[chart.start : chart.end] == " | boats\nMay | 3\nJune | 4.5"


def test_a_slide_stands_under_its_own_title(presentation: Path, split_file: SplitFile) -> None:
    chunks = split_file(presentation)
    for said, path in (("Tern", ("Slide 3",)), ("June", ("Visitors",))):
        chunk = next(chunk for chunk in chunks if said in chunk.text)
        assert chunk.heading_path == path


def test_a_show_and_what_has_alternatives_are_read(presentation: Path, rewrite: Rewrite) -> None:
    with zipfile.ZipFile(presentation) as archive:
        types = archive.read("[Content_Types].xml")
        slide = archive.read(SLIDE)
    shape = slide[slide.index(b"<p:sp>") : slide.index(b"</p:sp>") + 7]
    choice = (
        b'<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/'
        b'2006"><mc:Choice Requires="x"/><mc:Fallback>'
        + shape.replace(b'type="title"', b'type="body" idx="9"').replace(b"Berths", b"Fallback")
        + b"</mc:Fallback></mc:AlternateContent>"
    )
    show = rewrite(
        presentation,
        {
            "[Content_Types].xml": types.replace(b"presentation.main+xml", b"slideshow.main+xml"),
            SLIDE: slide.replace(b"</p:spTree>", choice + b"</p:spTree>"),
        },
    )
    (page,) = CONVERTER.pages(show, first=1, last=1)
    assert "Fallback" in page.text


def test_what_refers_to_the_outside_is_not_fetched(presentation: Path, rewrite: Rewrite) -> None:
    relations = "ppt/slides/_rels/slide1.xml.rels"
    with zipfile.ZipFile(presentation) as archive:
        before = archive.read(relations)
    outside = (
        b'<Relationship Id="rId99" TargetMode="External" Target="http://127.0.0.1:9/x.png" Type="'
        b'http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"/>'
    )
    changed = rewrite(
        presentation,
        {relations: before.replace(b"</Relationships>", outside + b"</Relationships>")},
    )
    assert next(CONVERTER.pages(changed)).text.startswith("Berths")


@pytest.mark.parametrize(
    "content", [None, b"", b"<p:sld", b'<!DOCTYPE p [<!ENTITY a "b">]><p:sld>&a;</p:sld>']
)
def test_a_damaged_slide_is_corrupt(
    presentation: Path, rewrite: Rewrite, content: bytes | None
) -> None:
    with pytest.raises(FileCorrupt, match="PPTX"):
        list(CONVERTER.pages(rewrite(presentation, {SLIDE: content})))


def test_a_bomb_is_refused(presentation: Path, rewrite: Rewrite) -> None:
    bomb = rewrite(presentation, {"ppt/media/a.png": b"\0" * (17 * MEBIBYTE)})
    with pytest.raises(ArchiveTooLarge, match="PowerPoint"):
        CONVERTER.inspect(bomb)


def test_slides_without_text_say_so(tmp_path: Path) -> None:
    made = Presentation()
    made.slides.add_slide(made.slide_layouts[BLANK])
    path = tmp_path / "empty.pptx"
    made.save(path)
    with pytest.raises(NoText):
        list(CONVERTER.pages(path))
    assert [page.text for page in CONVERTER.pages(path, first=1, last=1)] == [""]
