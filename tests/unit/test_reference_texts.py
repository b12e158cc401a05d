import pytest

from tests.reference_texts import plain, word_f1


@pytest.mark.parametrize(
    ("one", "other", "f1"),
    [
        ("The quay, empty.", "the QUAY empty", 1.0),
        ("ex-\npected", "expected", 1.0),
        ("H2O", "H 2 O", 1.0),
        ("e\ufb03cient", "efficient", 1.0),
        ("a a b", "a b b", 2 / 3),
        ("quay", "", 0.0),
        ("", "", 1.0),
    ],
)
def test_words_are_counted_as_bags(one: str, other: str, f1: float) -> None:
    assert word_f1(one, other) == pytest.approx(f1)
    assert word_f1(other, one) == pytest.approx(f1)


def test_markdown_is_read_without_its_marks() -> None:
    table = "| a | b |\n| - | - |"
    text = f"**Fees** &amp; dues\n\n{table}\n\n[the quay](http://x.example/a(b)) <br> x\\_y"
    assert " ".join(plain(text).split()) == "Fees & dues | a | b | the quay x_y"
