"""Who holds an office, by a label or by a signature."""

import pytest

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.fields import WIDE, passages_needed, tells_field
from flotilla.rag.text.signatures import office_of
from tests.unit.rag.conftest import MakePassage

CREW = """\
Who does what

Chair: Odile Marchbank

Treasurer: Tomas Eberle

Youth trainer: Sunniva Pell, youth@crag.example"""
LETTER = "Die Heizung wird erneuert.\n\nMit freundlichen Grüßen\n\nDr. Ewald Prasch, Vorstand"


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("Who is the chair?", "Chair: Odile Marchbank"),
        ("Who is the president?", "Chair: Odile Marchbank"),
        ("Who looks after the money?", "Treasurer: Tomas Eberle"),
        ("What is the name of the treasurer?", "Treasurer: Tomas Eberle"),
        ("Who trains the youth?", "Youth trainer: Sunniva Pell, youth@crag.example"),
        ("Who is the youth trainer?", "Youth trainer: Sunniva Pell, youth@crag.example"),
        ("Who is the chair's deputy?", None),
        ("Who looks after the boats?", None),
        ("Who was the treasurer in 1990?", None),
        ("Where is the chair?", None),
        ("Wie heißt der Vorstand?", "Dr. Ewald Prasch, Vorstand"),
        ("Wer ist Vorsitzender?", "Dr. Ewald Prasch, Vorstand"),
        ("Wie heißt der Hausmeister?", None),
    ],
)
def test_who_holds_an_office_is_told_by_its_label_or_a_signature(
    question: str, line: str | None, passage: MakePassage
) -> None:
    found = candidates([passage(CREW), passage(LETTER, 1)])
    told = [c.sentence.shown for c in found if tells_field(question, c)]
    assert told == ([line] if line else [])


@pytest.mark.parametrize(
    ("line", "office"),
    [
        ("Ada B. Prentice – Company Secretary", "Company Secretary"),
        ("Rosalind Orme, Head of Customer Care", "Head of Customer Care"),
        ("Jörg Wandt (Hausmeister)", "Hausmeister"),
        ("Opening Hours, Contact", ""),
        ("Fore Street, Port Ellery", ""),
        ("We wrote to Ada Prentice, Secretary.", ""),
    ],
)
def test_a_signature_is_a_name_with_an_office(line: str, office: str) -> None:
    assert office_of(line) == office


def test_more_is_searched_for_where_somebody_is_asked_for() -> None:
    assert passages_needed("Who looks after the money?", 5) == WIDE
    assert passages_needed("Wie heißt der Vorstand?", 5) == WIDE
