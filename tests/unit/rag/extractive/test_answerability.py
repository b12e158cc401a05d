"""What the evidence sees; what it weighs is tried on real questions in tests/integration/rag."""

from flotilla.models import Passage
from flotilla.rag.extractive.answerability import Evidence, evidence, probability
from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.sentence_vectors import SentenceVectors
from flotilla.rag.text.terms import weights
from tests.unit.rag.conftest import MakePassage, WordEmbedder

TABLE = "| Model | Fuel | Price |\n|---|---|---|\n| Honda Jazz | Hybrid | £16,250 |"


def seen(question: str, *passages: Passage) -> Evidence:
    """The evidence of the first sentence of the first passage."""
    found = candidates(passages)
    weight = weights(c.terms for c in found)
    return evidence(question, found[0], passages, weight, SentenceVectors(WordEmbedder()))


def test_a_name_that_no_passage_has(passage: MakePassage) -> None:
    text = passage("Delivery to Port Ellery is free.")
    assert seen("Is delivery to Port Ellery free?", text).name_absent == 0
    assert seen("Is delivery to Lyme Regis free?", text).name_absent == 1
    other = passage("We have a yard in Lyme Regis.", 1)
    assert seen("Is delivery to Lyme Regis free?", text, other).name_absent == 0


def test_a_row_is_about_nothing_but_its_cells(passage: MakePassage) -> None:
    row = passage(TABLE)
    assert seen("What is the price of the Honda Jazz?", row).row_unnamed == 0
    assert seen("What is the price of the Honda Civic?", row).row_unnamed == 1
    assert seen("What is the price of the Honda Jazz?", row).row_unlike == 0
    assert seen("What is the colour of the Honda Jazz?", row).row_unlike == 1


def test_years_and_numbers_in_figures_or_words(passage: MakePassage) -> None:
    text = passage("The extension to twenty-four months costs £415. The list is of 2026.")
    assert seen("What does an extension to 24 months cost?", text).numbers_absent == 0
    assert seen("What does an extension to thirty-six months cost?", text).numbers_absent == 1
    assert seen("What did an extension cost in 2026?", text).year_absent == 0
    assert seen("What did an extension cost in 2019?", text).year_absent == 1


def test_words_that_nothing_has(passage: MakePassage) -> None:
    text = passage("The deposit is paid by card.", heading_path=("Payment",))
    whole = seen("How is the deposit paid?", text)
    assert (whole.meaning, whole.absent) == (1, 0)
    part = seen("How is the deposit insured?", text)
    assert 0 < part.meaning < 1
    assert part.absent > 0


def test_evidence_for_makes_an_answer_likelier_and_evidence_against_does_not() -> None:
    middle = Evidence(**dict.fromkeys(Evidence.__slots__, 0.5))
    for name in Evidence.__slots__:
        more = Evidence(**{n: 1.0 if n == name else 0.5 for n in Evidence.__slots__})
        speaks_for = name in ("cosine", "coverage", "meaning", "length", "field")
        assert (probability(more) > probability(middle)) == speaks_for, name


def test_the_other_side_of_what_is_asked(passage: MakePassage) -> None:
    opens = passage("The bar opens at 10:30.")
    assert seen("When does the bar close?", opens).opposed == 1
    assert seen("When does the bar open?", opens).opposed == 0
    rule, other = passage("We deliver within 50 miles."), passage("We deliver to islands.")
    assert seen("Do you deliver to Norwich?", rule).opposed == 0
    assert seen("Do you deliver to Norwich?", other).opposed == 1


def test_words_of_another_language_are_alike_where_one_is_in_the_other(
    passage: MakePassage,
) -> None:
    text = passage("Das Museum ist in der Spinnerei. " + "Der Weg ist mit dem Bus und zu Fuß. " * 3)
    assert seen("Hat das Stadtmuseum eine Garage?", text).meaning > 0
    assert seen("Hat das Archiv eine Garage?", text).meaning == 0


def test_what_was_so_in_another_year_is_no_answer() -> None:
    near = dict.fromkeys(Evidence.__dataclass_fields__, 0.0)
    near |= {"cosine": 0.5, "coverage": 0.9, "meaning": 1.0, "length": 0.25}
    assert probability(Evidence(**near)) > 0.9
    assert probability(Evidence(**near | {"year_absent": 1.0})) < 0.5
    assert probability(Evidence(**near | {"figureless": 1.0})) < 0.8
