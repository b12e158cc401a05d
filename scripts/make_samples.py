"""Make the sample documents of docs/samples from their sources: the same content every time.

    python scripts/make_samples.py [folder]

Needs reportlab and python-docx, which come with the development dependencies.
"""

import csv
import io
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "docs" / "samples"
SOURCE = ROOT / "scripts" / "samples"
COMPANY = "Saltmarsh Lane Motors"
MOMENT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PAGE_BREAK = "<!-- page -->"

GROUPS = {
    "1": "Small cars",
    "2": "Family cars",
    "3": "Sport utility vehicles",
    "4": "Electric cars",
    "5": "Vans",
}

HTML_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title} – {company}</title>
<style>body {{ font-family: sans-serif; max-width: 50em; margin: auto }}</style>
<script>window.visitCounter = "not part of the text";</script>
</head>
<body>
<header class="site-header">
<p>{company}: used cars on the quay since the days of the ferry</p>
<nav>
<ul>
<li><a href="/">Home</a></li>
<li><a href="/stock">Cars in stock</a></li>
<li><a href="/finance">Finance calculator</a></li>
<li><a href="/contact">Contact</a></li>
</ul>
</nav>
</header>
<main>
{body}</main>
<aside class="related"><h2>You may also like</h2>
<ul>
<li><a href="/blog/spring">Five convertibles for the spring</a></li>
<li><a href="/blog/towing">Towing a boat</a></li>
</ul>
</aside>
<footer>
<p>© {company}. Cookie settings. Imprint. Follow us for new arrivals.</p>
</footer>
</body>
</html>
"""


def blocks(markdown: str) -> Iterator[tuple[str, str | list[list[str]]]]:
    """A source's blocks: ("h1" to "h3", title), ("p", text), ("table", rows) or ("page", "")."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    rows: list[list[str]] = []
    for before, token in zip([Token("", "", 0), *tokens], tokens, strict=False):
        if token.type == "html_block" and token.content.strip() == PAGE_BREAK:
            yield "page", ""
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "table_close":
            yield "table", rows
            rows = []
        elif token.type == "inline":
            text = " ".join(token.content.split())
            if before.tag in ("td", "th"):
                rows[-1].append(text)
            else:
                yield before.tag, text


class _Outlined:
    """The parts of a PDF that reportlab leaves to its user: footers and bookmarks."""

    def __init__(self, title: str, *, outline: bool) -> None:
        self.title = title
        self.outline = outline

    def footer(self, canvas: Any, document: Any) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 8)
        canvas.drawString(70, 40, f"{COMPANY} · {self.title}")
        canvas.drawRightString(525, 40, f"Page {document.page}")
        canvas.restoreState()

    def build(self, story: list[Any]) -> bytes:
        from reportlab import rl_config
        from reportlab.lib.pagesizes import A4
        from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

        # Fixed dates and ids instead of those of the moment.
        rl_config.invariant = 1
        outline = self.outline

        class Document(BaseDocTemplate):  # type: ignore[misc]
            def afterFlowable(self, flowable: Any) -> None:  # noqa: N802  reportlab's name
                level = {"h1": 0, "h2": 1, "h3": 2}.get(getattr(flowable, "sample_tag", ""))
                if level is not None and outline:
                    key = f"heading-{self.seq.nextf('heading')}"
                    self.canv.bookmarkPage(key)
                    self.canv.addOutlineEntry(flowable.getPlainText(), key, level)

        out = io.BytesIO()
        # Uncompressed, since zlib's output differs between its versions.
        document = Document(
            out, pagesize=A4, title=self.title, author=COMPANY, pageCompression=0, invariant=1
        )
        frame = Frame(65, 60, A4[0] - 130, A4[1] - 120)
        document.addPageTemplates(PageTemplate(frames=[frame], onPage=self.footer))
        document.build(story)
        return out.getvalue()


def _styles() -> dict[str, Any]:
    from reportlab.lib.styles import ParagraphStyle

    def style(name: str, size: float, font: str, before: float, after: float) -> Any:
        return ParagraphStyle(
            name,
            fontName=font,
            fontSize=size,
            leading=size * 1.4,
            spaceBefore=before,
            spaceAfter=after,
            keepWithNext=name != "p",
        )

    return {
        "h1": style("h1", 22, "Helvetica-Bold", 0, 14),
        "h2": style("h2", 16, "Helvetica-Bold", 16, 8),
        "h3": style("h3", 12.5, "Helvetica-Bold", 12, 4),
        "p": style("p", 10.5, "Helvetica", 0, 6),
    }


def _heading(tag: str, text: str, styles: dict[str, Any]) -> Any:
    from reportlab.platypus import Paragraph

    paragraph = Paragraph(text, styles[tag])
    paragraph.sample_tag = tag
    return paragraph


def terms_of_use() -> bytes:
    """A PDF with an outline."""
    from reportlab.platypus import PageBreak

    styles = _styles()
    story: list[Any] = []
    for tag, content in blocks((SOURCE / "terms-of-use.md").read_text(encoding="utf-8")):
        story.append(PageBreak() if tag == "page" else _heading(tag, str(content), styles))
    return _Outlined("Terms of Use", outline=True).build(story)


def price_list() -> bytes:
    """A PDF of tables, without an outline: its headings show by their size only."""
    from reportlab.lib import colors
    from reportlab.platypus import PageBreak, Table, TableStyle

    styles = _styles()
    with (SOURCE / "price-list.csv").open(encoding="utf-8", newline="") as file:
        cars = list(csv.DictReader(file))
    story = [
        _heading("h1", "Price List", styles),
        _heading("p", "Cars and vans in stock. Each stock number is listed once.", styles),
    ]
    heads = ["Stock no.", "Model", "Year", "Mileage", "Fuel", "Gearbox", "Price"]
    look = TableStyle(
        [
            ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 9),
            ("FONT", (0, 1), (-1, -1), "Helvetica", 9),
            ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.grey),
            ("ALIGN", (3, 0), (3, -1), "RIGHT"),
            ("ALIGN", (6, 0), (6, -1), "RIGHT"),
        ]
    )
    for digit, name in GROUPS.items():
        if digit in "35":
            story.append(PageBreak())
        story.append(_heading("h2", name, styles))
        rows = [
            [
                car["stock"],
                car["model"],
                car["year"],
                f"{int(car['mileage']):,}",
                car["fuel"],
                car["gearbox"],
                f"£{int(car['price']):,}",
            ]
            for car in cars
            if car["stock"].startswith(f"SL-{digit}")
        ]
        story.append(
            Table([heads, *rows], colWidths=[52, 162, 36, 52, 48, 58, 52], style=look, repeatRows=1)
        )
    return _Outlined("Price List", outline=False).build(story)


def faq() -> bytes:
    """A Word document with headings and a table."""
    from docx import Document

    document = Document()
    for tag, content in blocks((SOURCE / "faq.md").read_text(encoding="utf-8")):
        if isinstance(content, list):
            table = document.add_table(rows=0, cols=len(content[0]))
            for row in content:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        elif tag == "p":
            document.add_paragraph(content)
        else:
            document.add_heading(content, level=int(tag[1]))
    properties = document.core_properties
    properties.title, properties.author = "Frequently Asked Questions", COMPANY
    properties.comments = ""
    properties.created = properties.modified = MOMENT.replace(tzinfo=None)
    written = io.BytesIO()
    document.save(written)
    return _same_every_time(written)


def _same_every_time(archive: io.BytesIO) -> bytes:
    """The archive with one fixed time."""
    out = io.BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(out, "w") as target:
        for member in source.infolist():
            # What is a preview in python-docx's template is not one of this document.
            if member.filename.endswith("thumbnail.jpeg"):
                continue
            fixed = zipfile.ZipInfo(member.filename, MOMENT.timetuple()[:6])
            fixed.create_system = 3
            fixed.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(fixed, _without_thumbnail(source.read(member)))
    return out.getvalue()


def _without_thumbnail(part: bytes) -> bytes:
    return re.sub(rb"<Relationship [^>]*thumbnail\.jpeg[^>]*/>", b"", part)


def delivery_and_warranty() -> bytes:
    """A web page with a menu, a header, a footer and a list of related pages."""
    markdown = (SOURCE / "delivery-and-warranty.md").read_text(encoding="utf-8")
    body = MarkdownIt("commonmark").enable("table").render(markdown)
    page = HTML_PAGE.format(title="Delivery and Warranty", company=COMPANY, body=body)
    return page.encode()


DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "terms-of-use.pdf": terms_of_use,
    "price-list.pdf": price_list,
    "faq.docx": faq,
    "delivery-and-warranty.html": delivery_and_warranty,
}


def main(folder: Path) -> None:
    """Write every generated document into `folder` and say so."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in DOCUMENTS.items():
        content = make()
        (folder / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES)
