"""Tables among running text become chunks of their own, long ones by rows."""

import re

from flotilla.document.sections import MAX_SECTION_CHARS
from flotilla.document.splitter import SectionSplitter
from flotilla.models import PAGE_BREAK, Chunk, DataType, Heading, Page, Region
from tests.unit.document.test_splitter import prose, words

HEADER = "Model | Price | Seats"


def split(pages: list[Page], size: int = 40, title: str = "") -> list[Chunk]:
    splitter = SectionSplitter(words, chunk_tokens=size, overlap=8)
    chunks = list(splitter.split(pages, document_id="d", version_id="v", title=title))
    document = PAGE_BREAK.join(page.text for page in pages)
    covered: set[int] = set()
    for chunk in chunks:
        assert chunk.text == document[chunk.start : chunk.end]
        assert chunk.tokens <= size
        covered |= set(range(chunk.start, chunk.end))
    assert all(char.isspace() for at, char in enumerate(document) if at not in covered)
    return chunks


def rows(count: int) -> list[str]:
    return [f"Car{number} | {number},000 | {number % 7}" for number in range(count)]


def html(lines: list[str], head: int = 1) -> str:
    def row(line: str, tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in line.split(' | '))}</tr>"

    top = "".join(row(line, "th") for line in lines[:head])
    rest = "".join(row(line, "td") for line in lines[head:])
    return f"<table><thead>{top}</thead><tbody>{rest}</tbody></table>"


def page(before: str, lines: list[str], after: str = "", **region: object) -> Page:
    table = "\n".join(lines)
    start = len(before)
    given = {"html": html(lines), "header_rows": 1} | region
    return Page(
        number=1,
        text=before + table + after,
        regions=(Region(data_type=DataType.TABLE, start=start, end=start + len(table), **given),),
    )


def test_a_table_is_a_chunk_with_the_line_that_announces_it() -> None:
    lines = [HEADER, *rows(3)]
    announced = "These are the prices of this year:"
    chunks = split([page(f"{prose(8)}\n\n{announced}\n\n", lines, f"\n\n{prose(6)}")])

    (table,) = [chunk for chunk in chunks if chunk.data_type is DataType.TABLE]
    assert table.text == f"{announced}\n\n" + "\n".join(lines)
    assert table.html == html(lines)
    assert not any(" | " in chunk.text for chunk in chunks if chunk is not table)
    assert all(chunk.html is None for chunk in chunks if chunk is not table)


def test_each_part_of_a_long_table_has_the_header_in_what_is_embedded_and_in_its_html() -> None:
    lines = [HEADER, *rows(40)]
    chunks = split([page("", lines)])

    assert len(chunks) > 3
    assert chunks[0].text.startswith(HEADER)
    assert chunks[0].context == ""
    for chunk in chunks[1:]:
        shown = chunk.text.split("\n")
        assert chunk.context == HEADER
        assert chunk.html == html([HEADER, *shown])
        assert words(chunk.embedded) <= 40
    assert [line for chunk in chunks for line in chunk.text.split("\n")] == lines


def test_a_cell_that_spans_rows_stands_in_each_part_of_its_table() -> None:
    lines = ["Region | Town", *(f"North | Town{number}" for number in range(30))]
    spanned = "".join(f"<tr><td>Town{number}</td></tr>" for number in range(1, 30))
    markup = (
        "<table><thead><tr><th>Region</th><th>Town</th></tr></thead><tbody>"
        f'<tr><td rowspan="30">North</td><td>Town0</td></tr>{spanned}</tbody></table>'
    )
    chunks = split([page("", lines, html=markup)])

    assert len(chunks) > 2
    for chunk in chunks:
        assert chunk.html is not None
        assert chunk.html.count("North") == 1
        towns = re.findall(r"Town\d+", chunk.text)
        assert f'<td rowspan="{len(towns)}">North</td>' in chunk.html
        assert re.findall(r"Town\d+", chunk.html) == towns


def test_a_cell_may_span_thousands_of_rows() -> None:
    lines = [f"North | Town{number}" for number in range(1500)]
    spanned = "".join(f"<tr><td>Town{number}</td></tr>" for number in range(1, 1500))
    markup = f'<table><tr><td rowspan="1500">North</td><td>Town0</td></tr>{spanned}</table>'
    for chunk in split([page("", lines, html=markup, header_rows=0)]):
        assert chunk.html is not None
        assert chunk.html.count("North") == 1


def test_rows_that_the_html_does_not_have_are_written_from_the_text() -> None:
    lines = [HEADER, *rows(2)]
    (chunk,) = split([page("", lines, html="<table><tr><td>one & only</td></tr></table>")])
    assert chunk.html == html(lines)


def test_a_table_longer_than_a_section_is_cut_between_rows() -> None:
    lines = [HEADER, *(f"Car. Number {number} | 1. 2. {number} | x" for number in range(3000))]
    assert len("\n".join(lines)) > 2 * MAX_SECTION_CHARS
    chunks = split([page("", lines)])

    assert [line for chunk in chunks for line in chunk.text.split("\n")] == lines
    for chunk in chunks[1:]:
        assert chunk.html == html([HEADER, *chunk.text.split("\n")])


def test_title_headings_and_caption_are_embedded_ahead_of_the_text() -> None:
    text = f"2. Prices\n\n{prose(8)}\n\n"
    lines = [HEADER, *rows(2)]
    prices = page(text, lines, caption="Prices of 2026")
    headed = prices.model_copy(
        update={"headings": (Heading(offset=0, level=1, title="2. Prices"),)}
    )
    first, *_, table = split([headed], title="Harbour Motors")

    assert first.context == "Harbour Motors"  # its heading stands in the text
    assert table.context == "Harbour Motors > 2. Prices > Prices of 2026"
    assert table.embedded == f"{table.context}\n{table.text}"
    assert "Harbour" not in table.text


def test_a_context_leaves_room_for_the_text() -> None:
    path = tuple(Heading(offset=0, level=n, title=prose(1, seed=n)) for n in range(1, 6))
    chunks = split([Page(number=1, text=prose(20), headings=path)], title=prose(2, seed=9))
    assert all(0 < words(chunk.context) <= 10 for chunk in chunks)


def test_the_summary_of_a_picture_is_a_chunk_with_its_place() -> None:
    before, summary = f"{prose(8)}\n\n", "[Picture: a lighthouse on a rock]"
    region = Region(
        data_type=DataType.IMAGE,
        start=len(before),
        end=len(before) + len(summary),
        box=(10.0, 20.0, 200.0, 300.0),
    )
    chunks = split([Page(number=4, text=before + summary, regions=(region,))])

    (picture,) = [chunk for chunk in chunks if chunk.data_type is DataType.IMAGE]
    assert summary in picture.text
    assert (picture.box, picture.page_start, picture.html) == (region.box, 4, None)
