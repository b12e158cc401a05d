import pytest
from pydantic import ValidationError

from flotilla.document.converters import choice
from flotilla.document.converters.choice import available, check_available, choose
from flotilla.document.detect import MediaType
from flotilla.errors import ConverterUnavailable
from flotilla.models import ConverterName
from flotilla.settings import (
    CONVERTERS,
    DocumentSettings,
    LlamaParseSettings,
    LLMSettings,
    OCRSettings,
    Settings,
)


def chosen(
    requested: str = "auto",
    rules: str = "",
    name: str = "Terms.PDF",
    media_type: MediaType = MediaType.PDF,
    content_type: str = "application/pdf",
) -> tuple[str, list[str]]:
    made = choose(
        ConverterName(requested),
        DocumentSettings(converters=rules).converters,
        name=name,
        media_type=media_type,
        content_type=content_type,
    )
    return made.converter.value, [note.code for note in made.notes]


def test_the_settings_know_the_same_converters() -> None:
    assert tuple(ConverterName) == CONVERTERS


@pytest.mark.parametrize(
    ("requested", "rules", "converter"),
    [
        ("auto", "", "auto"),
        ("auto", "*.pdf=llamaparse", "llamaparse"),
        ("auto", "*.docx=llamaparse", "auto"),
        ("auto", "application/pdf=ocr", "ocr"),
        ("auto", "application/*=ocr , *=llamaparse", "ocr"),
        ("auto", "terms*=pdfium,*.pdf=ocr", "pdfium"),
        ("auto", "*.pdf=auto,*=ocr", "auto"),
        ("pdfium", "*.pdf=llamaparse", "pdfium"),
        ("llamaparse", "*.pdf=pdfium", "llamaparse"),
    ],
)
def test_a_wish_goes_before_the_rules_and_the_first_rule_before_the_others(
    requested: str, rules: str, converter: str
) -> None:
    assert chosen(requested, rules) == (converter, [])


@pytest.mark.parametrize("rule", ["*.pdf", "*.pdf=", "=ocr", "*.pdf=tesseract"])
def test_a_rule_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(ValidationError, match=r"PATTERN=CONVERTER"):
        DocumentSettings(converters=rule)


@pytest.mark.parametrize(
    ("requested", "media_type", "converter", "codes"),
    [
        ("ocr", MediaType.DOCX, "auto", ["converter_passed_over"]),
        ("ocr", MediaType.PNG, "ocr", []),
        ("llamaparse", MediaType.MARKDOWN, "auto", ["converter_passed_over"]),
        ("llamaparse", MediaType.TEXT, "auto", ["converter_passed_over"]),
        ("llamaparse", MediaType.DOCX, "llamaparse", []),
        ("llamaparse", MediaType.TIFF, "llamaparse", []),
        ("pdfium", MediaType.HTML, "auto", []),
    ],
)
def test_what_a_converter_cannot_read_is_left_to_the_usual_one(
    requested: str, media_type: MediaType, converter: str, codes: list[str]
) -> None:
    assert chosen(requested, media_type=media_type) == (converter, codes)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        llamaparse=LlamaParseSettings(api_key=None),
        llm=LLMSettings(vision_model=None),
        ocr=OCRSettings(enabled=False),
    )
    assert available(settings) == ["auto", "pdfium"]
    with pytest.raises(ConverterUnavailable, match="LLAMA_CLOUD_API_KEY"):
        check_available(ConverterName.LLAMAPARSE, settings)
    with pytest.raises(ConverterUnavailable, match="FLOTILLA_OCR_ENABLED"):
        check_available(ConverterName.OCR, settings)
    keyed = Settings(llamaparse=LlamaParseSettings(api_key="k"), ocr=OCRSettings())
    monkeypatch.setattr(choice, "find_spec", lambda _name: None)
    with pytest.raises(ConverterUnavailable, match="extra `llamaparse`"):
        check_available(ConverterName.LLAMAPARSE, keyed)
    with pytest.raises(ConverterUnavailable, match="extra `ocr`"):
        check_available(ConverterName.OCR, keyed)
    monkeypatch.setattr(choice, "find_spec", lambda _name: object())
    assert available(keyed) == list(CONVERTERS)


def test_no_picture_is_sent_to_a_model_that_was_named_for_answers() -> None:
    settings = Settings(llm=LLMSettings(model="openai:gpt-4o-mini", api_key="k"))
    assert not choice.has_vision(settings)
