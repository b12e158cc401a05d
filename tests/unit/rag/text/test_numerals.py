from flotilla.rag.text.numerals import numbers, years


def test_numbers_in_figures_and_words_are_the_same() -> None:
    assert numbers("thirty-six months, 36 days") == {"36"}
    assert numbers("£20,000 and 1.234.567 and 10.9 per cent") == {"20000", "1234567", "10.9"}
    assert numbers("Fourteen-day return within twenty days") == {"14", "20"}
    assert numbers("someone often attends") == frozenset()


def test_years_are_of_this_century_or_the_last() -> None:
    assert years(numbers("From 1987 to 2027, 2,100 times and 1789")) == {"1987", "2027"}
