from flotilla.rag.text.asked import names, parts


def test_the_parts_of_a_question() -> None:
    assert parts("How long is it and what does the warranty cover?") == [
        "How long is it and what does the warranty cover?"
    ], "a part that names nothing is asked with the rest"
    assert parts("What is the deposit, and how long does a reservation hold?") == [
        "What is the deposit",
        "how long does a reservation hold",
    ]
    assert parts("Do you take vans and cars?") == ["Do you take vans and cars?"]
    assert len(parts("Wie hoch ist die Anzahlung und wann schließt die Werkstatt?")) == 2


def test_the_names_in_a_question() -> None:
    assert names("What does the Honda Civic cost?") == {"honda", "civic"}
    assert names("Which stock number is SL-9001?") == {"sl-9001"}
    assert names("how much is the audi q5?") == {"q5"}
    assert names("Is there a discount? Do I get one?") == frozenset()


def test_no_names_are_told_where_everything_is_written_large() -> None:
    assert names("Welche Farbe hat der Wagen bei der Übergabe?") == frozenset()
    assert names("WHAT IS THE DEPOSIT?") == frozenset()
    assert names("How Long Is The Warranty?") == frozenset()
