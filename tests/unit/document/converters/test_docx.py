import re
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


MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"


def with_body(path: Path, xml: str, parts: dict[str, bytes | None] | None = None) -> Path:
    """The document with XML ahead of its text."""
    whole = zipfile.ZipFile(path).read("word/document.xml")
    changed = whole.replace(b"<w:body>", b"<w:body>" + xml.encode())
    return rewrite(path, {"word/document.xml": changed, **(parts or {})})


def formula(xml: str) -> str:
    return f'<m:oMath xmlns:m="{MATH}">{xml}</m:oMath>'


def letters(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("xml", "latex"),
    [
        (
            f"{letters('x=')}<m:f><m:num>{letters('a+b')}</m:num><m:den>{letters('2')}</m:den></m:f>",
            r"x=\frac{a+b}{2}",
        ),
        (
            f"{letters('A=π')}<m:sSup><m:e>{letters('r')}</m:e><m:sup>{letters('2')}</m:sup></m:sSup>",
            r"A=\pi r^{2}",
        ),
        (
            '<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr>'
            f"<m:sub>{letters('n=1')}</m:sub><m:sup>{letters('∞')}</m:sup>"
            f"<m:e><m:rad><m:deg/><m:e>{letters('n')}</m:e></m:rad></m:e></m:nary>",
            r"\sum_{n=1}^{\infty} \sqrt{n}",
        ),
        (
            f"<m:func><m:fName>{letters('log')}</m:fName>"
            f"<m:e><m:d><m:e>{letters('x')}</m:e></m:d></m:e></m:func>",
            r"\log \left(x\right)",
        ),
        (
            f"<m:m><m:mr><m:e>{letters('1')}</m:e><m:e>{letters('0')}</m:e></m:mr>"
            f"<m:mr><m:e>{letters('0')}</m:e><m:e>{letters('1')}</m:e></m:mr></m:m>",
            r"\begin{matrix} 1 & 0 \\ 0 & 1 \end{matrix}",
        ),
        (f"<m:unknown><m:e>{letters('y')}</m:e></m:unknown>", "y"),
    ],
)
def test_formulas_are_read(document: Path, xml: str, latex: str) -> None:
    (page,) = CONVERTER.pages(with_body(document, f"<w:p>{formula(xml)}</w:p>"))
    assert page.text.startswith(f"${latex}$\n\nHarbour")


def test_formulas_on_a_line_of_their_own_are_kept_apart(document: Path) -> None:
    both = formula(letters("a=b")) + formula(letters("c=d"))
    block = f'<w:p><m:oMathPara xmlns:m="{MATH}">{both}</m:oMathPara></w:p>'
    (page,) = CONVERTER.pages(with_body(document, block))
    assert page.text.startswith("$$a=b$$ $$c=d$$\n\n")


def test_formulas_within_formulas_are_read_once_each(document: Path) -> None:
    levels = 60  # to read each twice would take longer than the test has
    nested = "<m:d><m:e>" * levels + letters("x") + "</m:e></m:d>" * levels
    (page,) = CONVERTER.pages(with_body(document, f"<w:p>{formula(nested)}</w:p>"))
    assert rf"{chr(92)}left(" * levels + "x" in page.text


NUMBERING = """<w:numbering xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
<w:abstractNum w:abstractNumId="1">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="§ %1"/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/>
<w:lvlText w:val="%1.%2)"/></w:lvl>
</w:abstractNum>
<w:abstractNum w:abstractNumId="2">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="bullet"/><w:lvlText w:val="o"/></w:lvl>
</w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="2"><w:abstractNumId w:val="2"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="1"/>
<w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride></w:num></w:numbering>"""


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def item(text: str, list_id: int, level: int = 0, style: str = "") -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    number = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>'
    return paragraph(text, named + number)


def test_numbers_are_those_that_word_shows(document: Path) -> None:
    body = (
        item("Scope", 1, style="Heading1")
        + item("first", 1, 1)
        + item("second", 1, 1)
        + item("bullet", 2)
        + item("Terms", 1, style="Heading1")
        + item("third", 1, 1)
        + item("resumed", 3)
    )
    parts: dict[str, bytes | None] = {"word/numbering.xml": NUMBERING.encode()}
    (page,) = CONVERTER.pages(with_body(document, body, parts))
    shown = page.text.partition("Harbour")[0].split()
    assert " ".join(shown) == (
        "§ 1 Scope 1.a) first 1.b) second - bullet § 2 Terms 2.a) third § 7 resumed"
    )
    assert [heading.title for heading in page.headings][:2] == ["§ 1 Scope", "§ 2 Terms"]


def test_headings_are_told_by_outline_level_and_by_what_a_style_is_based_on(tmp_path: Path) -> None:
    made = Document()
    own = made.styles.add_style("Kapitel", 1)
    own.base_style = made.styles["Heading 2"]
    made.add_paragraph("Named", style="Kapitel")
    marked = made.add_paragraph("Marked")
    level = marked._p.get_or_add_pPr().makeelement(f"{{{WORD}}}outlineLvl", {f"{{{WORD}}}val": "2"})
    marked._p.pPr.append(level)
    made.add_paragraph("Text.")
    path = tmp_path / "outline.docx"
    made.save(path)
    (page,) = CONVERTER.pages(path)
    assert [(h.level, h.title) for h in page.headings] == [(2, "Named"), (3, "Marked")]


def test_bold_lines_are_headings_where_no_style_makes_one(tmp_path: Path) -> None:
    made = Document()
    for bold, text in (
        (True, "Moorings"),
        (False, "The north quay has ten."),
        (True, "All of this is bold, and a sentence."),
        (False, "The south quay has four."),
        (True, "Last line"),
    ):
        made.add_paragraph().add_run(text).bold = bold
    path = tmp_path / "bold.docx"
    made.save(path)
    (page,) = CONVERTER.pages(path)
    assert [(h.level, h.title) for h in page.headings] == [(2, "Moorings")]
    made.add_heading("Styled", level=1)
    made.save(path)
    (page,) = CONVERTER.pages(path)
    assert [h.title for h in page.headings] == ["Styled"]


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NOTES = f"""<w:footnotes xmlns:w="{WORD}"><w:footnote w:id="5"><w:p><w:r><w:t>Only in
summer.</w:t></w:r></w:p></w:footnote></w:footnotes>"""


def test_a_footnote_stands_below_the_paragraph_that_refers_to_it(document: Path) -> None:
    body = (
        '<w:p><w:r><w:t>The bar is open</w:t></w:r><w:r><w:footnoteReference w:id="5"/></w:r></w:p>'
    )
    changed = with_body(document, body, {"word/footnotes.xml": NOTES.encode()})
    (page,) = CONVERTER.pages(changed)
    assert page.text.startswith("The bar is open[1]\n\n[1] Only in summer.\n\nHarbour")
    assert "↑" not in page.text


def test_hidden_text_and_what_was_deleted_are_left_out(document: Path) -> None:
    body = (
        "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>Secret</w:t></w:r><w:r><w:t>Shown</w:t></w:r>"
        '<w:del w:id="1" w:author="a"><w:r><w:delText>Old</w:delText></w:r></w:del></w:p>'
    )
    (page,) = CONVERTER.pages(with_body(document, body))
    assert page.text.startswith("Shown\n\nHarbour")


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def test_a_row_that_begins_further_right_stays_below_its_columns(document: Path) -> None:
    cells = "".join(f"<w:tc><w:p>{run(text)}</w:p></w:tc>" for text in "ab")
    skipped = '<w:trPr><w:gridBefore w:val="1"/></w:trPr>'
    rows = f"<w:tr>{cells}</w:tr><w:tr>{skipped}<w:tc><w:p>{run('c')}</w:p></w:tc></w:tr>"
    (page,) = CONVERTER.pages(with_body(document, f"<w:tbl>{rows}</w:tbl>"))
    assert page.regions[0].html.endswith("<tr><td></td><td>c</td></tr></tbody></table>")


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        (f'{run("Table ")}<w:fldSimple w:instr="SEQ">{run("7")}</w:fldSimple>', "Table 7"),
        (f'{run("a ")}<w:bdo w:val="rtl">{run("b")}</w:bdo><w:dir>{run(" c")}</w:dir>', "a b c"),
        (
            f"<w:r><w:ruby><w:rt>{run('みなと')}</w:rt><w:rubyBase>{run('港')}</w:rubyBase></w:ruby>"
            f"</w:r>{run('へ')}",
            "港(みなと)へ",
        ),
        (f"{run('one')}<w:r><w:cr/></w:r>{run('two')}", "one\ntwo"),
        (f'{run("one")}<w:r><w:br w:type="page"/></w:r>{run("two")}', "one\ntwo"),
        (f'{run("one")}<w:r><w:br w:type="column"/></w:r>', "one"),
        (f"{run('one')}<w:r><w:ptab/></w:r>{run('two')}", "one two"),
    ],
)
def test_what_stands_within_a_paragraph_is_read(document: Path, xml: str, text: str) -> None:
    (page,) = CONVERTER.pages(with_body(document, f"<w:p>{xml}</w:p>"))
    assert page.text.split("\n\n")[0] == text


BOX = f"<w:txbxContent><w:p>{run('In a box')}</w:p></w:txbxContent>"
DRAWING = f'<w:drawing><s:wsp xmlns:s="urn:shape"><s:txbx>{BOX}</s:txbx></s:wsp></w:drawing>'
OLDER = f'<w:pict><v:textbox xmlns:v="urn:schemas-microsoft-com:vml">{BOX}</v:textbox></w:pict>'


@pytest.mark.parametrize(
    "xml",
    [
        DRAWING,
        f"<c:AlternateContent><c:Choice>{DRAWING}</c:Choice></c:AlternateContent>",
        f"<c:AlternateContent><c:Choice>{DRAWING}</c:Choice><c:Fallback>{OLDER}</c:Fallback>"
        "</c:AlternateContent>",
    ],
)
def test_a_text_box_is_read_once_in_whatever_form(document: Path, xml: str) -> None:
    compatible = 'xmlns:c="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    body = f"<w:p>{run('Beside it')}<w:r {compatible}>{xml}</w:r>{run(' and on')}</w:p>"
    (page,) = CONVERTER.pages(with_body(document, body))
    assert page.text.startswith("Beside it and on\n\nIn a box\n\nHarbour")


def test_tables_are_regions_with_captions_and_spans(tmp_path: Path) -> None:
    made = Document()
    made.add_paragraph("Fares by season", style="Caption")
    table = made.add_table(rows=3, cols=3)
    for row, texts in zip(
        table.rows, (("Who", "Fare", ""), ("", "low", "high"), ("Child", "1", "2")), strict=True
    ):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(0, 0).merge(table.cell(1, 0))
    path = tmp_path / "fares.docx"
    made.save(path)
    (page,) = CONVERTER.pages(path)
    (region,) = page.regions
    assert page.text[region.start : region.end] == (
        "Who | Fare | Fare\nWho | low | high\nChild | 1 | 2"
    )
    assert (region.header_rows, region.caption) == (2, "Fares by season")
    assert region.html is not None
    assert '<th rowspan="2">Who</th><th colspan="2">Fare</th>' in region.html


@pytest.mark.parametrize(
    ("style", "bold", "rows"), [("Light Grid", False, 1), (None, True, 1), (None, False, 0)]
)
def test_a_first_row_that_looks_like_a_header_is_one(
    tmp_path: Path, style: str | None, bold: bool, rows: int
) -> None:
    made = Document()
    table = made.add_table(rows=2, cols=2, style=style)
    for row, texts in zip(table.rows, (("Feature", "Status"), ("Quay", "open")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.paragraphs[0].add_run(text).bold = bold and text in ("Feature", "Status")
    path = tmp_path / "features.docx"
    made.save(path)
    (page,) = CONVERTER.pages(path)
    assert page.regions[0].header_rows == rows


def test_a_document_type_is_refused(document: Path) -> None:
    """Its entities are a way to attack, and Office documents have none."""
    xml = zipfile.ZipFile(document).read("word/document.xml")
    body = xml.partition(b"?>")[2]
    doctype = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    with pytest.raises(FileCorrupt):
        list(CONVERTER.pages(rewrite(document, {"word/document.xml": doctype + body})))


def test_a_strict_document_is_read(document: Path) -> None:
    strict = {}
    with zipfile.ZipFile(document) as archive:
        for name in archive.namelist():
            strict[name] = re.sub(
                rb"http://schemas\.openxmlformats\.org/(wordprocessingml|officeDocument)/2006/",
                rb"http://purl.oclc.org/ooxml/\1/",
                archive.read(name),
            )
    (page,) = CONVERTER.pages(rewrite(document, dict(strict)))
    assert page.text.startswith("Harbour\n\nA first paragraph.")


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


def test_what_is_said_of_a_picture_is_text(document: Path) -> None:
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/"
    picture = (
        f'<w:p><w:r><w:drawing><wp:inline xmlns:wp="{drawing}wordprocessingDrawing">'
        '<wp:docPr id="1" name="a" descr="{}"/>'
        f'<a:graphic xmlns:a="{drawing}main"><a:graphicData><pic:pic '
        f'xmlns:pic="{drawing}picture"><pic:blipFill><a:blip r:embed="rId1" xmlns:r="http://'
        'schemas.openxmlformats.org/officeDocument/2006/relationships"/></pic:blipFill></pic:pic>'
        "</a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
    )
    body = picture.format("The quay at dawn") + picture.format("A boat. Automatically generated")
    (page,) = CONVERTER.pages(with_body(document, body))
    assert page.text.startswith("The quay at dawn\n\nHarbour")


def test_a_document_without_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.docx"
    Document().save(path)
    with pytest.raises(NoText):
        list(CONVERTER.pages(path))
