"""Originals of the formats that are made by other programs: slides, sheets, an e-book, a mail."""

import io
import random
import zipfile
from email import policy
from email.message import EmailMessage
from unittest import mock

CORE = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?><cp:coreProperties
xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The ferry</dc:title></cp:coreProperties>"""


def presentation(passages: list[str]) -> bytes:
    """Six slides with lists, notes, a group, a table with merged cells and a chart."""
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    made = Presentation()
    for at, passage in enumerate(passages[:4]):
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text = f"Timetable {at + 1}"
        text = slide.placeholders[1].text_frame
        text.text = passage
        inner = text.add_paragraph()
        inner.text, inner.level = passage, at % 3
        slide.notes_slide.notes_text_frame.text = passage
    slide = made.slides.add_slide(made.slide_layouts[6])
    group = slide.shapes.add_group_shape()
    box = group.shapes.add_textbox(Inches(1), Inches(1), Inches(3), Inches(1))
    box.text_frame.text = passages[4]
    table = slide.shapes.add_table(4, 3, Inches(1), Inches(3), Inches(6), Inches(2)).table
    for row in range(4):
        for column in range(3):
            table.cell(row, column).text = f"{row}:{column}5"
    table.cell(1, 1).merge(table.cell(2, 2))
    data = CategoryChartData()
    data.categories = ["north", "south"]
    data.add_series("boats", (3, 4.5))
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.add_chart(
        XL_CHART_TYPE.BAR_CLUSTERED, Inches(1), Inches(1), Inches(4), Inches(3), data
    )
    written = io.BytesIO()
    made.save(written)
    return _fixed(written.getvalue())


def workbook(passages: list[str]) -> bytes:
    """Two sheets with titles, number formats, merged cells and a formula."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Timetable"
    sheet.append(["Departures"])
    sheet.append(["hour", "cars", "share", "what"])
    for at, passage in enumerate(passages):
        sheet.append([at / 24, 7 * at, at / 100, passage])
        sheet.cell(sheet.max_row, 1).number_format = "hh:mm"
        sheet.cell(sheet.max_row, 2).number_format = '#,##0 "cars"'
        sheet.cell(sheet.max_row, 3).number_format = "0.0%"
    sheet.merge_cells("A1:D1")
    sheet["F2"] = "=SUM(B3:B9)"
    other = book.create_sheet("Islands")
    for row in range(6):
        other.append([f"{row}:{column}" for column in range(4)])
    other.merge_cells("B2:C4")
    written = io.BytesIO()
    book.save(written)
    return _fixed(written.getvalue())


def book(passages: list[str]) -> bytes:
    """An e-book of three chapters, two of them named by the contents alone."""
    chapters = {
        f"OEBPS/{at}.xhtml": '<html xmlns="http://www.w3.org/1999/xhtml"><body>'
        + ("<h1>The ferry</h1>" if at == 0 else "")
        + "".join(f"<p>{passage}</p>" for passage in passages[at::3])
        + "<table><tr><th>hour</th></tr><tr><td>05:15</td></tr></table></body></html>"
        for at in range(3)
    }
    items = "".join(
        f'<item id="c{at}" href="{at}.xhtml" media-type="application/xhtml+xml"/>'
        for at in range(3)
    )
    links = "".join(f'<li><a href="{at}.xhtml">Part {at}</a></li>' for at in range(3))
    members = {
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
        'container"><rootfiles><rootfile full-path="OEBPS/a.opf"/></rootfiles></container>',
        "OEBPS/a.opf": '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://'
        'purl.org/dc/elements/1.1/"><dc:title>The ferry</dc:title></metadata><manifest>'
        '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
        f'{items}</manifest><spine><itemref idref="c0"/><itemref idref="c1"/><itemref idref="c2"/>'
        "</spine></package>",
        "OEBPS/nav.xhtml": f"<html><body><nav><ol>{links}</ol></nav></body></html>",
        **chapters,
    }
    return _packed({name: text.encode() for name, text in members.items()})


def mail(passages: list[str]) -> bytes:
    """A mail with two alternatives, an attachment and a mail that it forwards."""
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "quay@ferry.example", "Fähre"
    inner.set_content("\n\n".join(passages[:3]))
    made = EmailMessage()
    made["From"], made["To"] = "Jürgen <j@ferry.example>", "crew@ferry.example"
    made["Date"], made["Subject"] = "Mon, 03 Mar 2025 09:30:00 +0100", "The ferry – timetable"
    made["Message-ID"] = "<1@ferry.example>"
    made.set_content("\n\n".join(passages))
    rows = "".join(
        f"<tr><td>{at}</td><td>{passage}</td></tr>" for at, passage in enumerate(passages)
    )
    made.add_alternative(f"<p>Dear crew,</p><table>{rows}</table>", subtype="html")
    made.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="Plän.pdf")
    made.add_attachment(inner)
    # The boundaries between its parts are drawn anew each time.
    drawn = random.Random("mail")
    with mock.patch("email.generator.random.randrange", drawn.randrange):
        return made.as_bytes(policy=policy.SMTP)


def rows(passages: list[str]) -> bytes:
    """Rows with quoted cells."""
    lines = [f'{at};"{at},5";"{passage}; ""all"" aboard"' for at, passage in enumerate(passages)]
    return "\r\n".join(["hour;cars;what", *lines, ""]).encode()


def _fixed(data: bytes) -> bytes:
    """The archive without what the moment of its making has left in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    members["docProps/core.xml"] = CORE.encode()
    wanted = {name: b"" if name.endswith((".jpeg", ".xlsx")) else members[name] for name in members}
    return _packed(wanted)


def _packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name, content in members.items():
            fixed = zipfile.ZipInfo(name)
            fixed.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(fixed, content)
    return out.getvalue()
