"""Which converter reads a document: the one that was asked for, else the rules', else the usual."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec

from flotilla.document.detect import MediaType
from flotilla.errors import ConverterUnavailable
from flotilla.models import ConverterName, Note, Value
from flotilla.settings import Settings

IMAGES = frozenset((MediaType.PNG, MediaType.JPEG, MediaType.TIFF))
"""Files that are a picture and nothing else."""

WELL_READ = frozenset(("text", "markdown", "csv", "tsv", "eml"))
"""Types that are text already: to send them to a service could only lose something."""


class Choice(Value):
    """What reads a document, and what there is to say of it."""

    converter: ConverterName
    notes: tuple[Note, ...] = ()


def choose(
    requested: ConverterName,
    rules: Sequence[tuple[str, str]],
    *,
    name: str,
    media_type: MediaType,
    content_type: str,
) -> Choice:
    """The converter of a document.

    One that was asked for, or that a rule names, and cannot read the type leaves it to the usual
    one, and a note says so: a folder may be sent with one wish for all.

    Args:
        requested: what the submission asks for; `auto` leaves it to the rules.
        rules: patterns of names or media types with their converters, the first of which holds.
        name: the document's.
        media_type: what `detect` said.
        content_type: the same as a media type, such as `application/pdf`.
    """
    wanted = requested
    if wanted is ConverterName.AUTO:
        wanted = next(
            (
                ConverterName(converter)
                for pattern, converter in rules
                if fnmatchcase(name.lower(), pattern) or fnmatchcase(content_type, pattern)
            ),
            wanted,
        )
    if can_read(wanted, media_type):
        return Choice(converter=wanted)
    # Nobody has to be told that a picture has no text of its own to be left alone with.
    if wanted is ConverterName.PDFIUM:
        return Choice(converter=ConverterName.AUTO)
    note = Note(
        code="converter_passed_over",
        message=f"{wanted.value} is not for this type of file, which its usual converter has read.",
    )
    return Choice(converter=ConverterName.AUTO, notes=(note,))


def can_read(converter: ConverterName, media_type: MediaType) -> bool:
    """Whether the converter is one for files of this type."""
    match converter:
        case ConverterName.AUTO:
            return True
        case ConverterName.PDFIUM:
            return media_type is MediaType.PDF
        case ConverterName.OCR:
            return media_type is MediaType.PDF or media_type in IMAGES
        case ConverterName.LLAMAPARSE:
            return media_type.value not in WELL_READ


def has_ocr(settings: Settings) -> bool:
    """Whether scanned pages can be read on this machine."""
    return settings.ocr.enabled and _installed("rapidocr", "onnxruntime")


def has_llamaparse(settings: Settings) -> bool:
    """Whether documents can be sent to LlamaParse."""
    return settings.llamaparse.api_key is not None and _installed("llama_cloud")


def has_vision(settings: Settings) -> bool:
    """Whether a model that describes pictures is configured and its client installed."""
    return (
        settings.llm.vision_model is not None
        and settings.pictures.per_document > 0
        and _installed("openai", "PIL")
    )


def available(settings: Settings) -> list[str]:
    """The converters that this machine has."""
    there = [ConverterName.AUTO, ConverterName.PDFIUM]
    if has_ocr(settings):
        there.append(ConverterName.OCR)
    if has_llamaparse(settings):
        there.append(ConverterName.LLAMAPARSE)
    return [each.value for each in there]


def check_available(converter: ConverterName, settings: Settings) -> None:
    """Raises ConverterUnavailable, saying what is missing on this machine."""
    if converter is ConverterName.OCR and not has_ocr(settings):
        raise ConverterUnavailable(
            "The document is to be read by OCR, which is switched off here: set "
            "FLOTILLA_OCR_ENABLED to true, or choose another converter."
            if not settings.ocr.enabled
            else "The document is to be read by OCR, which is not installed on the document "
            "fleet: install the extra `ocr`, or choose another converter."
        )
    if converter is ConverterName.LLAMAPARSE and not has_llamaparse(settings):
        raise ConverterUnavailable(
            "The document is to be read by LlamaParse, whose key the document fleet does not "
            "have: set LLAMA_CLOUD_API_KEY, or choose another converter."
            if settings.llamaparse.api_key is None
            else "The document is to be read by LlamaParse, whose client is not installed on the "
            "document fleet: install the extra `llamaparse`, or choose another converter."
        )


def _installed(*packages: str) -> bool:
    try:
        return all(find_spec(package) is not None for package in packages)
    except (ImportError, ValueError):
        return False
