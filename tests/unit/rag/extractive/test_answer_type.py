import pytest

from flotilla.rag.extractive.answer_type import (
    MISFIT,
    RIGHT_DAY,
    RIGHT_SIDE,
    WRONG_DAY,
    WRONG_SIDE,
    asks_not,
    day_fit,
    figure_fit,
    named_fit,
    side_fit,
)
from flotilla.rag.extractive.needs import lacks_figure, lacks_name
from flotilla.rag.text.sentences import Kind, Sentence

HEADER = "Stock no. Model Year Mileage Fuel Gearbox Price"
POLO = "SL-1021 Volkswagen Polo 1.0 Match 2020 27,350 Petrol Manual £11,950"


def sentence(text: str, heading: str = "") -> Sentence:
    return Sentence(text, 0, len(text), Kind.SENTENCE, heading=heading)


def row(text: str, header: str) -> Sentence:
    return Sentence(text, 0, len(text), Kind.ROW, header=header)


def test_the_asked_weekday_counts_and_another_does_not() -> None:
    question = "What are your opening hours on Sunday?"
    assert day_fit(question, "Sunday; closed") == RIGHT_DAY
    assert day_fit(question, "Saturday; 9:00 to 17:00") == WRONG_DAY
    assert day_fit(question, "The gate is open until 20:00.") == 1.0
    assert day_fit("When do you open?", "Saturday; 9:00 to 17:00") == 1.0
    assert day_fit("Open on Wednesday?", "Monday to Friday; 8:45") == RIGHT_DAY
    assert day_fit("Ist mittwochs offen?", "Montag bis Freitag: 8.45") == RIGHT_DAY
    assert day_fit("Ist sonntags offen?", "Saturday: 9:00 to 17:00") == WRONG_DAY
    assert day_fit("Open on Boxing Day?", "Closed from 24 to 27 December.") == RIGHT_DAY
    assert day_fit("Open on Easter Monday?", "Monday; 8:45 to 18:30") == 1.0


def test_closed_answers_for_hours_of_its_own_day_only() -> None:
    assert figure_fit("What are your hours on Sunday?", "Sunday; closed") == 1.0
    assert figure_fit("What are your hours on Monday?", "Sunday; closed") == 0.0
    assert figure_fit("What does it cost?", "It costs five pounds.") == 1.0
    assert figure_fit("Who are you?", "A dealer.") == 0.5
    assert figure_fit("Wann ist sonntags offen?", "Sonntag: geschlossen") == 1.0
    assert figure_fit("Wie viel kostet es?", "Es kostet viel.") == 0.0


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


@pytest.mark.parametrize(
    ("question", "negative"),
    [
        ("What does the warranty not cover?", True),
        ("Which things can't be returned?", True),
        ("What is excluded?", True),
        ("What should I never do?", True),
        ("Was ist im Preis nicht enthalten?", True),
        ("What does the warranty cover?", False),
        ("What happens if I do not pay?", False),
        ("What is the fee for those who don't live here?", False),
        ("Why does it not start?", False),
        ("Do you not deliver?", False),
    ],
)
def test_what_is_not_so_is_asked_for_by_some_questions_only(question: str, negative: bool) -> None:
    assert asks_not(question) == negative


def test_what_is_not_so_is_told_by_a_sentence_or_its_heading() -> None:
    question = "What does the warranty not cover?"
    assert side_fit(question, sentence("Tyres are not covered.")) == RIGHT_SIDE
    assert side_fit(question, sentence("Tyres and bulbs.", "Exclusions")) == RIGHT_SIDE
    assert side_fit(question, sentence("It covers the engine.")) == WRONG_SIDE
    assert side_fit("What does it cover?", sentence("Tyres are not covered.")) == 1.0


def test_a_cell_that_says_no_is_not_what_is_not_so() -> None:
    pitch = row("| Meadow | no | £17 |", "| Pitch | Electricity | Price |")
    assert side_fit("What is not included in the price?", pitch) == WRONG_SIDE


def test_the_most_of_something_is_a_figure_or_said_to_be_it() -> None:
    question = "Which is the fastest mower?"
    assert side_fit(question, sentence("Never tilt the mower.")) == WRONG_SIDE
    assert side_fit(question, sentence("The Bracken is the quickest mower.")) == 1.0
    assert side_fit(question, sentence("The Bracken mows 12 metres a minute.")) == 1.0


def test_when_it_opens_does_not_tell_when_it_closes() -> None:
    opens, closes = sentence("The bar opens at 10:30."), sentence("The bar closes at 22:00.")
    both, neither = sentence("The bar: 10:30 to 22:00"), sentence("The bar serves cake.")
    for question in ("When does the bar close?", "Wie lange ist die Bar offen?"):
        assert [side_fit(question, s) for s in (opens, closes, both, neither)] == [
            WRONG_SIDE, 1.0, 1.0, WRONG_SIDE,
        ]  # fmt: skip
    question = "When does the bar open?"
    assert [side_fit(question, s) for s in (opens, closes, both)] == [1.0, WRONG_SIDE, 1.0]
    assert side_fit(question, sentence("The bar is closed for good.")) == 1.0


def test_of_a_strange_name_only_what_holds_anywhere_tells() -> None:
    question, strange = "Do you deliver to Norwich?", {"norwich"}
    rule, other = sentence("We deliver within 50 miles."), sentence("We deliver to islands, too.")
    assert side_fit(question, rule, strange) == RIGHT_SIDE
    assert side_fit(question, other, strange) == WRONG_SIDE
    assert side_fit(question, other) == 1.0
    assert side_fit("How is Norwich reached?", other, strange) == 1.0


def test_a_row_is_not_the_cheapest_by_chance() -> None:
    header = "| Room | Price |"
    assert side_fit("Which is the cheapest room?", row("| Attic | £9 |", header)) == WRONG_SIDE
    assert side_fit("What does the attic cost?", row("| Attic | £9 |", header)) == 1.0


def test_a_name_is_no_telephone_number() -> None:
    question = "What is Jane Doe's phone number?"
    assert side_fit(question, sentence("Warden: Jane Doe")) == WRONG_SIDE
    assert side_fit(question, sentence("Jane Doe's telephone is 01632 960 255.")) == 1.0
    assert side_fit("Can I phone Jane Doe?", sentence("Warden: Jane Doe")) == 1.0


def test_hours_do_not_tell_where_something_is() -> None:
    hours = sentence("Saturday: 9:00 to 17:00", "Showroom")
    assert side_fit("Where is the showroom?", hours) == WRONG_SIDE
    closed = sentence("Sunday: closed, viewing by appointment", "Showroom")
    assert side_fit("Where is the showroom?", closed) == WRONG_SIDE
    assert side_fit("When is the showroom open?", hours) == 1.0


@pytest.mark.parametrize(
    ("question", "sentence", "lacks"),
    [
        ("How much does the director earn?", "Director: Salome Whitlock", True),
        ("How old is the valuer?", "The valuer looks at each car.", True),
        ("How many guests may I bring?", "You may bring two guests.", False),
        ("How much does a card cost?", "A card is free.", False),
        ("How far is the station?", "The station is round the corner.", False),
        ("Wie groß ist der Balkon?", "Auf dem Balkon darf nicht gegrillt werden.", True),
    ],
)
def test_what_only_a_figure_answers_is_not_told_without_one(
    question: str, sentence: str, lacks: bool
) -> None:
    assert lacks_figure(question, sentence) is lacks


@pytest.mark.parametrize(
    ("question", "sentence", "lacks"),
    [
        ("What are the names of the three lenders?", "We know three lenders since July.", True),
        ("What are the names of the lenders?", "The lenders are Brook Bank and Ferrol.", False),
        ("Who won the Ellery regatta?", "During the Ellery regatta we close at one.", True),
        ("Who won the Ellery regatta?", "The regatta was won by Ida Moss.", False),
        ("What is the name of the warden?", "Warden: Ifor Prendergast", False),
        ("Who may drive?", "Drivers who are older than 23 may.", False),
    ],
)
def test_what_only_a_name_answers_is_not_told_without_one(
    question: str, sentence: str, lacks: bool
) -> None:
    assert lacks_name(question, sentence) is lacks


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("The practice was started by Dr Helen Marsh, and is led by her daughter.", False),
        ("She has cared for animals since 1994.", False),
        ("You find us behind the station.", True),
        ("The file is now /etc/kestrel/config.toml.", True),
        ("Bewerbungen nehmen wir online entgegen.", True),
    ],
)
def test_where_something_is_is_told_by_a_place(text: str, told: bool) -> None:
    sentence = Sentence(text, 0, len(text), Kind.SENTENCE)
    assert (side_fit("Where is the clinic?", sentence) < 1) is not told
