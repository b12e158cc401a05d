from hypothesis import given
from hypothesis import strategies as st

from flotilla.document.converters.picture_texts import place_below, with_summary, with_text
from flotilla.models import DataType, Heading, Page, Region

BOX = (10.0, 20.0, 110.0, 220.0)
TEXT = (
    "Mooring\nThe quay is long\nand has two cranes.\nFigure 3: The cranes.\nLeaving\nBy the gate."
)
PAGE = Page(
    number=4,
    text=TEXT,
    headings=(
        Heading(offset=0, level=1, title="Mooring"),
        Heading(offset=TEXT.index("Leaving"), level=1, title="Leaving"),
    ),
)


def test_a_summary_stands_behind_the_paragraph_above_its_picture() -> None:
    page = with_summary(PAGE, place_below(PAGE, ["The quay  is long"]), "Two cranes.", BOX)
    assert page.text == (
        "Mooring\nThe quay is long\nand has two cranes.\n\n[Picture: Two cranes.]\n\n"
        "Figure 3: The cranes.\nLeaving\nBy the gate."
    )
    [region] = page.regions
    assert page.text[region.start : region.end] == "[Picture: Two cranes.]"
    assert (region.data_type, region.box, region.caption) == (
        DataType.IMAGE,
        BOX,
        "Figure 3: The cranes.",
    )
    for heading in page.headings:
        assert page.text[heading.offset :].startswith(heading.title)


def test_a_picture_at_the_top_stands_ahead_of_the_text() -> None:
    page = with_summary(PAGE, place_below(PAGE, []), "A map.", None)
    assert page.text.startswith("[Picture: A map.]\n\nMooring\n")
    assert [page.text[h.offset :].partition("\n")[0] for h in page.headings] == [
        "Mooring",
        "Leaving",
    ]


def test_a_picture_whose_neighbours_are_not_found_stands_at_the_end() -> None:
    page = with_summary(PAGE, place_below(PAGE, ["What the page does not say"]), "A map.", None)
    assert page.text == f"{TEXT}\n\n[Picture: A map.]"


def test_a_page_of_nothing_but_a_picture() -> None:
    page = with_summary(Page(number=1, text=""), 0, "A map.", None)
    assert page.text == "[Picture: A map.]"


def test_a_heading_above_a_picture_stays_above_it() -> None:
    page = Page(
        number=1,
        text="The map\nIt is old.",
        headings=(Heading(offset=0, level=1, title="The map"),),
    )
    seen = with_summary(page, place_below(page, ["The map"]), "A map.", None)
    assert seen.text == "The map\n\n[Picture: A map.]\n\nIt is old."


def test_no_table_is_torn() -> None:
    text = "Fees\na | b\nc | d\ne | f\nThe end."
    table = Region(data_type=DataType.TABLE, start=5, end=22, html="<table></table>")
    page = with_summary(Page(number=1, text=text, regions=(table,)), 10, "A map.", None)
    assert page.text == "Fees\na | b\nc | d\ne | f\n\n[Picture: A map.]\n\nThe end."
    assert [page.text[r.start : r.end] for r in page.regions] == [
        "a | b\nc | d\ne | f",
        "[Picture: A map.]",
    ]


def test_what_is_written_in_a_picture_is_text_like_any_other() -> None:
    inner = Page(
        number=None, text="Dues\n\n4 euros", headings=(Heading(offset=0, level=2, title="Dues"),)
    )
    page = with_text(PAGE, len(TEXT), inner)
    assert page.text == f"{TEXT}\n\nDues\n\n4 euros"
    assert page.regions == ()
    assert [page.text[h.offset :].partition("\n")[0] for h in page.headings][-1] == "Dues"


@given(data=st.data(), words=st.lists(st.sampled_from(["aa", "b", "\n", "\n\n", " "]), max_size=20))
def test_offsets_go_on_meaning_what_they_meant(data: st.DataObject, words: list[str]) -> None:
    text = "".join(words).strip()
    marks = sorted(data.draw(st.sets(st.integers(0, max(0, len(text) - 1)), max_size=3)))
    marks = [mark for mark in marks if text[mark : mark + 1].strip()]
    page = Page(
        number=1,
        text=text,
        headings=tuple(Heading(offset=mark, level=1, title=text[mark]) for mark in marks),
    )
    place = data.draw(st.integers(0, len(text)))
    if text[place:].strip() and place and text[place - 1] != "\n":
        place = text.find("\n", place) if "\n" in text[place:] else len(text)
    seen = with_summary(page, place, "S", None)
    for before, after in zip(page.headings, seen.headings, strict=True):
        assert seen.text[after.offset] == before.title
    [region] = seen.regions
    assert seen.text[region.start : region.end] == "[Picture: S]"
    assert seen.text.replace("[Picture: S]", "").split() == text.split()
