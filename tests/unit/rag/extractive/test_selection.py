from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.selection import choose
from tests.unit.rag.conftest import MakePassage

TEXT = """You may leave the plan in June. Payment is due soon. The plan ends in winter.

| Plan | Day |
|---|---|
| closed | Sunday |
"""


def test_what_comes_close_to_the_best_sentence_has_a_word_of_the_question_and_its_kind(
    passage: MakePassage,
) -> None:
    found = candidates([passage(TEXT, heading_path=("Plan",))])
    for place, candidate in enumerate(found):
        candidate.score = 1 - place / 100

    def chosen(question: str) -> list[str]:
        return [c.sentence.shown for c in choose(question, found, [], found)]

    assert chosen("When may I leave the plan?") == [
        "You may leave the plan in June.",
        "The plan ends in winter.",
    ]
    # Where the best one has none, it was chosen by its meaning, and so may others be.
    assert "Payment is due soon." in chosen("How do I get out?")
