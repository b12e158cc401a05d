"""Tell what a file is: by its content first, by its name second."""

import re
import zipfile
from enum import StrEnum
from pathlib import Path, PurePosixPath

from flotilla.document.encoding import decode_text, find_byte_order_mark
from flotilla.document.signatures import OLD_FORMATS, ZIPPED, recognise, signature
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
    PPTX = "pptx"
    XLSX = "xlsx"
    EPUB = "epub"
    HTML = "html"
    MARKDOWN = "markdown"
    EML = "eml"
    CSV = "csv"
    TSV = "tsv"
    TEXT = "text"
    PNG = "png"
    JPEG = "jpeg"
    TIFF = "tiff"


CONTENT_TYPES = {
    MediaType.PDF: "application/pdf",
    MediaType.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    MediaType.PPTX: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    MediaType.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    MediaType.EPUB: "application/epub+zip",
    MediaType.HTML: "text/html",
    MediaType.MARKDOWN: "text/markdown",
    MediaType.EML: "message/rfc822",
    MediaType.CSV: "text/csv",
    MediaType.TSV: "text/tab-separated-values",
    MediaType.TEXT: "text/plain",
    MediaType.PNG: "image/png",
    MediaType.JPEG: "image/jpeg",
    MediaType.TIFF: "image/tiff",
}


TAKEN = "PDF, DOCX, PPTX, XLSX, EPUB, HTML, Markdown, EML, CSV, TSV and plain text are taken"

HEAD_BYTES = 8192
# Readers of PDF look for the header in the first kilobyte (ISO 32000-1, annex H.3.4.1).
PDF_HEADER_BYTES = 1024
OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

NAMES = {
    ".pdf": MediaType.PDF,
    ".docx": MediaType.DOCX,
    ".docm": MediaType.DOCX,
    ".dotx": MediaType.DOCX,
    ".pptx": MediaType.PPTX,
    ".pptm": MediaType.PPTX,
    ".ppsx": MediaType.PPTX,
    ".potx": MediaType.PPTX,
    ".xlsx": MediaType.XLSX,
    ".xlsm": MediaType.XLSX,
    ".xltx": MediaType.XLSX,
    ".epub": MediaType.EPUB,
    ".html": MediaType.HTML,
    ".htm": MediaType.HTML,
    ".xhtml": MediaType.HTML,
    ".md": MediaType.MARKDOWN,
    ".markdown": MediaType.MARKDOWN,
    ".mdown": MediaType.MARKDOWN,
    ".mkd": MediaType.MARKDOWN,
    ".eml": MediaType.EML,
    ".csv": MediaType.CSV,
    ".tsv": MediaType.TSV,
    ".tab": MediaType.TSV,
    ".txt": MediaType.TEXT,
    ".text": MediaType.TEXT,
}
DECLARED = {
    "text/html": MediaType.HTML,
    "application/xhtml+xml": MediaType.HTML,
    "text/markdown": MediaType.MARKDOWN,
    "text/x-markdown": MediaType.MARKDOWN,
    "message/rfc822": MediaType.EML,
    "text/csv": MediaType.CSV,
    "application/csv": MediaType.CSV,
    "text/tab-separated-values": MediaType.TSV,
}
PICTURES = {
    b"\x89PNG\r\n\x1a\n": MediaType.PNG,
    b"\xff\xd8\xff": MediaType.JPEG,
    b"II*\0": MediaType.TIFF,
    b"MM\0*": MediaType.TIFF,
}
# What the types that are told by their content are called in a sentence.
CALLED = {
    MediaType.PDF: "PDF",
    MediaType.DOCX: "Word",
    MediaType.PPTX: "PowerPoint",
    MediaType.XLSX: "Excel",
    MediaType.EPUB: "EPUB",
}
# A member, or the content of `mimetype`, that tells one zipped format from another.
MEMBERS = {
    "word/document.xml": MediaType.DOCX,
    "ppt/presentation.xml": MediaType.PPTX,
    "xl/workbook.xml": MediaType.XLSX,
    "META-INF/container.xml": MediaType.EPUB,
}
TEXTS = (MediaType.TEXT, MediaType.MARKDOWN, MediaType.CSV, MediaType.TSV)
HTML_OPENINGS = (b"<!doctype html", b"<html", b"<head", b"<body")
# Header fields by which the start of a mail is told from a text with colons (RFC 5322, 3.6).
MAIL_FIELD = re.compile(rb"([!-9;-~]{1,80}):[ \t]?[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\r?\n")
MAIL_FIELDS = frozenset(
    b"received return-path delivered-to from to subject date message-id mime-version".split()
)
TELLING_FIELDS = frozenset(b"received return-path message-id mime-version".split())
LEAST_FIELDS = 3


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
    if picture := next((p for opening, p in PICTURES.items() if head.startswith(opening)), None):
        return picture
    if head.startswith(ZIP_SIGNATURES):
        return _zipped(path, name, named)
    if head.startswith(OLE_SIGNATURE):
        raise _old_office(path, name)
    if _is_html(head):
        return MediaType.HTML
    if _is_mail(head, named, declared):
        return MediaType.EML  # each part of it says its own encoding
    if not find_byte_order_mark(head) and (b"\0" in head or recognise(head)):
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
        if named in CALLED and named is not MediaType.PDF:
            raise FileCorrupt(
                f"The file {name} is a damaged or cut-off {_called(named)}; send it again."
            ) from None
        raise UnsupportedType(
            f"The file {name} seems to be a damaged ZIP archive; {TAKEN}."
        ) from None
    for member, media_type in MEMBERS.items():
        if member in members:
            return media_type
    seems = next((seems for member, seems in ZIPPED.items() if member in members), None)
    if seems is None and named in CALLED and named is not MediaType.PDF:
        if "_rels/.rels" in members and named is not MediaType.EPUB:
            # The main part may bear another name; the converter finds it by its relation.
            return named
        raise FileCorrupt(
            f"The file {name} is a ZIP archive without a {_called(named)} in it; "
            f"save the document as {named.upper()} and send it again."
        )
    raise UnsupportedType(f"The file {name} seems to be {seems or 'a ZIP archive'}. {TAKEN}.")


def _called(named: MediaType) -> str:
    return "e-book" if named is MediaType.EPUB else f"{CALLED[named]} document"


def _is_mail(head: bytes, named: MediaType | None, declared: str | None) -> bool:
    """Whether it begins with a mail's header; where name and type do not say so, with fields that
    no note has."""
    if bom := find_byte_order_mark(head):
        head = head.decode(bom, errors="ignore").encode()
    fields = []
    at = 5 if head.startswith(b"From ") else 0  # the line between the mails of a mailbox
    at = head.find(b"\n", at) + 1 if at else 0
    while found := MAIL_FIELD.match(head, at):
        fields.append(found[1].lower())
        at = found.end()
    known = MAIL_FIELDS.intersection(fields)
    if named is MediaType.EML or (declared or "").lower().startswith("message/rfc822"):
        return bool(known)
    return named is None and len(known) >= LEAST_FIELDS and bool(known & TELLING_FIELDS)


def _old_office(path: Path, name: str) -> FileEncrypted | UnsupportedType:
    # A locked DOCX, PPTX or XLSX is an OLE container with this stream ([MS-OFFCRYPTO] 2.3.4.4).
    content = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in content:
        return FileEncrypted(
            f"The file {name} is locked with a password in a way that cannot be opened here; "
            "save it without the password and send it again."
        )
    for stream, seems in OLD_FORMATS.items():
        if stream.encode("utf-16-le") in content:
            return UnsupportedType(f"The file {name} seems to be {seems}. {TAKEN}.")
    return UnsupportedType(
        f"The file {name} seems to be a document of an old Office version (such as .doc or "
        f".xls); save it as DOCX, XLSX, PPTX or PDF. {TAKEN}."
    )


def _binary(
    head: bytes, name: str, named: MediaType | None
) -> UnsupportedType | FileCorrupt | InvalidEncoding:
    seems = signature(head) or recognise(head)
    if seems is None or seems.startswith("binary data"):
        if named in CALLED:
            return _not_as_named(name, named)
        if named in TEXTS and b"\0" in head:
            return InvalidEncoding(
                f"The file {name} has a NUL at byte {head.index(0)}, so it is no UTF-8 text; "
                "save it as UTF-8 and send it again."
            )
    return UnsupportedType(
        f"The file {name} seems to be {seems or 'binary data of an unknown kind'}; {TAKEN}."
    )


def _not_as_named(name: str, named: MediaType) -> FileCorrupt:
    what = CALLED.get(named, "mail")
    return FileCorrupt(
        f"The file {name} is named as a document of the type {what} but holds none; "
        "check what it is and send it again."
    )


def _text(path: Path, name: str, named: MediaType | None, declared: str | None) -> MediaType:
    if named is not None and (named in CALLED or named is MediaType.EML):
        raise _not_as_named(name, named)
    kind = named or DECLARED.get((declared or "").partition(";")[0].strip().lower())
    if kind is MediaType.HTML:
        return kind  # its encoding may be any that it declares
    decode_text(path.read_bytes(), name)
    return kind or MediaType.TEXT
