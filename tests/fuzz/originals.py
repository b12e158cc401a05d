"""The files that are mutated: the samples of docs/, and one made for what they do not show.

Each is the same at every run, so that a seed and a number give the same mutated file.
"""

import io
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from unittest import mock

from tests.fuzz import office

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
FORMATS = ("pdf", "docx", "pptx", "xlsx", "epub", "html", "md", "eml", "csv", "txt")
PASSWORD = "anchor"
PASSAGE = "The ferry to the outer islands leaves at {hour} and carries {count} cars and a mail bag."


@dataclass(frozen=True)
class Original:
    """A whole file. `password` opens it, where it is locked."""

    name: str
    data: bytes
    password: str | None = None

    @property
    def format(self) -> str:
        """One of FORMATS."""
        return self.name.rpartition(".")[2]


@lru_cache(maxsize=1)
def originals() -> tuple[Original, ...]:
    """All of them, in an order that does not change."""
    samples = [
        Original(path.name, path.read_bytes())
        for path in sorted(SAMPLES.iterdir())
        if path.suffix[1:] in FORMATS and path.name != "README.md"
    ]
    makers: dict[str, Callable[[], bytes]] = {
        "ferry-compressed.pdf": _compressed_pdf,
        "ferry-rich.docx": _rich_docx,
        "ferry-tables.html": lambda: _HTML.encode(),
        "ferry-latin.html": lambda: _LATIN_HTML.encode("latin-1"),
        "ferry-nested.md": lambda: _MARKDOWN.encode(),
        "ferry-utf16.txt": lambda: _TEXT.encode("utf-16"),
        "ferry-lines.txt": lambda: (_TEXT * 6).encode(),
        "ferry-slides.pptx": lambda: office.presentation(_passages(6)),
        "ferry-sheets.xlsx": lambda: office.workbook(_passages(9)),
        "ferry-book.epub": lambda: office.book(_passages(9)),
        "ferry-mail.eml": lambda: office.mail(_passages(6)),
        "ferry-rows.csv": lambda: office.rows(_passages(9)),
    }
    made = [Original(name, make()) for name, make in makers.items()]
    locked = Original("ferry-locked.pdf", _locked_pdf(_compressed_pdf()), PASSWORD)
    return (*samples, *made, locked)


def _passages(count: int) -> list[str]:
    return [PASSAGE.format(hour=f"{hour % 24:02}:15", count=7 * hour) for hour in range(count)]


def _compressed_pdf() -> bytes:
    """Seven pages with compressed streams, bookmarks and a link; more than one range of pages."""
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pageCompression=1, invariant=1)
    canvas.setTitle("The ferry")
    for page in range(7):
        canvas.bookmarkPage(f"page-{page}")
        canvas.addOutlineEntry(f"Timetable {page + 1}", f"page-{page}", level=page % 2)
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(72, 780, f"Timetable {page + 1}")
        canvas.setFont("Times-Roman", 10)
        for row, passage in enumerate(_passages(5)):
            canvas.drawString(72, 750 - 14 * row, f"{page}.{row} {passage}")
        canvas.linkURL("https://example.com/ferry", (72, 40, 200, 60))
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _locked_pdf(data: bytes) -> bytes:
    from pypdf import PdfReader, PdfWriter

    dice = random.Random("locked")
    # The salts are drawn anew each time, and with them would every byte change.
    with mock.patch("secrets.token_bytes", dice.randbytes):
        writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
        writer.encrypt(PASSWORD, algorithm="AES-256")
        out = io.BytesIO()
        writer.write(out)
    return out.getvalue()


def _rich_docx() -> bytes:
    """A Word document with nested tables, spans, lists, a formula, a footnote's mark, a link."""
    from docx import Document
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = Document()
    document.add_heading("The ferry", level=0)
    for at, passage in enumerate(_passages(12)):
        if at % 4 == 0:
            document.add_heading(f"Timetable {at // 4 + 1}", level=1 + at % 3)
        document.add_paragraph(passage, style="List Bullet" if at % 3 else None)
    table = document.add_table(rows=4, cols=3)
    table.cell(0, 0).merge(table.cell(1, 1)).text = "Both islands"
    table.cell(2, 0).add_table(rows=2, cols=2).cell(0, 0).text = "Inner"
    table.cell(3, 2).text = _passages(1)[0]
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    formula = (
        f'<w:p {nsdecls("w")} xmlns:m="{math}"><m:oMathPara><m:oMath><m:f><m:num><m:r><m:t>a</m:t>'
        "</m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f></m:oMath></m:oMathPara></w:p>"
    )
    document.element.body.insert(2, parse_xml(formula))
    written, out = io.BytesIO(), io.BytesIO()
    document.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(out, "w") as target:
        for member in source.infolist():
            if not member.filename.endswith((".jpeg", "docProps/core.xml")):
                fixed = zipfile.ZipInfo(member.filename)
                fixed.compress_type = zipfile.ZIP_DEFLATED
                target.writestr(fixed, source.read(member))
    return out.getvalue()


_ROWS = "".join(
    f'<tr><td rowspan="{1 + row % 3}">{row}</td><td colspan="2">{passage}</td></tr>'
    for row, passage in enumerate(_passages(9))
)
_HTML = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The ferry</title>
<style>p {{ color: navy }}</style><script>let ticket = "<p>none</p>";</script></head>
<body><nav><ul><li><a href="/">Home</a></li><li><a href="/a">Islands</a></li></ul></nav>
<article><header><h1>The ferry</h1></header><p>{" ".join(_passages(3))}</p>
<h2>Timetable</h2><table><caption>Departures</caption>{_ROWS}</table>
<ol><li>Buy a <b>ticket</b><ul><li>at the quay</li><li>or aboard</li></ul></li><li>Board</li></ol>
<pre>05:15  mail
06:15  cars</pre><form><input type="checkbox" checked> Return</form>
<blockquote><p>&ldquo;All aboard&rdquo; &amp; away &#8211; quickly.</p></blockquote></article>
<footer class="site-footer">Imprint</footer></body></html>
"""
_LATIN_HTML = f"""<html><head><meta http-equiv="content-type" content="text/html;
charset=iso-8859-1"><title>Fähre</title></head><body><h1>Die Fähre</h1>
<p>Zur Überfahrt genügt eine Karte für 7 £.<p>{"<p>".join(_passages(6))}<table><tr><td>Größe
<td>Grüße<tr><td>{_passages(1)[0]}</table></body>
"""
_MARKDOWN = f"""---
title: The ferry
tags: [islands, mail]
---

# The ferry

{_passages(1)[0]} See [the quay](https://example.com "Quay") and ![a boat](boat.png).

## Timetable

| hour | cars |
| --- | ---: |
{"".join(f"| {at}:15 | {7 * at} |{chr(10)}" for at in range(9))}
1. Buy a *ticket*
   - at the **quay**
     > or `aboard`
2. Board

```python
# not a heading
print("ferry")
```

Setext heading
==============

<div>Some <b>HTML</b> in between</div>

{(chr(10) * 2).join(_passages(8))}
"""
_TEXT = "\n".join(
    ("The ferry – fares & hours", "", *_passages(5), "", "Fähre • 渡し船 • паром", "")
)
