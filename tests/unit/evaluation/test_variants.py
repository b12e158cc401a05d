"""Settings of retrieval as they are written at the command line."""

import pytest

from flotilla.errors import InvalidRequest
from flotilla.evaluation.variants import USUAL, Variant, parse_variant, parse_variants


def test_names_and_values() -> None:
    found = parse_variant(
        "mine=search=hybrid, fusion=rrf,rrf-k=20,dense_weight=0.5,question=rewrite"
    )

    settings = {"search": "hybrid", "fusion": "rrf", "rrf_k": 20, "dense_weight": 0.5}
    assert found == Variant("mine", settings, "rewrite")
    assert parse_variant("as it is=") == Variant("as it is")


def test_the_usual_ones_where_none_are_given() -> None:
    assert parse_variants([]) == list(USUAL)


@pytest.mark.parametrize("text", ["dense", "=search=dense", "dense=search", "dense=search="])
def test_what_is_of_no_such_form(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not of the form"):
        parse_variant(text)


def test_two_of_one_name() -> None:
    with pytest.raises(InvalidRequest, match="Two settings are called 'a'"):
        parse_variants(["a=search=dense", "a=search=bm25"])
