from pathlib import Path

import pytest

from flotilla.document.converters.delimited import DelimitedConverter, find_delimiter
from flotilla.document.converters.sheets import PAGE_ROWS
from flotilla.errors import InvalidEncoding, NoText
from flotilla.models import Page
from tests.unit.document.converters.conftest import SplitFile


def convert(folder: Path, content: str | bytes, delimiter: str | None = None) -> list[Page]:
    path = folder / "rows.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(DelimitedConverter(delimiter).pages(path))


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("a\tb c, d\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('name;text\nx;"one; two, three"\n', ";"),
        ("no table at all\n", ","),
    ],
)
def test_what_parts_the_cells_is_found(text: str, delimiter: str) -> None:
    assert find_delimiter(text) == delimiter


def test_rows_are_lines_and_the_first_is_the_header(tmp_path: Path) -> None:
    (page,) = convert(tmp_path, 'Berth,Boat,Note\nA1,"Tern, grey","two\nlines"\nA2,Gull,\n')
    assert page.text == "Berth | Boat | Note\nA1 | Tern, grey | two lines\nA2 | Gull | "
    (region,) = page.regions
    assert (region.start, region.end, region.header_rows) == (0, len(page.text), 1)
    assert region.html is not None
    assert region.html.startswith("<table><thead><tr><th>Berth</th>")


def test_numbers_are_no_header(tmp_path: Path) -> None:
    (page,) = convert(tmp_path, "1;2;3\n4;5;6\n")
    assert page.regions[0].header_rows == 0


@pytest.mark.parametrize(
    "content",
    [
        b"sep=|\na|b,c\n1|2\n",
        "a|b,c\n1|2\n".encode("utf-16"),
        "\ufeffa|b,c\r\n1|2\r\n".encode(),
    ],
)
def test_what_programs_write_ahead_is_understood(tmp_path: Path, content: bytes) -> None:
    (page,) = convert(tmp_path, content)
    assert page.text == "a | b,c\n1 | 2"


def test_a_quotation_mark_that_is_never_closed_takes_no_rows_with_it(tmp_path: Path) -> None:
    rows = "".join(f'{number},7" pipe\n' for number in range(3))
    pages = convert(tmp_path, f'n,"what\n{rows}' + "x,y\n" * 3000)
    assert '1 | 7" pipe\n' in pages[0].text
    assert pages[-1].text.endswith("x | y")
    (page,) = convert(tmp_path, 'n,what,m\n1,"rope,3\n2,oar,4\n')
    assert page.text.endswith('1 | "rope | 3\n2 | oar | 4')
    (page,) = convert(tmp_path, 'n,what,m\n1,"rope, long",3\n2,"oar\n"')
    assert page.text.endswith("1 | rope, long | 3\n2 | oar")


def test_a_long_file_is_several_pages(tmp_path: Path, split_file: SplitFile) -> None:
    path = tmp_path / "long.tsv"
    path.write_text(
        "number\tboat, name\tm\n" + "".join(f"{n}\tx\t7\n" for n in range(PAGE_ROWS)),
        encoding="utf-8",
    )
    chunks = split_file(path)
    assert chunks[0].text.startswith("number | boat, name | m\n0 | x | 7\n")
    assert chunks[-1].text.endswith(f"{PAGE_ROWS - 1} | x | 7")


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidEncoding):
        convert(tmp_path, b"caf\xe9,1\n")


def test_nothing_but_separators_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoText):
        convert(tmp_path, ",,\n,,\n")
