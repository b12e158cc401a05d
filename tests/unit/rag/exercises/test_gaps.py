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
