"""Tell what a file is: by its content first, by its name second."""

import zipfile
from enum import StrEnum
from pathlib import Path, PurePosixPath

from flotilla.document.encoding import decode_text, find_byte_order_mark
from flotilla.errors import (
    EmptyFile,
    FileCorrupt,
    FileEncrypted,
    InvalidEncoding,
    UnsupportedType,
)


class MediaType(StrEnum):
    """The types of document that can be converted."""

    PDF = "pdf"
    DOCX = "docx"
    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"


TAKEN = "PDF, DOCX, HTML, Markdown and plain text are taken"

HEAD_BYTES = 8192
# Readers of PDF look for the header in the first kilobyte (ISO 32000-1, annex H.3.4.1).
PDF_HEADER_BYTES = 1024
OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

NAMES = {
    ".pdf": MediaType.PDF,
    ".docx": MediaType.DOCX,
    ".html": MediaType.HTML,
    ".htm": MediaType.HTML,
    ".xhtml": MediaType.HTML,
    ".md": MediaType.MARKDOWN,
    ".markdown": MediaType.MARKDOWN,
    ".mdown": MediaType.MARKDOWN,
    ".mkd": MediaType.MARKDOWN,
    ".txt": MediaType.TEXT,
    ".text": MediaType.TEXT,
}
DECLARED = {
    "text/html": MediaType.HTML,
    "application/xhtml+xml": MediaType.HTML,
    "text/markdown": MediaType.MARKDOWN,
    "text/x-markdown": MediaType.MARKDOWN,
}
HTML_OPENINGS = (b"<!doctype html", b"<html", b"<head", b"<body")
# What opens a text-like file that is none of the types taken.
TEXT_LIKE = {
    b"{\\rtf": "an RTF document",
    b"%!ps": "a PostScript file",
    b"<svg": "an SVG image",
}
# What people send most, named as they know it; puremagic's long tail ranks by chance here.
COMMON = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"MZ": "a Windows program",
    b"\x7fELF": "a Linux program",
    b"ID3": "an MP3 recording",
    b"\x1f\x8b": "a GZIP archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
}
# A member, or the content of `mimetype`, that tells one zipped format from another.
ZIPPED = {
    "xl/workbook.xml": "an Excel workbook (XLSX)",
    "ppt/presentation.xml": "a PowerPoint presentation (PPTX)",
    "META-INF/MANIFEST.MF": "a Java archive",
    "META-INF/container.xml": "an e-book (EPUB)",
    "content.xml": "an OpenDocument file",
}


def detect(path: Path, name: str, declared: str | None = None) -> MediaType:
    """The type of the file at `path`, which its owner calls `name`.

    Args:
        path: where the bytes are.
        name: the name that came with the file; its suffix decides where the content cannot.
        declared: the Content-Type that came with the file, if any.

    Raises:
        EmptyFile: there are no bytes.
        UnsupportedType: the content is of a type that is not taken.
        FileCorrupt: the content is not what the name says, and nothing else that is taken.
        FileEncrypted: an Office document that is locked with a password.
        InvalidEncoding: a text that is neither UTF-8 nor UTF-16 with a byte order mark.
    """
    if path.stat().st_size == 0:
        raise EmptyFile(f"The file {name} is empty; send one with content.")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    named = NAMES.get(PurePosixPath(name.lower()).suffix)
    if b"%PDF-" in head[:PDF_HEADER_BYTES]:
        return MediaType.PDF
    if head.startswith(ZIP_SIGNATURES):
        return _zipped(path, name, named)
    if head.startswith(OLE_SIGNATURE):
        raise _old_office(path, name)
    if _is_html(head):
        return MediaType.HTML
    if not find_byte_order_mark(head) and (b"\0" in head or _recognise(head)):
        raise _binary(head, name, named)
    return _text(path, name, named, declared)


def _is_html(head: bytes) -> bool:
    """Whether the first thing that is no white space, declaration or comment is HTML."""
    bom = find_byte_order_mark(head)
    if bom:
        # A cut in the middle of a character must not hide the tag before it.
        head = head.decode(bom, errors="ignore").encode()
    rest = head.lstrip().lower()
    while rest.startswith((b"<!--", b"<?")):
        end = b"-->" if rest.startswith(b"<!--") else b">"
        _, found, after = rest.partition(end)
        if not found:
            return False
        rest = after.lstrip()
    return rest.startswith(HTML_OPENINGS)


def _zipped(path: Path, name: str, named: MediaType | None) -> MediaType:
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        if named is MediaType.DOCX:
            raise FileCorrupt(
                f"The file {name} is a damaged or cut-off Word document; send it again."
            ) from None
        raise UnsupportedType(
            f"The file {name} seems to be a damaged ZIP archive; {TAKEN}."
        ) from None
    if "word/document.xml" in members:
        return MediaType.DOCX
    seems = next((seems for member, seems in ZIPPED.items() if member in members), None)
    if seems is None and named is MediaType.DOCX:
        if "_rels/.rels" in members:
            # The main part may bear another name; the converter finds it by its relation.
            return MediaType.DOCX
        raise FileCorrupt(
            f"The file {name} is a ZIP archive without a Word document in it; "
            "save the document as DOCX and send it again."
        )
    raise UnsupportedType(f"The file {name} seems to be {seems or 'a ZIP archive'}; {TAKEN}.")


def _old_office(path: Path, name: str) -> FileEncrypted | UnsupportedType:
    # A locked DOCX is an OLE container with this stream ([MS-OFFCRYPTO] 2.3.4.4).
    if "EncryptedPackage".encode("utf-16-le") in path.read_bytes():
        return FileEncrypted(
            f"The file {name} is locked with a password in a way that cannot be opened here; "
            "save it without the password and send it again."
        )
    return UnsupportedType(
        f"The file {name} seems to be a document of an old Office version (such as .doc or "
        f".xls); save it as DOCX or PDF. {TAKEN}."
    )


def _recognise(head: bytes) -> str | None:
    """A short name of a binary format, or None where the bytes look like text."""
    for opening, seems in TEXT_LIKE.items():
        if head.lstrip().lower().startswith(opening):
            return seems
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head[:1024])
    if controls * 20 < len(head[:1024]):
        return None
    return _signature(head) or "binary data of an unknown kind"


def _signature(head: bytes) -> str | None:
    for opening, seems in COMMON.items():
        if head.startswith(opening):
            return seems
    import puremagic  # its table of signatures takes a while to load

    try:
        best = puremagic.magic_string(head)[0]
    except (puremagic.PureError, ValueError, IndexError):
        return None
    # A single byte in common is chance.
    if len(best.byte_match) < 2:
        return None
    return (
        " ".join(filter(None, (best.name, f"({best.extension})" if best.extension else ""))) or None
    )


def _binary(
    head: bytes, name: str, named: MediaType | None
) -> UnsupportedType | FileCorrupt | InvalidEncoding:
    seems = _signature(head) or _recognise(head)
    if seems is None or seems.startswith("binary data"):
        if named in (MediaType.PDF, MediaType.DOCX):
            return _not_as_named(name, named)
        if named in (MediaType.TEXT, MediaType.MARKDOWN) and b"\0" in head:
            return InvalidEncoding(
                f"The file {name} has a NUL at byte {head.index(0)}, so it is no UTF-8 text; "
                "save it as UTF-8 and send it again."
            )
    return UnsupportedType(
        f"The file {name} seems to be {seems or 'binary data of an unknown kind'}; {TAKEN}."
    )


def _not_as_named(name: str, named: MediaType) -> FileCorrupt:
    what = "PDF" if named is MediaType.PDF else "Word"
    return FileCorrupt(
        f"The file {name} is named as a {what} document but holds none; "
        "check what it is and send it again."
    )


def _text(path: Path, name: str, named: MediaType | None, declared: str | None) -> MediaType:
    if named in (MediaType.PDF, MediaType.DOCX):
        raise _not_as_named(name, named)
    kind = named or DECLARED.get((declared or "").partition(";")[0].strip().lower())
    if kind is MediaType.HTML:
        return kind  # its encoding may be any that it declares
    decode_text(path.read_bytes(), name)
    return kind or MediaType.TEXT
