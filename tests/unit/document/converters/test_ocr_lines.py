"""The order in which recognised lines are read; places are in pixels, lines 20 high."""

from flotilla.document.converters.ocr_lines import Piece, read_in_order

PROSE = (
    "The harbour was built by the town after the flood.",
    "It is open to all boats that draw less than that.",
    "Whoever moors here pays at the office by the gate.",
    "The office is closed on Monday and in all of May.",
    "Nobody may stay for longer than seven nights there.",
)


def column(left: float, top: float, lines: tuple[str, ...], width: float = 400) -> list[Piece]:
    return [
        Piece(line, left, top + 26 * n, left + width, top + 26 * n + 20)
        for n, line in enumerate(lines)
    ]


def text(*pieces: list[Piece]) -> str:
    return read_in_order([piece for group in pieces for piece in group], 1).text


def test_two_columns_are_read_one_after_the_other() -> None:
    left, right = column(0, 100, PROSE), column(450, 103, PROSE[::-1])
    assert text(right, left) == "\n".join(PROSE) + "\n\n" + "\n".join(PROSE[::-1])


def test_a_title_across_columns_stands_ahead_of_both() -> None:
    title = [Piece("The harbour and those who come to it by boat, told anew", 0, 30, 850, 50)]
    between = [Piece("What follows was written in another year by the same two", 0, 300, 850, 320)]
    upper = column(0, 100, PROSE) + column(450, 100, PROSE[::-1])
    lower = column(0, 400, PROSE[1:]) + column(450, 400, PROSE[:4])
    read = text(lower, upper, between, title)
    order = [
        "told anew",
        *PROSE,
        *PROSE[::-1],
        "by the same two",
        *PROSE[1:],
        *PROSE[:4],
    ]
    place = -1
    for part in order:
        place = read.index(part, place + 1)


def test_three_columns() -> None:
    columns = [column(450 * n, 0, tuple(f"{n} {line}" for line in PROSE)) for n in range(3)]
    read = text(*columns).replace("\n\n", "\n").split("\n")
    assert [line[0] for line in read] == ["0"] * 5 + ["1"] * 5 + ["2"] * 5


def test_rows_of_a_table_stay_rows() -> None:
    rows = [("Boat", "Length", "Fee"), ("Dinghy", "to 4 m", "4"), ("Yacht", "to 12 m", "20")]
    pieces = [
        Piece(cell, 300 * x, 26 * y, 300 * x + 11 * len(cell), 26 * y + 20)
        for y, row in enumerate(rows)
        for x, cell in enumerate(row)
    ]
    assert text(pieces) == "Boat | Length | Fee\nDinghy | to 4 m | 4\nYacht | to 12 m | 20"


def test_pieces_of_one_line_are_one_line() -> None:
    assert text([Piece("closed.", 130, 2, 200, 21), Piece("The gate is", 0, 0, 120, 20)]) == (
        "The gate is closed."
    )


def test_a_heading_is_told_by_its_size_and_paragraphs_by_their_gap() -> None:
    heading = [
        Piece("Harbour dues", 0, 0, 300, 40),
        Piece("and how they are paid", 0, 46, 400, 86),
    ]
    page = read_in_order(heading + column(0, 120, PROSE[:2]) + column(0, 220, PROSE[2:]), 7)
    assert page.number == 7
    assert [(h.level, h.title) for h in page.headings] == [
        (1, "Harbour dues and how they are paid")
    ]
    assert page.headings[0].offset == 0
    assert page.text.split("\n\n")[1:] == ["\n".join(PROSE[:2]), "\n".join(PROSE[2:])]


def test_words_that_a_line_end_splits_are_whole_again() -> None:
    lines = ("They built the har-", "bour in 1911-", "1914, a well-", "known work of out-of-")
    read = text(column(0, 0, (*lines, "town masons; well-known it was.")))
    assert "har-\nbour" not in read
    assert "built the harbour\n" in read
    assert "1911-1914," in read
    assert "a well-known\n" in read
    assert "out-of-town\n" in read


def test_no_lines_are_no_text() -> None:
    assert text([]) == ""
