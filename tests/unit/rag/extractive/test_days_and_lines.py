import pytest

from flotilla.rag.extractive.beside import lacks_day, neighbour_factors
from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.selection import MOST_SENTENCES, with_antecedents
from flotilla.rag.text.sentences import Kind
from tests.unit.rag.conftest import MakePassage

HOURS = """The wall is open:
- Monday and Friday: 17:00 to 22:00
- Tuesday and Thursday: 18:30 to 22:00
- Saturday and Sunday: 10:00 to 18:00"""


@pytest.mark.parametrize(
    ("question", "sentence", "lacks"),
    [
        ("Is the wall open on Christmas Day?", "Saturday and Sunday: 10:00 to 18:00", True),
        ("Is the wall open on Christmas Day?", "In August the wall stays shut.", True),
        ("Is the wall open on 15 August?", "In August the wall stays shut.", False),
        ("Is the wall open on Christmas Day?", "Closed on public holidays.", False),
        ("Is the wall open on Sunday 4 May?", "Saturday and Sunday: 10:00 to 18:00", False),
        ("Is the wall open on Sunday?", "Saturday and Sunday: 10:00 to 18:00", False),
        ("Ist an Neujahr geöffnet?", "Montags von 8 bis 12 Uhr", True),
    ],
)
def test_the_hours_of_weekdays_tell_nothing_of_a_day_of_the_year(
    question: str, sentence: str, lacks: bool
) -> None:
    assert lacks_day(question, sentence) is lacks


def test_one_line_of_the_hours_comes_before_all_of_them(passage: MakePassage) -> None:
    found = candidates([passage(HOURS)])
    (whole,) = (i for i, c in enumerate(found) if c.sentence.kind is Kind.LIST)
    (line,) = (i for i, c in enumerate(found) if c.sentence.text.startswith(("- Tue", "Tue")))
    factors = neighbour_factors("Until when can I climb on Tuesdays?", found)
    assert factors[whole] < factors[line] == 1
    assert neighbour_factors("When can I climb?", found)[whole] == 1


def test_what_refers_back_is_given_with_what_it_refers_to_or_not_at_all(
    passage: MakePassage,
) -> None:
    texts = [f"Valuer {name} starts. From this he takes costs." for name in ("A", "B", "C")]
    found = [c for i, text in enumerate(texts) for c in candidates([passage(text, i)])]
    chosen = [c for c in found if c.antecedent is not None]
    assert len(chosen) == 3
    given = with_antecedents(chosen)
    assert len(given) == MOST_SENTENCES
    assert {c.passage.chunk_id for c in given} == {"chunk-0", "chunk-1"}
