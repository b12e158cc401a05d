from flotilla.rag.citations import cite, renumber, unmarked, verify
from tests.unit.rag.conftest import MakePassage

WARRANTY = "The gearbox is covered for a year. Tyres are wear parts and not covered."


def test_a_quote_at_its_place_is_verified_and_named_after_its_passage(
    passage: MakePassage,
) -> None:
    source = passage(WARRANTY, 3, heading_path=("Sales", "Warranty"))
    claimed = cite(1, source, 0, 34).model_copy(update={"page_start": 99, "heading_path": ()})
    (citation,) = verify([claimed], [source])
    assert citation.quote == "The gearbox is covered for a year."
    assert (citation.start, citation.end) == (source.start, source.start + 34)
    assert (citation.page_start, citation.page_end) == (4, 4)
    assert citation.heading_path == ("Sales", "Warranty")


def test_what_is_not_verbatim_or_not_there_is_dropped(passage: MakePassage) -> None:
    source = passage(WARRANTY, 3)
    good = cite(1, source, 0, 34)
    wrong = [
        good.model_copy(update={"quote": "The gearbox is covered for 2 years"}),
        good.model_copy(update={"start": good.start + 1, "end": good.end + 1}),
        good.model_copy(update={"chunk_id": "another"}),
        good.model_copy(update={"start": 0, "end": 34}),
        good.model_copy(update={"quote": "", "end": good.start}),
        # Negative places would count from the passage's end in Python.
        good.model_copy(
            update={
                "start": source.start - 9,
                "end": source.start - 1,
                "quote": WARRANTY[-9:-1],
            }
        ),
    ]
    assert verify(wrong, [source]) == ()
    assert verify([*wrong, good], [source]) == (good,)


def test_renumber_counts_in_order_of_first_use_and_removes_what_is_gone(
    passage: MakePassage,
) -> None:
    source = passage(WARRANTY)
    citations = [cite(number, source, 0, 34) for number in (2, 5, 7)]
    text, kept = renumber("Five [5]. Two [2][9], and nothing [9]. Five [5].", citations)
    assert text == "Five [1]. Two [2], and nothing. Five [1]."
    assert [c.number for c in kept] == [1, 2]


def test_numbers_in_brackets_of_the_source_itself_are_no_citations() -> None:
    assert unmarked("As shown before [3, 4], it works [12].") == "As shown before, it works."
    assert unmarked("In [2023] it was list[a].") == "In [2023] it was list[a]."
