"""Settings of what reads documents beside the usual converters: OCR, LlamaParse, pictures."""

from fnmatch import translate
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode

from flotilla.settings.addresses import ModelURL
from flotilla.settings.base import group_config

CONVERTERS = ("auto", "pdfium", "ocr", "llamaparse")
"""What may be chosen, as `models.ConverterName` has it."""

Rule = tuple[str, str]
"""A pattern of names or media types, and the converter of what matches it."""


def _read_rules(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    rules: list[Rule] = []
    for entry in filter(None, (part.strip() for part in value.split(","))):
        pattern, separator, converter = (part.strip() for part in entry.rpartition("="))
        if not separator or not pattern or converter not in CONVERTERS:
            raise ValueError(
                f"{entry!r} is not of the form PATTERN=CONVERTER, such as *.pdf=llamaparse; the "
                f"converters are {', '.join(CONVERTERS)}"
            )
        translate(pattern)
        rules.append((pattern.lower(), converter))
    return tuple(rules)


ConverterRules = Annotated[tuple[Rule, ...], NoDecode, BeforeValidator(_read_rules)]
"""Rules in one variable, with commas between them; the first that matches holds."""


class OCRSettings(BaseSettings):
    """Text recognition of scanned pages, where the extra `ocr` is installed."""

    model_config = group_config("FLOTILLA_OCR_")

    enabled: bool = Field(
        True, description="Whether scanned pages are read where the extra `ocr` is installed."
    )
    dpi: int = Field(
        200, ge=72, le=600, description="Dots an inch at which a page is drawn to be read."
    )
    max_side: int = Field(
        2800,
        ge=500,
        le=10_000,
        description="Most pixels of the drawn page's longer side; larger pages are drawn smaller.",
    )
    pages_per_range: int = Field(
        5,
        gt=0,
        description="Scanned pages that one task of the fleet reads: a page takes 2 to 20 seconds "
        "of a processor.",
    )
    threads: int = Field(1, ge=1, description="Threads that read one page; processes share pages.")
    pictures: bool = Field(
        True, description="Whether the text in pictures on pages with text of their own is read."
    )


class LlamaParseSettings(BaseSettings):
    """LlamaParse, a service to which documents are sent that ask for it.

    It needs the extra `llamaparse` and a key.
    """

    model_config = group_config("FLOTILLA_LLAMAPARSE_")

    api_key: SecretStr | None = Field(
        None, validation_alias="LLAMA_CLOUD_API_KEY", description="Key of the LlamaCloud account."
    )
    base_url: ModelURL | None = Field(
        None,
        validation_alias="LLAMA_CLOUD_BASE_URL",
        description="Address of LlamaCloud, such as that of its European region; the service's own "
        "when not set.",
    )
    tier: Literal["fast", "cost_effective", "agentic", "agentic_plus"] = Field(
        "cost_effective",
        description="What is asked of the service, cheapest first: `fast`, `cost_effective`, "
        "`agentic` or `agentic_plus`.",
    )
    version: str = Field("latest", description="Version of the tier, to hold its results stable.")
    timeout: float = Field(
        900.0,
        gt=0,
        description="Seconds in which the service has to have read a document; then the usual "
        "converter stands in.",
    )
    request_timeout: float = Field(
        120.0, gt=0, le=240, description="Seconds that one request to the service may take."
    )
    attempts: int = Field(
        4,
        ge=1,
        le=20,
        description="Requests that fail for reasons which may pass, one after another, before the "
        "usual converter stands in.",
    )
    retry_after_cap: float = Field(
        60.0,
        ge=0,
        description="Longest Retry-After of the service that is waited for, in seconds; where it "
        "asks for more, the usual converter stands in at once.",
    )
    keep: bool = Field(
        False,
        description="Whether the service may keep the document and its text once it was read; "
        "otherwise they are removed there.",
    )


class PictureSettings(BaseSettings):
    """Pictures in documents.

    They are described by FLOTILLA_LLM_VISION_MODEL where it is set (extra `vision`), and the text
    in them is read where OCR is installed.
    """

    model_config = group_config("FLOTILLA_PICTURES_")

    per_document: int = Field(
        50, ge=0, description="Pictures of one document that are looked at, the largest first."
    )
    min_pixels: int = Field(
        100, ge=1, description="Pixels of a picture's shorter side below which it is passed over."
    )
    max_side: int = Field(
        1024,
        ge=64,
        le=4096,
        description="Most pixels of the longer side of a picture that is sent to the model.",
    )
    concurrency: int = Field(
        2, ge=1, le=16, description="Pictures of one document that are described at once."
    )
    max_tokens: int = Field(
        300, gt=0, description="Most tokens of a summary, which bounds what a picture costs."
    )
    timeout: float = Field(
        60.0, gt=0, le=240, description="Seconds that the model may take for one picture."
    )
    seconds: float = Field(
        100.0,
        gt=0,
        description="Seconds that the pictures of one page range may take together; those beyond "
        "are left out, and the task says so.",
    )
