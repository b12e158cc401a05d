"""Files of others, of all formats: each ends as a reader of it would expect.

They are in the folder that `--robustness` names; tests/reference_texts.py says in which form.
"""

import re
from contextlib import suppress

import pytest

from flotilla.errors import FileEncrypted, FlotillaError, NoText, UnsupportedType, WrongPassword
from tests.reference_texts import Reference, converted, references, text_of, word_f1

LEAST_F1 = 0.95
# Files whose reference is not what a reader sees, or not to be had, with the least that is kept.
# docs/documents.md names the reasons.
EXCEPTIONS = {
    "pdfbox/FC60_Times.pdf": 0.0,
    "pdfbox/PDFBOX-3053-reduced.pdf": 0.75,
    "docling/html__example_08.html": 0.94,
    "docling/html__html_rich_table_cells.html": 0.94,
    "docling/md__escaped_characters.md": 0.85,
    "docling/md__signature_stamp_01.md": 0.75,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "reference" not in metafunc.fixturenames:
        return
    folder = metafunc.config.getoption("robustness")
    if folder is None or not (folder / "manifest.jsonl").is_file():
        reason = "--robustness names no folder with files of others"
        metafunc.parametrize("reference", [pytest.param(None, marks=pytest.mark.skip(reason))])
        return
    files = references(folder)
    metafunc.parametrize("reference", files, ids=[file.id for file in files])


@pytest.fixture(scope="module")
def by_id(request: pytest.FixtureRequest) -> dict[str, Reference]:
    return {file.id: file for file in references(request.config.getoption("robustness"))}


def folded(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_a_file_ends_as_its_reader_expects(reference: Reference, by_id) -> None:
    expect = reference.expect
    if expect["status"] == "any":
        wanted = UnsupportedType if expect.get("reject") else FlotillaError
        with pytest.raises(wanted) if expect.get("reject") else suppress(wanted):
            converted(reference)
        return
    if expect["status"] == "password":
        with pytest.raises(FileEncrypted):
            converted(reference)
        with pytest.raises(WrongPassword):
            converted(reference, "not the password")
    try:
        pages = converted(reference, reference.password)
    except NoText:
        assert expect.get("scanned"), "it has text"
        return
    text = text_of(pages)
    assert not expect.get("scanned") or not text.strip()
    assert len(pages) == expect.get("pages", len(pages))
    if "same_text_as" in expect:
        assert text == text_of(converted(by_id[expect["same_text_as"]]))
    for passage in expect.get("include", ()):
        assert folded(passage) in folded(text)
    for passage in expect.get("exclude", ()):
        assert folded(passage) not in folded(text)
    for page in pages:
        for region in page.regions:
            assert 0 <= region.start < region.end <= len(page.text)
    if reference.text is not None:
        assert word_f1(text, reference.text) >= EXCEPTIONS.get(reference.id, LEAST_F1)
