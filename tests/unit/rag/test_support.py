"""Which statements are flagged since their passages lack a figure or a name, and which are not."""

import pytest

from flotilla.models import Citation
from flotilla.rag.citations import cite
from flotilla.rag.support import UNCITED, unsupported
from tests.unit.rag.conftest import MakePassage

PRICES = (
    "The Honda Jazz costs £16,250 and has run 17,900 miles. A missing key lowers the value by 40 "
    "pence. The yard opens from 9:00 to 17:30 on Monday to Friday, and Dorota films the car. "
    "Sixteen spaces are behind the workshop; the warranty lasts 2.5 years."
)
QUESTION = "What does the Honda cost at Saltmarsh Lane 7?"


@pytest.mark.parametrize(
    "text",
    [
        "The Honda Jazz costs £16250.00 [1].",
        "Das kostet 16.250 £ und 2,5 Jahre Garantie gelten für den Wagen [1].",
        "It opens at 9 am and closes at 5.30 pm on Tuesday [1].",
        "It opens at nine and closes at 5:30 p.m. [1].",
        "There are 16 spaces, one of them for the two of you [1].",
        "A missing key costs you 40p [1].",
        "At Saltmarsh Lane 7 the Jazz costs £16,250 [1].",
        "1. The Jazz costs £16,250 [1].",
        "Es gibt keine Angabe zum Motor und zur Farbe des Wagens [1].",
        "Model: Jazz; Mileage: 17,900; Price: £16,250 [1]",
        "Bring these:\n- the key\n- the papers [1]",
        "**Bring these [1]:**\n\n- the key\n- papers:\n  - the log\n- £16,250",
    ],
)
def test_a_right_answer_put_otherwise_is_not_flagged(text: str, passage: MakePassage) -> None:
    assert flagged(text, passage) == []


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("The Honda Jazz costs £16,520 [1].", "“16,520”"),
        ("The Honda Civic costs £16,250 [1].", "“Civic”"),
        ("There are nineteen spaces [1].", "“19”"),
        ("It closes at 6 pm [1].", "“6 pm”"),
        ("It closes at 17:45 [1].", "“17:45”"),
        ("The car is SL-1042 and Martin films it [1].", "“SL-1042”, “Martin”"),
        ("Die Garantie für den Wagen gilt 3,5 Jahre [1].", "“3,5”"),
    ],
)
def test_what_the_passages_lack_is_named(text: str, lacks: str, passage: MakePassage) -> None:
    assert flagged(text, passage) == [f"The passages cited for it do not have {lacks}."]


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (
            "The warranty lasts 2.5 years [1].\n- The bonus is £16,250.\n- Bob pays it",
            [UNCITED] * 2,
        ),
        ("- The Jazz costs £16,250 [1]\n- The bonus is £16,250", [UNCITED]),
        ("Bring these:\n- the key\n- the papers [1]\n- the log [1]", [UNCITED]),
        ("Bring these:\n- the key\n- the papers", [UNCITED] * 2),
        (
            "Bring these [1]:\n- £16,250\n- £900",
            ["The passages cited for it do not have “900”."],
        ),
        (
            "Bring these:\n- the key of Martin\n- the papers [1]",
            ["The passages cited for it do not have “Martin”."],
        ),
    ],
)
def test_an_item_shares_the_citation_of_its_list_and_has_to_be_borne_out_by_it(
    text: str, flags: list[str], passage: MakePassage
) -> None:
    assert flagged(text, passage) == flags


def test_what_another_passage_has_bears_nothing_out(passage: MakePassage) -> None:
    other = passage("A full service costs £229.", 1)
    text = "A full service costs £229 [1]. A full service costs £229 [2]. It is worth it."
    citations = (cited(passage(PRICES)), cite(2, other, 0, 10))
    found = unsupported(text, citations, [passage(PRICES), other], QUESTION)
    assert [text[each.start : each.end] for each in found] == [
        "A full service costs £229 [1].",
        "It is worth it.",
    ]
    assert found[1].reason == UNCITED


def cited(source: object) -> Citation:
    return cite(1, source, 0, 10)  # type: ignore[arg-type]


def flagged(text: str, passage: MakePassage) -> list[str]:
    source = passage(PRICES)
    return [each.reason for each in unsupported(text, (cited(source),), [source], QUESTION)]
