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
        (b"a,b\n1,2\n", "table.csv", MediaType.TEXT),
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


def test_a_zip_with_a_word_part_is_docx_whatever_its_name(tmp_path: Path) -> None:
    assert detect(zipped(tmp_path, "word/document.xml"), "x.zip") is MediaType.DOCX


@pytest.mark.parametrize(
    ("content", "name", "error", "says"),
    [
        (b"", "a.pdf", EmptyFile, "empty"),
        (PNG, "photo.png", UnsupportedType, "png"),
        (PNG, "photo.pdf", UnsupportedType, "png"),
        (EXE, "setup.exe", UnsupportedType, "windows program"),
        (b"SQLite format 3\0" + b"\0" * 90, "a.db", UnsupportedType, "sqlite"),
        (b"\x01\x80\x02\x99" * 50, "random.bin", UnsupportedType, "unknown kind"),
        (b"{\\rtf1 text}", "a.rtf", UnsupportedType, "rtf"),
        (OLE, "old.doc", UnsupportedType, "old office"),
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
        ("xl/workbook.xml", "Excel"),
        ("ppt/presentation.xml", "PowerPoint"),
        ("photo.jpg", "ZIP archive"),
    ],
)
def test_other_zipped_formats_are_named(tmp_path: Path, member: str, says: str) -> None:
    with pytest.raises(UnsupportedType, match=says):
        detect(zipped(tmp_path, member), "upload.zip")


def test_a_docx_without_its_document_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(FileCorrupt):
        detect(zipped(tmp_path, "photo.jpg"), "a.docx")
