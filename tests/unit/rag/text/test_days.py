import pytest

from flotilla.rag.text.days import PUBLIC_HOLIDAY, dates, day_names, weekdays


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Monday to Friday 8:45 to 18:30", {0, 1, 2, 3, 4}),
        ("Saturday–Monday", {5, 6, 0}),
        ("on Sundays", {6}),
        ("Tuesday and Thursday", {1, 3}),
        ("from Monday to noon, Friday as well", {0, 4}),
        ("every day", set()),
        ("on weekdays", {0, 1, 2, 3, 4}),
        ("Dienstag bis Freitag: 10 bis 17 Uhr", {1, 2, 3, 4}),
        ("Ist sonntags geöffnet?", {6}),
        ("am Sonnabend", {5}),
        ("am Freitagnachmittag", {4}),
        ("Samstagvormittags und am Mittwochabend", {5, 2}),
        ("Are you open on Easter Monday?", set()),
    ],
)
def test_weekdays_and_ranges_of_them(text: str, days: set[int]) -> None:
    assert weekdays(text) == days


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("We close on 24 December.", {1224}),
        ("the 3rd of May and March 5", {503, 305}),
        ("Am 24. und am 31. Dezember geschlossen", {1224, 1231}),
        ("24 to 26 December 2025", {1224, 1225, 1226}),
        ("Are you open on Christmas Eve?", {1224}),
        ("an Heiligabend", {1224}),
        ("on all public holidays", {PUBLIC_HOLIDAY}),
        ("on Good Friday", {PUBLIC_HOLIDAY}),
        ("from 8 to 12, in 3 steps", set()),
    ],
)
def test_days_of_the_year(text: str, days: set[int]) -> None:
    assert dates(text) == days


def test_a_range_of_days_goes_over_the_turn_of_the_year() -> None:
    closed = dates("from 23 December to 1 January")
    assert dates("New Year's Eve") <= closed
    assert closed >= {1223, 1224, 101}
    assert not closed & {1222, 102}


def test_the_words_that_name_a_day_and_no_others() -> None:
    assert day_names("Is the shop open on Christmas Eve?") == "Christmas Eve"
    assert day_names("Is the shop open?") == ""
