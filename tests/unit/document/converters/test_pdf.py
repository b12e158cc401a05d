from pathlib import Path

import pytest
from pypdf import PdfWriter

from flotilla.document.converters.pdf import PdfConverter
from flotilla.document.converters.pdf_words import is_doubtful
from flotilla.errors import FileCorrupt, FileEncrypted, NoText, WrongPassword
from flotilla.models import Page

LOREM = "The quay was empty but for a heron.\nNothing moved on the water.\n" * 5


def convert(path: Path, **options: object) -> list[Page]:
    return list(PdfConverter().pages(path, **options))


def test_pages_keep_their_numbers_and_empty_ones_stay(make_pdf) -> None:
    pages = convert(make_pdf("first", "", "third"))
    assert [(page.number, page.text) for page in pages] == [(1, "first"), (2, ""), (3, "third")]


def test_a_range_of_pages_is_as_the_whole(make_pdf) -> None:
    path = make_pdf(*(f"# Part {n}\nText of part {n}.\n{LOREM}" for n in range(1, 8)))
    assert convert(path, first=3, last=5) == convert(path)[2:5]


def test_inspect_counts_pages_and_reads_the_title(make_pdf) -> None:
    info = PdfConverter().inspect(make_pdf("a", "b", title="Harbour  dues"))
    assert (info.pages, info.title) == (2, "Harbour dues")


def test_headings_by_size_stand_where_their_line_does(make_pdf) -> None:
    page = convert(make_pdf(f"# Mooring\n{LOREM}# Leaving\n{LOREM}"))[0]
    assert [heading.title for heading in page.headings] == ["Mooring", "Leaving"]
    for heading in page.headings:
        assert page.text[heading.offset :].startswith(heading.title + "\n")


def test_an_outline_is_preferred_and_its_titles_are_found(make_pdf) -> None:
    path = make_pdf(
        f"# Not this one\nwe speak of Dues here\nDues\n{LOREM}",
        "1.1 Discounts\nfor members",
        outline=[(1, 1, "Dues"), (2, 2, "Discounts")],
    )
    one, two = convert(path)
    assert [(h.level, h.title) for h in one.headings] == [(1, "Dues")]
    assert one.text[one.headings[0].offset :].startswith("Dues\nThe quay")
    assert [(h.level, h.title, h.offset) for h in two.headings] == [(2, "Discounts", 0)]


def test_running_titles_and_page_numbers_are_left_out(make_pdf) -> None:
    pages = convert(make_pdf(*[LOREM] * 4, running="Harbour Gazette, page {}"))
    assert not any("Gazette" in page.text for page in pages)


def test_numbers_that_are_not_the_page_number_stay(make_pdf) -> None:
    pages = convert(make_pdf(*(f"{LOREM}Total {n * n + 40}" for n in range(1, 6))))
    assert [page.text.splitlines()[-1] for page in pages] == [
        f"Total {n * n + 40}" for n in range(1, 6)
    ]


def lock(path: Path, user: str, owner: str | None, algorithm: str) -> Path:
    writer = PdfWriter(clone_from=path)
    writer.encrypt(user, owner, algorithm=algorithm)
    locked = path.with_name("locked.pdf")
    writer.write(locked)
    return locked


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256"])
def test_either_password_opens_an_encrypted_file_and_no_other_does(make_pdf, algorithm) -> None:
    path = lock(make_pdf("secret"), "user", "owner", algorithm)
    with pytest.raises(FileEncrypted):
        convert(path)
    with pytest.raises(WrongPassword):
        convert(path, password="guess")
    assert convert(path, password="user")[0].text == "secret"
    assert convert(path, password="owner")[0].text == "secret"


def test_a_password_beyond_ascii_opens_an_older_file(make_pdf) -> None:
    path = lock(make_pdf("secret"), "schlüssel", None, "RC4-128")
    assert convert(path, password="schlüssel")[0].text == "secret"
    with pytest.raises(WrongPassword):
        convert(path, password="schlösser")


def test_a_restriction_without_a_user_password_needs_none(make_pdf) -> None:
    assert convert(lock(make_pdf("open"), "", "owner", "AES-128"))[0].text == "open"


def test_no_text_on_any_page_looks_scanned(make_pdf) -> None:
    with pytest.raises(NoText, match="scanned"):
        convert(make_pdf("", ""))


def test_a_range_without_text_is_no_failure(make_pdf) -> None:
    assert [page.text for page in convert(make_pdf("a", ""), first=2, last=2)] == [""]


@pytest.mark.parametrize("content", [b"%PDF-1.7\nnothing", b"%PDF-1.4\n" + b"\xff\0" * 500])
def test_garbage_is_corrupt(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(content)
    with pytest.raises(FileCorrupt):
        convert(path)
    with pytest.raises(FileCorrupt):
        PdfConverter().inspect(path)


def test_a_truncated_file_gives_what_is_left_or_says_so(make_pdf) -> None:
    path = make_pdf(*(f"page {n}" for n in range(1, 20)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        pages = convert(path)
    except FileCorrupt:
        return
    assert all(page.text in ("", f"page {page.number}") for page in pages)
    assert any(page.text for page in pages)


def test_a_title_that_is_no_text_is_none(make_pdf) -> None:
    path = make_pdf("The quay.", title="HARBOUR")
    written = path.read_bytes()
    # A lone surrogate of UTF-16 in the place of the title's letters.
    broken = written.replace(b"(HARBOUR)", b"<FEFFDC00>")
    assert broken != written
    path.write_bytes(broken)
    assert PdfConverter().inspect(path).title is None
    assert convert(path)[0].text == "The quay."


def test_a_text_of_characters_that_are_none_is_doubtful() -> None:
    assert is_doubtful("\x01\x04\x05 \x06\x07\x08")
    assert is_doubtful("\ue001\ue002 and \ue003")
    assert not is_doubtful("Line one\r\nline two\ufffe\x02 and some more of it")
