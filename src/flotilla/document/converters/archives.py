"""Zipped documents: what is needed of one, copied into an archive that tells the truth."""

import lzma
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from flotilla.errors import ArchiveTooLarge, FileCorrupt, FileEncrypted

# XML of real documents packs 5 to 30 times; beyond this only a bomb does, or a tiny file.
MAX_RATIO = 200
RATIO_FLOOR = 32 * 1024 * 1024
BLOCK = 64 * 1024
SPOOLED_BYTES = 32 * 1024 * 1024
"""Bytes above which a copy goes to a temporary file."""
# The namespaces of a document that was saved as Strict Open XML, which no library reads.
STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/\2"


class Kind(NamedTuple):
    """What a zipped document is called in a sentence, and the format to save it as."""

    name: str
    format: str

    @property
    def damaged(self) -> FileCorrupt:
        return FileCorrupt(
            f"The {self.name} is damaged; save it again as {self.format} and send that."
        )


class Copying(NamedTuple):
    """Which members of an archive are copied, and how.

    `wanted` says it of a name; of the others only the name is copied where `names_of_others`, so
    that what refers to them does not fail. `change` rewrites a member, which is then held in
    memory as a whole. A document type is refused but where `document_types` are usual: Office
    documents have none (ECMA-376-2, 8.1), and its entities are a way to attack.
    """

    wanted: Callable[[str], bool]
    names_of_others: bool = False
    change: Callable[[bytes], bytes] | None = None
    document_types: bool = False


CORE_PART = "docProps/core.xml"
CORE = Copying(wanted=lambda name: name == CORE_PART)
"""The properties of an Office document alone, which hold its title."""


def is_xml(name: str) -> bool:
    """Whether a member of an Office document is text, and no picture or font."""
    return name.endswith((".xml", ".rels"))


@contextmanager
def copied(path: Path, kind: Kind, how: Copying, *, max_bytes: int) -> Iterator[IO[bytes]]:
    """An archive with the wanted members, copied block by block. Sizes in an archive are claims.

    Args:
        path: the document.
        kind: what it is, for the sentences of errors.
        how: what is copied.
        max_bytes: most bytes that it may unpack to.

    Raises:
        ArchiveTooLarge: it unpacks to more than is allowed.
        FileCorrupt: it is no archive, or a damaged one.
        FileEncrypted: a wanted member is encrypted.
    """
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES) as copy:
        try:
            _copy(path, copy, kind, how, max_bytes)
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            OSError,
            ValueError,
        ):
            raise kind.damaged from None
        except NotImplementedError:
            raise FileCorrupt(f"The {kind.name} is packed in a way that is unknown.") from None
        copy.seek(0)
        yield copy


def _copy(path: Path, target: IO[bytes], kind: Kind, how: Copying, max_bytes: int) -> None:
    left = max_bytes
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(target, "w") as copy:
        members = archive.infolist()
        _refuse_bombs(members, kind, max_bytes)
        # Of two members of one name readers take the last.
        for member in {member.filename: member for member in members}.values():
            if not how.wanted(member.filename):
                if how.names_of_others and not member.is_dir():
                    copy.writestr(member.filename, b"")
                continue
            if member.flag_bits & 0x1:
                raise FileEncrypted(f"The {kind.name} is locked; save it without a password.")
            blocks: list[bytes] = []
            with archive.open(member) as source, copy.open(member.filename, "w") as written:
                first = True
                while block := source.read(BLOCK):
                    left -= len(block)
                    if left < 0:
                        raise _too_large(kind, max_bytes)
                    if first:
                        _refuse_document_type(block, kind, how)
                    if how.change is not None:
                        blocks.append(block)
                    else:
                        written.write(STRICT.sub(TRANSITIONAL, block) if first else block)
                    first = False
                if how.change is not None:
                    written.write(how.change(b"".join(blocks)))


def _refuse_document_type(block: bytes, kind: Kind, how: Copying) -> None:
    # Of a text in UTF-16 every other byte is a NUL.
    if not how.document_types and b"<!DOCTYPE" in block.replace(b"\0", b""):
        raise kind.damaged


def _refuse_bombs(members: list[zipfile.ZipInfo], kind: Kind, max_bytes: int) -> None:
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > max_bytes:
        raise _too_large(kind, max_bytes)
    if unpacked > RATIO_FLOOR and unpacked > MAX_RATIO * max(packed, 1):
        raise ArchiveTooLarge(
            f"The {kind.name} unpacks to {unpacked // max(packed, 1)} times its size, "
            "which no real document does; save it again and send that."
        )


def _too_large(kind: Kind, max_bytes: int) -> ArchiveTooLarge:
    return ArchiveTooLarge(
        f"The {kind.name} unpacks to more than {max_bytes:,} bytes; "
        "split it or take its pictures out."
    )


def title_of(path: Path, kind: Kind, *, max_bytes: int) -> str | None:
    """The title of an Office document's properties, of which nothing else is unpacked.

    Raises as `copied`.
    """
    with (
        copied(path, kind, CORE, max_bytes=max_bytes) as parts,
        zipfile.ZipFile(parts) as archive,
    ):
        return core_title(archive)


def core_title(archive: zipfile.ZipFile) -> str | None:
    """The title of an Office document's properties, None where it has none that can be read."""
    from lxml import etree

    if CORE_PART not in archive.namelist():
        return None
    try:
        core = etree.fromstring(archive.read(CORE_PART), etree.XMLParser(resolve_entities=False))
    except etree.XMLSyntaxError:
        return None
    title = core.findtext("{http://purl.org/dc/elements/1.1/}title") or ""
    return " ".join(title.split()) or None
