import zipfile
from pathlib import Path

import pytest

from flotilla.document.detect import MediaType, detect
from flotilla.errors import (
    EmptyFile,
    FileCorrupt,
    FileEncrypted,
    FlotillaError,
    InvalidEncoding,
    UnsupportedType,
)

GIF = b"GIF89a\x01\0\x01\0" + b"\0" * 40
PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89" + b"\0" * 40
)
EXE = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0" + b"\0" * 200
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600


def write(folder: Path, content: bytes) -> Path:
    path = folder / "upload"
    path.write_bytes(content)
    return path


def zipped(folder: Path, *members: str) -> Path:
    path = folder / "upload"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, "<x/>")
    return path


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"%PDF-1.7\n", "a.pdf", MediaType.PDF),
        (b"junk before\n%PDF-1.4\n", "a.bin", MediaType.PDF),
        (b"<!DOCTYPE html><p>x", "report.pdf", MediaType.HTML),
        (b"  <!-- c --> <?xml version='1.0'?><HTML><p>x", "x", MediaType.HTML),
        ("<html><p>ä".encode("utf-16"), "x.txt", MediaType.HTML),
        (b"<p>a fragment</p>", "part.htm", MediaType.HTML),
        (b"<p>caf\xe9</p>", "part.html", MediaType.HTML),
        (b"# Title\n", "README.MD", MediaType.MARKDOWN),
        (b"# Title\n", "notes.txt", MediaType.TEXT),
        (b"a,b\n1,2\n", "table.csv", MediaType.CSV),
        (b"a\tb\n", "table.TSV", MediaType.TSV),
        (b"From: a@b.example\nSubject: caf\xe9\n\nText", "mail.eml", MediaType.EML),
        (b"Received: by x\n (at y)\nFrom: a\nDate: b\n\nText", "download", MediaType.EML),
        (b"From: me\nTo: you\nDate: today\n\nA note", "download", MediaType.TEXT),
        (b"Received: by x\nFrom: a\nDate: b\n\nText", "mail.txt", MediaType.TEXT),
        (b"plain", "no-suffix", MediaType.TEXT),
        ("\ufeffplain".encode(), "bom.txt", MediaType.TEXT),
        ("wide ⛵".encode("utf-16"), "wide.txt", MediaType.TEXT),
    ],
)
def test_content_decides_and_then_the_name(
    tmp_path: Path, content: bytes, name: str, expected: MediaType
) -> None:
    assert detect(write(tmp_path, content), name) is expected


def test_declared_type_decides_where_content_and_name_do_not(tmp_path: Path) -> None:
    path = write(tmp_path, b"# Title")
    assert detect(path, "download", "text/markdown; charset=utf-8") is MediaType.MARKDOWN


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("text/csv; charset=utf-8", MediaType.CSV),
        ("text/tab-separated-values", MediaType.TSV),
        ("message/rfc822", MediaType.EML),
    ],
)
def test_declared_types_of_what_is_text_too(
    tmp_path: Path, declared: str, expected: MediaType
) -> None:
    path = write(tmp_path, b"Subject: a\tb, c\n\nText\n")
    assert detect(path, "download", declared) is expected


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("word/document.xml", MediaType.DOCX),
        ("ppt/presentation.xml", MediaType.PPTX),
        ("xl/workbook.xml", MediaType.XLSX),
        ("META-INF/container.xml", MediaType.EPUB),
    ],
)
def test_a_zip_is_what_stands_in_it_whatever_its_name(
    tmp_path: Path, member: str, expected: MediaType
) -> None:
    assert detect(zipped(tmp_path, member), "x.zip") is expected


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, MediaType.PNG),
        (b"\xff\xd8\xff\xe0" + b"\0" * 40, MediaType.JPEG),
        (b"II*\0" + b"\0" * 40, MediaType.TIFF),
        (b"MM\0*" + b"\0" * 40, MediaType.TIFF),
    ],
)
@pytest.mark.parametrize("name", ["photo", "photo.pdf", "photo.txt"])
def test_pictures_are_told_by_their_first_bytes(
    tmp_path: Path, content: bytes, media_type: MediaType, name: str
) -> None:
    assert detect(write(tmp_path, content), name) is media_type


@pytest.mark.parametrize(
    ("content", "name", "error", "says"),
    [
        (b"", "a.pdf", EmptyFile, "empty"),
        (GIF, "photo.gif", UnsupportedType, "gif"),
        (GIF, "photo.pdf", UnsupportedType, "gif"),
        (EXE, "setup.exe", UnsupportedType, "windows program"),
        (b"SQLite format 3\0" + b"\0" * 90, "a.db", UnsupportedType, "sqlite"),
        (b"\x01\x80\x02\x99" * 50, "random.bin", UnsupportedType, "unknown kind"),
        (b"{\\rtf1 text}", "a.rtf", UnsupportedType, "rtf"),
        (OLE, "old.doc", UnsupportedType, "old office"),
        (OLE + "WordDocument".encode("utf-16-le"), "a.doc", UnsupportedType, "docx or pdf"),
        (OLE + "Workbook".encode("utf-16-le"), "a.xls", UnsupportedType, "xlsx or csv"),
        (OLE + "PowerPoint Document".encode("utf-16-le"), "a.ppt", UnsupportedType, "pptx"),
        (OLE + "__properties_version1.0".encode("utf-16-le"), "a.msg", UnsupportedType, "eml"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "a.xlsx", FileEncrypted, "password"),
        (b"PK\x03\x04 cut off", "a.epub", FileCorrupt, "damaged"),
        (b"not a zip", "a.pptx", FileCorrupt, "powerpoint"),
        (b"just words", "a.eml", FileCorrupt, "mail"),
        (b"a,\0b\0", "a.csv", InvalidEncoding, "byte 2"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "a.docx", FileEncrypted, "password"),
        (b"not a zip", "a.docx", FileCorrupt, "word"),
        (b"PK\x03\x04 cut off", "a.docx", FileCorrupt, "damaged"),
        (b"just words", "a.pdf", FileCorrupt, "pdf"),
        (b"caf\xe9 au lait", "a.txt", InvalidEncoding, "byte 3"),
        (b"a\0b\0c\0", "a.txt", InvalidEncoding, "byte 1"),
        (b"ok \xff", "a.md", InvalidEncoding, "byte 3"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes, name: str, error: type[FlotillaError], says: str
) -> None:
    with pytest.raises(error) as refused:
        detect(write(tmp_path, content), name)
    assert says in refused.value.message.lower()
    assert str(tmp_path) not in refused.value.message


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ("xl/workbook.bin", "binary Excel workbook"),
        ("content.xml", "OpenDocument"),
        ("photo.jpg", "ZIP archive"),
    ],
)
def test_other_zipped_formats_are_named(tmp_path: Path, member: str, says: str) -> None:
    with pytest.raises(UnsupportedType, match=says):
        detect(zipped(tmp_path, member), "upload.zip")


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsm", "a.epub"])
def test_an_archive_that_is_not_what_it_is_named_is_corrupt(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileCorrupt):
        detect(zipped(tmp_path, "photo.jpg"), name)


def test_a_part_may_bear_another_name(tmp_path: Path) -> None:
    path = zipped(tmp_path, "_rels/.rels", "xl/book.xml")
    assert detect(path, "a.xlsx") is MediaType.XLSX
