import pytest

from flotilla.rag.answer_type import (
    MISFIT,
    RIGHT_DAY,
    WRONG_DAY,
    figure_fit,
    named_fit,
    weekday_fit,
    weekdays,
)
from flotilla.rag.sentences import Kind, Sentence

HEADER = "Stock no. Model Year Mileage Fuel Gearbox Price"
POLO = "SL-1021 Volkswagen Polo 1.0 Match 2020 27,350 Petrol Manual £11,950"


def row(text: str, header: str) -> Sentence:
    return Sentence(text, 0, len(text), Kind.ROW, header=header)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Monday to Friday 8:45 to 18:30", {0, 1, 2, 3, 4}),
        ("Saturday–Monday", {5, 6, 0}),
        ("on Sundays", {6}),
        ("Tuesday and Thursday", {1, 3}),
        ("from Monday to noon, Friday as well", {0, 4}),
        ("every day", set()),
    ],
)
def test_weekdays_and_ranges_of_them(text: str, days: set[int]) -> None:
    assert weekdays(text) == days


def test_the_asked_weekday_counts_and_another_does_not() -> None:
    question = "What are your opening hours on Sunday?"
    assert weekday_fit(question, "Sunday; closed") == RIGHT_DAY
    assert weekday_fit(question, "Saturday; 9:00 to 17:00") == WRONG_DAY
    assert weekday_fit(question, "The gate is open until 20:00.") == 1.0
    assert weekday_fit("When do you open?", "Saturday; 9:00 to 17:00") == 1.0
    assert weekday_fit("Open on Wednesday?", "Monday to Friday; 8:45") == RIGHT_DAY


def test_closed_answers_for_hours_of_its_own_day_only() -> None:
    assert figure_fit("What are your hours on Sunday?", "Sunday; closed") == 1.0
    assert figure_fit("What are your hours on Monday?", "Sunday; closed") == 0.0
    assert figure_fit("What does it cost?", "It costs five pounds.") == 1.0
    assert figure_fit("Who are you?", "A dealer.") == 0.5


@pytest.mark.parametrize(
    ("question", "fit"),
    [
        ("What colour is the Volkswagen Polo?", MISFIT),
        ("How many cars did you sell last year?", MISFIT),
        ("How many doors does the Polo have?", MISFIT),
        ("What fuel does the Polo use?", 1.0),
        ("What year is the Polo?", 1.0),
        ("Which Volkswagen do you have?", 1.0),
        ("Which cars do you have?", 1.0),
        ("What is the price of the Polo?", 1.0),
        ("How much is the Polo?", 1.0),
    ],
)
def test_a_table_tells_what_its_columns_name(question: str, fit: float) -> None:
    assert named_fit(question, row(POLO, HEADER), ["small", "car"]) == fit


def test_a_table_without_names_of_columns_may_tell_anything() -> None:
    assert named_fit("What colour is the Polo?", row(POLO, ""), []) == 1.0
    assert named_fit("What colour is it?", row("Saturday   9:00", "Showroom"), []) == 1.0
