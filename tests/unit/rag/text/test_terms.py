import pytest

from flotilla.rag.text.terms import coverage, terms, weights


def test_forms_of_a_word_are_one_term_and_function_words_none() -> None:
    assert terms("What warranties are there?") == terms("the warranty")
    assert terms("Henderson’s price") == terms("Henderson price")
    assert terms("what is it of the") == []


def test_numbers_are_terms_with_their_separators() -> None:
    assert terms("9,990 € or 5.9 %") == ["9,990", "5.9"]


def test_a_rare_term_covers_more_than_a_common_one() -> None:
    texts = [["car", "warranty"], ["car", "price"], ["car", "colour"]]
    weight = weights(texts)
    question = ["car", "warranty"]
    assert coverage(question, ["warranty"], weight) > coverage(question, ["car"], weight)
    assert coverage(question, texts[0], weight) == pytest.approx(1.0)


def test_a_term_that_no_text_has_lowers_the_coverage_of_all() -> None:
    weight = weights([["car"], ["price"]])
    assert coverage(["car", "helicopter"], ["car"], weight) < 0.5


def test_headings_count_half() -> None:
    weight = weights([["month"]])
    assert coverage(["warranty"], ["month"], weight, ["warranty"]) == pytest.approx(0.5)
    assert coverage([], ["month"], weight) == 0.0
