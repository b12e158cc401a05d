from flotilla.models import Citation
from flotilla.rag.citations import cite, renumber, resolve, unmarked, verify
from tests.unit.rag.conftest import MakePassage

WARRANTY = "The gearbox is covered for a year. Tyres are wear parts and not covered."
HOURS = "We open at nine o'clock. On Sundays the yard is closed."


def quotes(citations: tuple[Citation, ...]) -> list[str]:
    return [citation.quote for citation in citations]


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


def test_a_reference_becomes_the_sentence_that_bears_out_the_claim(
    passage: MakePassage,
) -> None:
    passages = [passage(WARRANTY, 0), passage(HOURS, 1)]
    text, citations = resolve(
        "The yard is closed on Sundays [2]. Tyres are not covered [1], the gearbox is [1].",
        passages,
    )
    assert text == (
        "The yard is closed on Sundays [1]. Tyres are not covered [2], the gearbox is [3]."
    )
    assert quotes(citations) == [
        "On Sundays the yard is closed.",
        "Tyres are wear parts and not covered.",
        "The gearbox is covered for a year.",
    ]
    assert verify(citations, passages) == citations


def test_references_to_one_sentence_share_a_number(passage: MakePassage) -> None:
    text, citations = resolve("Opens at nine [1]. So nine o'clock it is [1].", [passage(HOURS)])
    assert text == "Opens at nine [1]. So nine o'clock it is [1]."
    assert quotes(citations) == ["We open at nine o'clock."]


def test_references_that_point_nowhere_are_removed(passage: MakePassage) -> None:
    text, citations = resolve("Opens at nine [1][4]. Free coffee [0]. Tea [17].", [passage(HOURS)])
    assert text == "Opens at nine [1]. Free coffee. Tea."
    assert len(citations) == 1


def test_every_way_in_which_models_write_references(passage: MakePassage) -> None:
    passages = [passage(WARRANTY, 0), passage(HOURS, 1)]
    for written in ("[1, 2]", "[1][2]", "[1-2]", "[Passage 1][passage 2]", "【1】【2】", "[1; 2]"):
        text, citations = resolve(f"The yard is closed on Sundays {written}.", passages)
        assert text == "The yard is closed on Sundays [1] [2].", written
        assert [c.chunk_id for c in citations] == ["chunk-0", "chunk-1"], written


def test_a_reference_behind_the_full_stop_belongs_to_the_sentence_before(
    passage: MakePassage,
) -> None:
    _, citations = resolve("On Sundays it is closed. [1] It opens at nine. [1]", [passage(HOURS)])
    assert quotes(citations) == ["On Sundays the yard is closed.", "We open at nine o'clock."]


def test_a_claim_in_another_language_still_has_a_quote(passage: MakePassage) -> None:
    _, citations = resolve("Sonntags ist geschlossen [1].", [passage(HOURS)])
    assert quotes(citations) == ["We open at nine o'clock."]


def test_numbers_in_brackets_of_the_source_itself_are_no_citations() -> None:
    assert unmarked("As shown before [3, 4], it works [12].") == "As shown before, it works."
    assert unmarked("In [2023] it was list[a].") == "In [2023] it was list[a]."
