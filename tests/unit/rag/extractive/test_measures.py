import pytest

from flotilla.rag.extractive.measures import measured, names_it


@pytest.mark.parametrize(
    ("cells", "largest"),
    [
        (["£8,450", "£16,250", "£995"], 1),
        (["6,50 €", "14,00 €", "4,00 €"], 1),
        (["free", "£5", "£1.10"], 1),
        (["12", "none", "7"], 0),
        (["2 weeks", "10 days", "1 month"], 2),
        (["800 g", "1.2 kg"], 1),
        (["28 m² (with a bay)", "110 m²"], 1),
        (["2021-03-12", "2020-11-30"], 0),
    ],
)
def test_values_are_compared_in_one_unit(cells: list[str], largest: int) -> None:
    column = measured(cells)
    assert column is not None
    assert column.extreme(largest=True) == {largest}


@pytest.mark.parametrize(
    "cells",
    [
        ["£5", "12 pence"],
        ["25 to 80 mm", "46 cm"],
        ["Room 1", "Room 2"],
        ["Petrol", "Diesel"],
        ["3 weeks", "£5"],
        ["7", "none", "no", "–"],
        ["yes", "free"],
    ],
)
def test_what_is_uncertain_is_not_compared(cells: list[str]) -> None:
    assert measured(cells) is None


def test_a_column_is_named_by_a_word_or_its_beginning() -> None:
    assert names_it("Mileage", ["mile"])
    assert names_it("Price per night", ["cost", "price"])
    assert not names_it("Model", ["mile"])
