import importlib.util
import io
import json
import zipfile
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from flotilla.document.converters import converter_for
from flotilla.document.detect import detect
from flotilla.document.splitter import SectionSplitter
from flotilla.models import Chunk, Page

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "docs" / "samples"
QUESTIONS = json.loads((SAMPLES / "questions.json").read_text(encoding="utf-8"))
DOCUMENTS = sorted(
    path.name
    for path in SAMPLES.iterdir()
    if path.is_file() and path.name not in ("README.md", "questions.json")
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", ROOT / "scripts/make_samples.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def pages(name: str) -> list[Page]:
    path = SAMPLES / name
    converter = converter_for(detect(path, name), max_unpacked_bytes=10_000_000)
    return list(converter.pages(path))


@cache
def chunks(name: str) -> list[Chunk]:
    splitter = SectionSplitter(lambda text: len(text.split()), chunk_tokens=120, overlap=20)
    return list(splitter.split(pages(name), document_id="d", version_id="v"))


def squeeze(text: str) -> str:
    return " ".join(text.split())


def members(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.mark.parametrize(
    "name", ["terms-of-use.pdf", "price-list.pdf", "faq.docx", "delivery-and-warranty.html"]
)
def test_the_committed_document_is_what_the_script_makes(script: ModuleType, name: str) -> None:
    made, committed = script.DOCUMENTS[name](), (SAMPLES / name).read_bytes()
    if name.endswith(".docx"):
        # How well it is packed depends on the zlib of the machine.
        made, committed = members(made), members(committed)
    assert made == committed, "run scripts/make_samples.py and commit what it makes"


def test_each_fact_stands_in_one_place() -> None:
    everything = {name: pages(name) for name in DOCUMENTS}
    assert len(QUESTIONS["answerable"]) == 20
    assert len(QUESTIONS["unanswerable"]) == 10
    for question in QUESTIONS["answerable"]:
        right = next(
            page for page in everything[question["document"]] if page.number == question["page"]
        )
        assert squeeze(question["must_contain"]) in squeeze(right.text), question


def test_each_answer_is_in_one_chunk() -> None:
    for question in QUESTIONS["answerable"]:
        assert any(
            question["must_contain"] in squeeze(chunk.text)
            and question["page"] in (chunk.page_start, chunk.page_end)
            for chunk in chunks(question["document"])
        ), question


def test_chunks_of_the_terms_carry_clause_and_page() -> None:
    chunk = next(chunk for chunk in chunks("terms-of-use.pdf") if "£600" in chunk.text)
    assert chunk.heading_path == (
        "Terms of Use",
        "3. Test drives",
        "3.3 Insurance on a test drive",
    )
    assert (chunk.page_start, chunk.page_end) == (3, 3)


def test_chunks_of_the_price_list_carry_their_group() -> None:
    chunk = next(chunk for chunk in chunks("price-list.pdf") if "SL-4016" in chunk.text)
    assert chunk.heading_path == ("Price List", "Electric cars")
    assert "SL-4016 | Tesla Model 3 Long Range | 2021 | 35,200" in chunk.text


def test_a_web_pages_furniture_is_left_out() -> None:
    (page,) = pages("delivery-and-warranty.html")
    assert page.text.startswith("Delivery and Warranty\n\nHow your car")
    for furniture in ("Finance calculator", "ferry", "convertibles", "Cookie", "visitCounter"):
        assert furniture not in page.text
