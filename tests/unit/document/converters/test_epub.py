import zipfile
from pathlib import Path

import pytest

from flotilla.document.converters.epub import EpubConverter
from flotilla.errors import ArchiveTooLarge, FileCorrupt, FileEncrypted, NoText
from tests.unit.document.converters.conftest import MEBIBYTE, Rewrite, SplitFile

CONVERTER = EpubConverter(max_unpacked_bytes=16 * MEBIBYTE)
CONTAINER = """<?xml version="1.0"?><container version="1.0"
xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>"""
PACKAGE = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The  Ferry</dc:title></metadata>
<manifest>
<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>
<item id="two" href="text/two%20b.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="cover" href="cover.png" media-type="image/png"/></manifest>
<spine><itemref idref="nav"/><itemref idref="one"/><itemref idref="two"/><itemref idref="gone"/>
</spine></package>"""
NAV = """<html xmlns="http://www.w3.org/1999/xhtml"><body><nav><ol>
<li><a href="text/one.xhtml">First</a></li><li><a href="text/two%20b.xhtml#x">Second  part</a></li>
</ol></nav></body></html>"""
ONE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://127.0.0.1:9/xhtml11.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="x.js"/></head>
<body><h1>The quay</h1><p>It is caf\u00e9&#160;time.</p><table><tr><th>a</th><th>b</th></tr>
<tr><td>1</td><td>2</td></tr></table></body></html>"""
TWO = """<html xmlns="http://www.w3.org/1999/xhtml"><body><p>The boat leaves.</p>
<table><tr><th>c</th><th>d</th></tr><tr><td>3</td><td>4</td></tr></table></body></html>"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "ferry.epub"
    with zipfile.ZipFile(path, "w", 8) as archive:
        archive.writestr("mimetype", "application/epub+zip", 0)
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OEBPS/book.opf", PACKAGE)
        archive.writestr("OEBPS/nav.xhtml", NAV)
        archive.writestr("OEBPS/text/one.xhtml", ONE)
        archive.writestr("OEBPS/text/two b.xhtml", TWO)
        archive.writestr("OEBPS/cover.png", b"\x89PNG")
    return path


def test_chapters_come_in_the_order_of_the_spine(book: Path) -> None:
    assert CONVERTER.inspect(book).title == "The Ferry"
    one, two = CONVERTER.pages(book)
    assert one.text == "The quay\n\nIt is café\xa0time.\n\na | b\n1 | 2"
    assert two.text == "Second part\n\nThe boat leaves.\n\nc | d\n3 | 4"
    assert [(h.level, h.title) for page in (one, two) for h in page.headings] == [
        (1, "The quay"),
        (1, "Second part"),
    ]
    for page in (one, two):
        (region,) = page.regions
        assert page.text[region.start : region.end] == page.text[-11:].strip()


def test_chunks_stand_under_their_chapter(book: Path, split_file: SplitFile) -> None:
    assert split_file(book)[-1].heading_path in (("Second part",), ("The quay",))


def test_older_contents_name_the_chapters_too(book: Path, rewrite: Rewrite) -> None:
    package = PACKAGE.replace('properties="nav" media-type="application/xhtml+xml"', "").replace(
        'id="nav" href="nav.xhtml"',
        'id="nav" href="toc.ncx" media-type="application/x-dtbncx+xml"',
    )
    contents = """<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://127.0.0.1:9/ncx.dtd">
    <ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>Zwei</text>
    </navLabel><content src="text/two%20b.xhtml"/></navPoint></navMap></ncx>"""
    changed = rewrite(
        book, {"OEBPS/book.opf": package.encode(), "OEBPS/toc.ncx": contents.encode()}
    )
    assert [page.text.partition("\n")[0] for page in CONVERTER.pages(changed)] == [
        "The quay",
        "Zwei",
    ]


def test_entities_are_not_read_from_files(book: Path, rewrite: Rewrite) -> None:
    doctype = '<!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    package = PACKAGE.replace("?>", f"?>{doctype}", 1).replace("The  Ferry", "Fer&a;ry")
    title = CONVERTER.inspect(rewrite(book, {"OEBPS/book.opf": package.encode()})).title
    assert title is None or title.startswith("Fer")
    assert Path("/etc/hostname").read_text(encoding="utf-8").strip() not in (title or "")


def protection(method: str) -> bytes:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData>'
        f'<e:EncryptionMethod Algorithm="{method}"/></e:EncryptedData></encryption>'
    ).encode()


def test_a_protected_book_is_named_as_such(book: Path, rewrite: Rewrite) -> None:
    locked = protection("http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    with pytest.raises(FileEncrypted, match="copy protection"):
        list(CONVERTER.pages(rewrite(book, {"META-INF/encryption.xml": locked})))
    fonts = protection("http://www.idpf.org/2008/embedding")
    assert list(CONVERTER.pages(rewrite(book, {"META-INF/encryption.xml": fonts})))


@pytest.mark.parametrize("member", ["META-INF/container.xml", "OEBPS/book.opf"])
@pytest.mark.parametrize("content", [None, b"", b"junk"])
def test_a_book_without_its_contents_is_corrupt(
    book: Path, rewrite: Rewrite, member: str, content: bytes | None
) -> None:
    with pytest.raises((FileCorrupt, NoText)):
        list(CONVERTER.pages(rewrite(book, {member: content})))


def test_a_bomb_is_refused(book: Path, rewrite: Rewrite) -> None:
    with pytest.raises(ArchiveTooLarge, match="e-book"):
        CONVERTER.inspect(rewrite(book, {"OEBPS/a.xhtml": b" " * (17 * MEBIBYTE)}))


def test_a_book_of_pictures_says_so(book: Path, rewrite: Rewrite) -> None:
    empty = b"<html><body><img src='a'/></body></html>"
    changed = rewrite(book, {"OEBPS/text/one.xhtml": empty, "OEBPS/text/two b.xhtml": empty})
    with pytest.raises(NoText):
        list(CONVERTER.pages(changed))
