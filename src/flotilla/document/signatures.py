"""By what formats that are not taken are recognised, named as those who send them know them."""

# What opens a text-like file that is none of the types taken.
TEXT_LIKE = {
    b"{\\rtf": "an RTF document",
    b"%!ps": "a PostScript file",
    b"<svg": "an SVG image",
}
# What people send most; puremagic's long tail ranks by chance here.
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
# Members of zipped formats.
ZIPPED = {
    "xl/workbook.bin": "a binary Excel workbook (XLSB); save it as XLSX",
    "content.xml": "an OpenDocument file; save it as DOCX, XLSX, PPTX or PDF",
    "META-INF/MANIFEST.MF": "a Java archive",
    "Index/Document.iwa": "a document of Pages, Numbers or Keynote; export it as PDF",
}
# Streams of an OLE container by which old formats are told from one another, and what to do.
OLD_FORMATS = {
    "WordDocument": "an old Word document (DOC); save it as DOCX or PDF",
    "Workbook": "an old Excel workbook (XLS); save it as XLSX or CSV",
    "PowerPoint Document": "an old PowerPoint presentation (PPT); save it as PPTX or PDF",
    "__properties_version1.0": "an Outlook message (MSG); save it as EML",
}


def recognise(head: bytes) -> str | None:
    """A short name of a binary format, or None where the bytes look like text."""
    for opening, seems in TEXT_LIKE.items():
        if head.lstrip().lower().startswith(opening):
            return seems
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head[:1024])
    if controls * 20 < len(head[:1024]):
        return None
    return signature(head) or "binary data of an unknown kind"


def signature(head: bytes) -> str | None:
    """What the first bytes are known to open, None where nobody knows."""
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
