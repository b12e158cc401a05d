"""Where what was ingested stands in the file that it was made of."""

from flotilla.evaluation.alignment import Alignment
from tests.doubles.data_sets import LOG

INGESTED = """The log of the harbour

Winter

The first ice came on the ninth of December. Boats stayed in until the pilot gave leave.

Spring

Nets were mended in March.
The crane was painted yellow in April.
"""


def stretch(alignment: Alignment, text: str, source: str, words: str) -> list[str]:
    start = text.index(words)
    return [source[a:b] for a, b in alignment.ranges(start, start + len(words))]


def test_the_same_text_has_the_same_offsets() -> None:
    assert Alignment("As it is.", "As it is.").ranges(3, 5) == [(3, 5)]


def test_signs_of_markdown_shift_what_stands_behind_them() -> None:
    alignment = Alignment(INGESTED, LOG)

    found = stretch(alignment, INGESTED, LOG, "The crane was painted yellow in April.")

    assert found == ["The crane was painted yellow in April."]
    assert stretch(alignment, INGESTED, LOG, "mended in March.") == ["mended in *March*."]


def test_the_address_of_a_link_costs_the_words_beside_it_at_most() -> None:
    alignment = Alignment(INGESTED, LOG)

    [found] = stretch(
        alignment, INGESTED, LOG, "The first ice came on the ninth of December. Boats stayed in"
    )
    assert found == "The first ice came on the **ninth of December**. Boats stayed in"
    assert alignment.share > 0.85
    assert stretch(alignment, INGESTED, LOG, "Nets were mended") == ["Nets were mended"]


def test_a_line_that_stands_nowhere_is_left_out_and_counted() -> None:
    alignment = Alignment("Known line.\nInvented.\nLast line.", "* Known line.\n* Last line.")

    assert alignment.ranges(12, 21) == []
    assert alignment.share < 0.75


def test_a_sentence_that_comes_twice_is_found_at_its_own_place() -> None:
    text = "Same.\nFirst.\nSame.\nSecond."
    source = "# Same.\n\nFirst.\n\n# Same.\n\nSecond."

    [(start, end)] = Alignment(text, source).ranges(13, 18)

    assert (start, source[start:end].strip("# ")) == (19, "Same.")
