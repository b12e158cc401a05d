"""Lines of hours that belong to the next thing on a list."""

import pytest

from flotilla.rag.extractive.beside import tells_of_another
from flotilla.rag.extractive.candidates import candidates
from tests.unit.rag.conftest import MakePassage

HOURS = """\
## Library

Saturday: 10:00 to 13:00

## Town hall

Citizens' office: Monday to Thursday, 8:00 to 16:00

Recycling yard: Saturday, 8:00 to 12:00"""


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("Is the citizens' office open on Saturday morning?", True),
        ("Is the town hall open on Saturday?", True),
        ("Is the library open on Saturday?", False),
        ("What is open on Saturday?", False),
        ("Is the ice rink open on Saturday?", False),  # which nothing names, so that evidence tells
        ("How long is the library open?", False),
    ],
)
def test_the_hours_of_one_do_not_answer_for_another(
    question: str, other: bool, passage: MakePassage
) -> None:
    found = candidates([passage(HOURS)])
    line = next(c for c in found if "10:00 to 13:00" in c.sentence.shown)
    assert tells_of_another(question, line, found) is other
