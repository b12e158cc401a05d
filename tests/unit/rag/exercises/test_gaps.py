import pytest

from flotilla.rag.exercises.gaps import GapKind, gaps


def kinds(text: str) -> dict[str, GapKind]:
    return {gap.text: gap.kind for gap in gaps(text)}


def test_what_may_be_left_out() -> None:
    text = (
        "On 3 May 2024 at 13:00 the fee of £1,250 rose by 4.5 per cent, says Anna Berg, after "
        "fourteen days and 300 miles."
    )
    assert kinds(text) == {
        "3 May 2024": GapKind.DATE,
        "13:00": GapKind.TIME,
        "£1,250": GapKind.AMOUNT,
        "4.5 per cent": GapKind.PERCENTAGE,
        "Anna Berg": GapKind.NAME,
        "fourteen": GapKind.NUMBER_WORD,
        "300": GapKind.NUMBER,
    }
    for gap in gaps(text):
        assert text[gap.start : gap.end] == gap.text


def test_what_tells_nothing_or_is_told_twice_may_not() -> None:
    assert kinds("Within 14 days, or 14 weeks, you have 1 way and 2 forms.") == {}
    assert kinds("12 visitors came on a day when the Red Lion was closed.") == {
        "Red Lion": GapKind.NAME
    }
    assert kinds("See section 3.1/4 of SL-1014 and A4 paper.") == {}


@pytest.mark.parametrize(
    "text",
    [
        "The rules stand in the [Annual Report](https://example.org/2023/report) of the club.",
        "All of it is told at https://example.org/2023/report by the club.",
        "The figures are kept in report-2023.pdf by the office.",
        "Members can read the Annual Report.pdf at home.",
        "Run `flotilla up --workers 4` in the folder.",
        "Run flotilla up --workers 4 in the folder.",
        "Set MAX_PAGES=300 before the start.",
        "The logs lie in /var/log/2023 on the server.",
        "The fee is set out in Section 14 and in clauses 15 and 16.",
        "Die Gebühr steht in Abschnitt 14 der Satzung.",
        "Call the office on 01632 960 123 in good time.",
        "As a footnote [12] of the report tells the reader.",
        "Hollow Oak Campsite, Ferry Road 3, Nether Stoke NS9 4TT",
    ],
)
def test_what_is_looked_up_and_not_known_may_not(text: str) -> None:
    assert kinds(text) == {}


def test_around_what_is_looked_up_there_may_be_gaps() -> None:
    text = "A file of 300 pages, such as report-2023.pdf, takes 14 minutes; see page 9 or 24/7."
    assert [*kinds(text)] == ["300", "14"]
