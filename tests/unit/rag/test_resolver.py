"""References become citations, the same ones however the text comes in pieces."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flotilla.models import Citation
from flotilla.rag.citations import renumber, verify
from flotilla.rag.claims import claims_of
from flotilla.rag.resolver import Resolver, resolve
from tests.unit.rag.conftest import MakePassage, make_passage

WARRANTY = "The gearbox is covered for a year. Tyres are wear parts and not covered."
HOURS = "We open at nine o'clock. On Sundays the yard is closed."


def quotes(citations: tuple[Citation, ...]) -> list[str]:
    return [citation.quote for citation in citations]


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


CODE = "Write `array[0]` or ``x = [1]``[1], it`s [1].\n```\ny[1]\n\nz[1]\n``` and `w nine\nor [1]."


def test_numbers_in_code_are_no_references(passage: MakePassage) -> None:
    text, citations = resolve(CODE, [passage(HOURS)])
    assert text == CODE.replace("``[1]", "`` [1]")
    assert len(citations) == 1
    assert renumber(text, citations) == (text, citations)
    assert renumber(text, ())[0] == text.replace(" [1],", ",").replace(" [1].", ".")
    assert [claim.numbers for claim in claims_of("`x[1]` is so.\n\nIt is `x[2]` [1].")] == [
        (),
        (1,),
    ]


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


PARTS = ("[", "]", "【", "】", "1", "2", "9", "2024", ", ", "-", " ", "\n", ".", ":", "p.")
WORDS = ("`", "```", "Passage ", "[1]", " [2]", "The yard is closed", "Tyres")
TEXTS = st.lists(st.sampled_from((*PARTS, *WORDS)), max_size=14)


@given(parts=TEXTS, data=st.data())
def test_what_is_shown_depends_on_the_text_and_not_on_its_pieces(
    parts: list[str], data: st.DataObject
) -> None:
    text = "".join(parts)
    passages = [make_passage(WARRANTY, 0), make_passage(HOURS, 1)]
    whole, citations = resolve(text, passages)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))) | {0, len(text)})
    resolver, shown = Resolver(passages), ""
    for start, end in pairwise(cuts):
        shown += resolver.feed(text[start:end])
        again = Resolver(passages)
        assert again.feed(text[:end]) == shown, "a worker that goes on would tell another text"
        assert again.citations == resolver.citations
    assert shown + resolver.finish() == whole
    assert tuple(resolver.citations) == citations


def test_only_what_may_become_a_reference_is_held_back() -> None:
    passages = [make_passage(HOURS)]
    resolver = Resolver(passages)
    for piece, shown in (
        ("We open", "We open"),
        (" ", ""),
        ("at nine [", " at nine"),
        ("1", ""),
        ("]", " [1]"),
        (" [in", " [in"),
        (" 2024] .", " 2024]"),
        ("\n\nOn", ".\n\nOn"),
        (" Sundays [Pass", " Sundays"),
    ):
        assert resolver.feed(piece) == shown, piece
    assert resolver.finish() == " [Pass"
