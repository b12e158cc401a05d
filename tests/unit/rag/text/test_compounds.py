"""German compounds and names that are called otherwise."""

from flotilla.rag.extractive.candidates import candidates
from flotilla.rag.extractive.other_forms import add_forms
from flotilla.rag.text.asked import strange_names
from flotilla.rag.text.inflection import german_root, is_compound_of
from tests.unit.rag.conftest import MakePassage


def test_a_compound_is_made_of_two_words() -> None:
    roots = [german_root(word) for word in ("Miete", "mindern", "Wohnung")]
    assert is_compound_of(german_root("Mietminderung"), roots)
    assert not is_compound_of(german_root("Mieterhöhung"), roots)
    assert not is_compound_of(german_root("Miete"), roots)


def test_a_sentence_with_the_parts_has_the_compound(passage: MakePassage) -> None:
    found = candidates([passage("Wir mindern die Miete um 12 Prozent. Das Haus ist alt.")])
    add_forms("Bekomme ich in dem Haus eine Mietminderung?", found)
    assert ["mietminderung" in c.terms for c in found] == [True, False]


def test_a_name_is_not_strange_where_it_is_called_otherwise(passage: MakePassage) -> None:
    text = "Text messages are not accepted. We do not deliver to islands. Cover is European."
    assert not strange_names("Can I use SMS?", [passage(text)])
    assert not strange_names("Do you deliver to the Isle of Wight?", [passage(text)])
    assert not strange_names("Am I covered in France?", [passage(text)])
    assert strange_names("Am I covered in Canada?", [passage(text)]) == {"canada"}
    assert strange_names("Do you deliver to Wight?", [passage(text)]) == {"wight"}
