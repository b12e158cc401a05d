"""How one document is read: which converter, with what put around it, and in which page ranges."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flotilla.blobs import BlobStore, picture_summary_ref, pictures_ref
from flotilla.document.converters import Converter, SourceInfo, converter_for
from flotilla.document.converters.choice import (
    IMAGES,
    Choice,
    check_available,
    choose,
    has_ocr,
    has_vision,
)
from flotilla.document.converters.picture_texts import Picture
from flotilla.document.detect import MediaType
from flotilla.errors import ConverterUnavailable, DependencyUnavailable, NotFound, UnsupportedType
from flotilla.ledger.same_bytes import REPLACED
from flotilla.ledger.versions import Version
from flotilla.models import ConverterName, Note, Page
from flotilla.settings import Settings

if TYPE_CHECKING:
    from flotilla.document.converters.ocr import TextReader
    from flotilla.document.converters.vision import PictureDescriber

ILLUSTRATED = (MediaType.PDF, MediaType.DOCX)
"""Types whose pictures are looked at."""
OCR_SHARE = 0.6
"""Of the time that a task may take, what text recognition of scanned pages may take at most."""


class Conversion:
    """One document's, or one page range's of it.

    Args:
        settings: which converters there are, and how.
        blobs: where what is known of its pictures is kept.
        version: what is read.
        media_type: what `detect` said of the file.
        content_type: the same as a media type.
        requested: the converter that the submission asks for.
        stands_in: why LlamaParse did not read it, where it did not.
        password: opens the file.
        beat: called between pieces of work that take long; what it raises ends the conversion.

    Raises:
        ConverterUnavailable: the converter is not set up on this machine.
    """

    def __init__(
        self,
        settings: Settings,
        blobs: BlobStore,
        version: Version,
        *,
        media_type: MediaType,
        content_type: str,
        requested: ConverterName,
        stands_in: str | None = None,
        password: str | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._blobs = blobs
        self._version = version
        self._media_type = media_type
        self.content_type = content_type
        self._password = password
        self._beat = beat
        self._choice = choose(
            requested,
            settings.document.converters,
            name=version.document_name,
            media_type=media_type,
            content_type=content_type,
        )
        if self._choice.converter is ConverterName.LLAMAPARSE and password is not None:
            stands_in = "it opens no encrypted files"
        if stands_in is not None:
            note = Note(
                code=REPLACED,
                message="LlamaParse did not read the document and the usual converter did, since "
                f"{stands_in}.",
            )
            self._choice = Choice(converter=ConverterName.AUTO, notes=(note,))
        check_available(self._choice.converter, settings)
        self._notes: list[Note] = []
        self._read_by: Converter | None = None

    @property
    def is_remote(self) -> bool:
        """Whether LlamaParse is to read it."""
        return self._choice.converter is ConverterName.LLAMAPARSE

    @property
    def converter_name(self) -> str:
        """What the version is noted to be read with."""
        match self._choice.converter:
            case ConverterName.LLAMAPARSE | ConverterName.OCR as chosen:
                return chosen.value
            case _ if self._media_type is MediaType.PDF:
                return ConverterName.PDFIUM.value
            case _:
                return self._media_type.value

    def inspect(self, path: Path) -> SourceInfo:
        """What can be told of the file ahead; of a picture that is sent away, nothing."""
        if self.is_remote and self._media_type in IMAGES:
            return SourceInfo(pages=None, title=None)
        return self._usual().inspect(path, password=self._password)

    def ranges(self, path: Path, total: int | None) -> list[tuple[int, int]] | None:
        """The page ranges that several tasks are to read; None where one task reads all.

        A range has as many pages as the settings say, and less where scanned pages take long.
        """
        if total is None:
            return None
        size = self._settings.document.pages_per_range
        slow = self._slow_pages(path, total)
        found: list[tuple[int, int]] = []
        first = effort = 0
        for page in range(1, total + 1):
            first = first or page
            effort += page in slow
            at_end = effort == self._settings.ocr.pages_per_range or page - first + 1 == size
            if at_end or page == total:
                found.append((first, page))
                first = effort = 0
        if len(found) < 2:
            return None
        if self._looks_at_pictures:
            ref = pictures_ref(self._version.tenant_id, self._version.id)
            self._blobs.put_values(ref, self._pictures(path))
        return found

    def pages(self, path: Path, first: int = 1, last: int | None = None) -> Iterator[Page]:
        """The pages `first` to `last`, both included; all by default. Raises as the converters."""
        if self._looks_at_pictures:
            pictures = self._known_pictures(path, is_range=last is not None)
            self._read_by = self._illustrated(pictures)
        else:
            self._read_by = self._usual()
        return self._read_by.pages(path, first=first, last=last, password=self._password)

    def notes(self) -> list[Note]:
        """What there is to say, once the pages have been read."""
        told = getattr(self._read_by, "notes", None)
        return [*self._choice.notes, *(told() if told is not None else ()), *self._notes]

    @property
    def _has_ocr(self) -> bool:
        return has_ocr(self._settings)

    @property
    def _reads_scans(self) -> bool:
        return self._has_ocr and self._choice.converter is not ConverterName.PDFIUM

    @property
    def _reads_pictures(self) -> bool:
        """Whether what is written in pictures is read, beside a page's own text."""
        is_usual = self._choice.converter is ConverterName.AUTO
        return is_usual and self._has_ocr and self._settings.ocr.pictures

    @property
    def _looks_at_pictures(self) -> bool:
        """Whether a document's pictures are described, or what is written in them is read."""
        settings = self._settings
        if self._media_type not in ILLUSTRATED or settings.pictures.per_document == 0:
            return False
        match self._choice.converter:
            case ConverterName.AUTO:
                return has_vision(settings) or self._reads_pictures
            case ConverterName.OCR:  # which reads what is written in them with their pages
                return has_vision(settings)
            case _:
                return False

    def _slow_pages(self, path: Path, total: int) -> frozenset[int]:
        """The pages that are read by text recognition."""
        everything = frozenset(range(1, total + 1))
        if self._media_type in IMAGES:
            return everything
        if self._media_type is not MediaType.PDF or not self._reads_scans:
            return frozenset()
        if self._choice.converter is ConverterName.OCR:
            return everything
        if total <= self._settings.ocr.pages_per_range:
            return frozenset()  # one task reads them all, whatever they are
        from flotilla.document.converters.scans import scanned

        return frozenset(scanned(path, self._password))

    def _usual(self) -> Converter:
        if self._media_type in IMAGES:
            return self._image_converter()
        limit = self._settings.document.max_unpacked_bytes
        base = converter_for(self._media_type, max_unpacked_bytes=limit)
        if self._media_type is not MediaType.PDF or self.is_remote:
            return base
        from flotilla.document.converters.scans import INSTALL, ScanConverter

        remedy = INSTALL
        if self._choice.converter is ConverterName.PDFIUM:
            remedy = "send the document with the converter `auto` or `ocr`"
        elif not self._settings.ocr.enabled:
            remedy = "set FLOTILLA_OCR_ENABLED to true, or send the document with its text"
        return ScanConverter(
            base,
            self._settings.ocr,
            self._reader if self._reads_scans else None,
            every=self._choice.converter is ConverterName.OCR,
            seconds=OCR_SHARE * self._settings.document.soft_time_limit,
            remedy=remedy,
            beat=self._beat,
        )

    def _image_converter(self) -> Converter:
        from flotilla.document.converters.image import ImageConverter

        describer = self._describer()
        if not self._has_ocr and describer is None:
            raise UnsupportedType(
                f"The file {self._version.document_name} is a {self._media_type.upper()} image, "
                "which is read where the document fleet has the extra `ocr`, or a model in "
                "FLOTILLA_LLM_VISION_MODEL: install or set one of them."
            )
        return ImageConverter(
            self._reader if self._has_ocr else None,
            describer,
            max_side=self._settings.ocr.max_side,
            beat=self._beat,
        )

    def _illustrated(self, pictures: list[Picture]) -> Converter:
        from flotilla.document.converters.docx_pictures import DocxPictures
        from flotilla.document.converters.pdf_pictures import PdfPictures
        from flotilla.document.converters.pictures import IllustratedConverter

        is_docx = self._media_type is MediaType.DOCX
        return IllustratedConverter(
            self._usual(),
            self._settings,
            pictures,
            open_source=DocxPictures if is_docx else PdfPictures,
            describer=self._describer(),
            reader=self._reader if self._reads_pictures else None,
            known=self._summary,
            keep=self._keep_summary,
            beat=self._beat,
        )

    def _reader(self) -> "TextReader":
        from flotilla.document.converters.ocr import text_reader

        return text_reader(self._settings.ocr.threads)

    def _describer(self) -> "PictureDescriber | None":
        if not has_vision(self._settings):
            return None
        from flotilla.document.converters.vision import PictureDescriber

        try:
            return PictureDescriber(self._settings)
        except ConverterUnavailable as error:
            note = Note(code="pictures_not_described", message=error.message)
            if note not in self._notes:
                self._notes.append(note)
            return None

    def _pictures(self, path: Path) -> list[Picture]:
        from flotilla.document.converters.pictures import choose_docx_pictures, choose_pictures

        if self._media_type is MediaType.DOCX:
            return choose_docx_pictures(path, self._settings, are_read=self._reads_pictures)
        return choose_pictures(
            path,
            self._settings,
            password=self._password,
            are_read=self._reads_pictures,
            scans_are_read=self._reads_scans,
        )

    def _known_pictures(self, path: Path, *, is_range: bool) -> list[Picture]:
        if not is_range:
            return self._pictures(path)
        ref = pictures_ref(self._version.tenant_id, self._version.id)
        try:
            return list(self._blobs.values(ref, Picture))
        except NotFound:  # the document was planned by a worker that looks at no pictures
            return []

    def _summary(self, digest: str) -> str | None:
        """What a model said of a picture in an earlier attempt, or for another range."""
        ref = picture_summary_ref(self._version.tenant_id, self._version.id, digest)
        try:
            return self._blobs.get(ref).decode()
        except (NotFound, DependencyUnavailable):
            return None

    def _keep_summary(self, digest: str, summary: str) -> None:
        ref = picture_summary_ref(self._version.tenant_id, self._version.id, digest)
        with suppress(DependencyUnavailable):  # it would be asked for again
            self._blobs.put(ref, summary.encode())
