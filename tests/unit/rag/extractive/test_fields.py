"""Whether a row or a line of contact has the very field that a question asks for."""

import pytest

from flotilla.models import Passage
from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.fields import WIDE, passages_needed, tells_field
from flotilla.rag.extractive.generator import ExtractiveGenerator
from tests.unit.rag.conftest import MakePassage, WordEmbedder

LOANS = """\
## What we lend

| Kind | Loan period | Fee a day | Weight |
|---|---|---|---|
| Films | 7 days | £0.50 | 0.1 kg |
| Board games | 14 days | £1.00 | 2.0 kg |"""
CONTACT = "Reach us\n\nTown Library\n7 Corn Street\nWhitcombe WT3 8LB\n\nTelephone: 01632 960 774"


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("How long can I keep a film?", ["Films"]),
        ("How long may we have a board game?", ["Board games"]),
        ("What does a film cost?", ["Films"]),
        ("Wie schwer sind board games?", ["Board games"]),
        ("How long can I keep a magazine?", []),
        ("How much does insurance for a film cost?", []),
        ("How long can I keep 20 films?", []),
        ("How fast are films?", []),
        ("How many people play a board game?", []),
    ],
)
def test_a_row_tells_what_one_of_its_columns_measures(
    question: str, rows: list[str], passage: MakePassage
) -> None:
    found = [c for c in candidates([passage(LOANS)]) if tells_field(question, c)]
    assert [c.sentence.named_cells[0][1] for c in found] == rows


FEES = """| Gruppe | Jahresbeitrag | Aufnahmegebühr |
| --- | --- | --- |
| Studierende | 120 € | 25 € |
| Jugendliche bis 17 Jahre | 90 € | keine |
"""


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Müssen Jugendliche eine Aufnahmegebühr zahlen?", ["Jugendliche bis 17 Jahre"]),
        ("Zahlen Rentner eine Aufnahmegebühr?", []),
        ("Zahlen Jugendliche einen Zuschlag?", []),
    ],
)
def test_a_row_tells_the_column_that_is_named(
    question: str, rows: list[str], passage: MakePassage
) -> None:
    found = [c for c in candidates([passage(FEES)]) if tells_field(question, c)]
    assert [c.sentence.named_cells[0][1] for c in found] == rows


def test_a_line_of_contact_is_of_what_its_passage_names(passage: MakePassage) -> None:
    def told(question: str) -> list[str]:
        found = candidates([passage(CONTACT, document_name="library.md")])
        return [c.sentence.shown for c in found if tells_field(question, c)]

    assert told("What is the library's phone number?") == ["Telephone: 01632 960 774"]
    assert told("What is the address?") == ["Town Library, 7 Corn Street, Whitcombe WT3 8LB"]
    assert told("What is the phone number of Jane Doe?") == []
    assert told("What is the library's fax number?") == []


def test_a_field_is_chosen_before_what_has_more_words_of_the_question(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    passages = [passage("The number grows.", 0), passage(CONTACT, 1)]
    generator = ExtractiveGenerator(embedder, threshold=0)
    draft = generator.generate("What is the telephone number?", passages)
    assert draft.text == "Telephone: 01632 960 774 [1]"


def test_more_is_searched_for_what_is_told_beside_the_others() -> None:
    assert passages_needed("Which is the cheapest room?", 5) == WIDE
    assert passages_needed("What is your phone number?", 5) == WIDE
    assert passages_needed("How many seats has the granary?", 5) == WIDE
    assert passages_needed("Which is the cheapest room?", 50) == 50
    assert passages_needed("What does the granary cost?", 5) == 5


def test_a_label_tells_what_stands_behind_it(passage: MakePassage) -> None:
    text = "Reach us\n\nLibrarian: Henrietta Okafor\nOffice width   46 cm\nSeats: 12"

    def told(question: str) -> list[str]:
        return [
            c.sentence.shown
            for c in candidates([passage(text, document_name="library.md")])
            if tells_field(question, c)
        ]

    assert told("Who is the librarian?") == ["Librarian: Henrietta Okafor"]
    assert told("How many seats are in the library?") == ["Seats: 12"]
    assert told("How many seats are in the cinema?") == []
    assert told("Who was the librarian in 1990?") == []


def test_whether_a_day_of_the_year_is_open(passage: MakePassage) -> None:
    text = "Am 24. und am 31. Dezember bleibt das ganze Haus geschlossen. Der Eintritt kostet 6 €."

    def told(question: str) -> list[str]:
        found = candidates([passage(text, document_name="museum.md")])
        return [c.sentence.shown for c in found if tells_field(question, c)]

    assert len(told("Hat das Museum an Heiligabend geöffnet?")) == 1
    assert len(told("Is the museum open on New Year's Eve?")) == 1
    assert told("Is the museum open on Boxing Day?") == []
    assert told("Is the cinema open on New Year's Eve?") == []


def test_hours_of_a_weekday_where_nothing_else_is_named(passage: MakePassage) -> None:
    text = "Showroom\n  Saturday   9:00 to 17:00\n  Sunday   closed\n\nWorkshop\n  Sunday   closed"

    def told(question: str) -> list[str]:
        found = candidates([passage(text, document_name="hours.txt")])
        return [c.sentence.heading for c in found if tells_field(question, c)]

    assert told("Are you open on Sunday?") == ["Showroom", "Workshop"]
    assert told("Ist sonntags geöffnet?") == ["Showroom", "Workshop"]
    assert told("Is the café open on Sunday?") == []


def test_a_number_or_address_within_a_sentence_answers_where_no_line_has_it(
    passage: MakePassage, embedder: WordEmbedder
) -> None:
    text = (
        "The clinic is open on weekdays, and the clinic is closed on Sunday. "
        "Ring the clinic on 01632 555 210 between 8:00 and 11:00. "
        "Brookfield Clinic, 7 Mill Rise, Brookfield BR3 8TL. Buses stop outside."
    )
    generator = ExtractiveGenerator(embedder, threshold=0.0)
    within = [passage(text, document_name="clinic.md")]
    phone, address = "What is the phone number of the clinic?", "What is the address of the clinic?"
    assert generator.generate(phone, within).text.startswith("Ring the clinic on 01632 555 210")
    told = generator.generate(address, within).text
    assert told == "Brookfield Clinic, 7 Mill Rise, Brookfield BR3 8TL. [1]"
    lined = [*within, passage("Clinic telephone: 01632 960 774", 1, document_name="clinic.md")]
    assert generator.generate(phone, lined).text == "Clinic telephone: 01632 960 774 [1]"


PEOPLE = """\
At a glance

Lecturer: Dr. Oluwaseun Varga
Safety officer: Ruben Achterberg
Room: Kelvin Building 2.14
Hausmeisterin: Ilka Drossel"""


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("Who gives the lectures?", "Lecturer: Dr. Oluwaseun Varga"),
        ("Who is responsible for safety?", "Safety officer: Ruben Achterberg"),
        ("Wer ist der Hausmeister?", "Hausmeisterin: Ilka Drossel"),
        ("Who pays the lecturer?", None),
        ("Who is the room?", None),
        ("Who is the warden?", None),
        ("Wer ist der Vermieter?", None),
    ],
)
def test_who_holds_an_office_is_told_by_the_line_of_that_office(
    question: str, told: str | None, passage: MakePassage
) -> None:
    found = [c.sentence.shown for c in candidates([passage(PEOPLE)]) if tells_field(question, c)]
    assert found == ([told] if told else [])


def test_for_a_person_many_passages_are_searched() -> None:
    assert passages_needed("Who is the librarian?", 5) == WIDE
    assert passages_needed("Who may come in?", 5) == 5


def test_for_the_one_word_that_tells_anything_many_passages_are_searched() -> None:
    assert passages_needed("How do I complain?", 5) == WIDE
    assert passages_needed("How do I return a faulty car?", 5) == 5


FIRM = """\
# Handbook of Quillon Survey

Quillon Survey has measured land since 1974. Its levels have been sold since 2011. The bridge was
founded on piles. We moved to Ashbourne in 1990."""


def firm(passage: MakePassage) -> Passage:
    return passage(FIRM, heading_path=("Handbook of Quillon Survey",))


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("When was the company founded?", "since 1974"),
        ("How long has the firm existed?", "since 1974"),
        ("Seit wann gibt es das Unternehmen?", "since 1974"),
        ("When was Toyota founded?", None),
        ("When did you move to Ashbourne?", None),
        ("What was founded on piles?", None),
    ],
)
def test_since_when_there_is_a_company(
    question: str, told: str | None, passage: MakePassage
) -> None:
    found = [c.sentence.shown for c in candidates([firm(passage)]) if tells_field(question, c)]
    assert [told in shown for shown in found if told] == ([True] if told else [])
    assert bool(found) is bool(told)


def test_a_field_answers_though_nothing_of_the_question_is_in_it(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    draft = ExtractiveGenerator(embedder).generate("When was the company founded?", [firm(passage)])
    assert draft.text == "Quillon Survey has measured land since 1974. [1]"
    draft = ExtractiveGenerator(embedder).generate("Where are you?", [passage(CONTACT)])
    assert draft.text == "Town Library, 7 Corn Street, Whitcombe WT3 8LB [1]"


def test_an_address_answers_where_something_is_alone(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    hours = "Library\n  Saturday   9:00 to 17:00\n  Sunday   closed, by appointment\n\n"
    kept = "Leave the front of the library free, as vans are moved there all day."
    found = [passage(f"{kept}\n", 0), passage(f"{hours}{CONTACT}", 1, document_name="library.md")]
    draft = ExtractiveGenerator(embedder).generate("Where is the library?", found)
    assert draft.text == "Town Library, 7 Corn Street, Whitcombe WT3 8LB [1]"
