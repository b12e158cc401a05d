from hypothesis import given, settings
from hypothesis import strategies as st

from flotilla.rag.text.sentences import Kind, Sentence, split


def texts(text: str, kind: Kind = Kind.SENTENCE) -> list[str]:
    return [s.text for s in split(text) if s.kind is kind]


def only(text: str, kind: Kind) -> Sentence:
    (found,) = [s for s in split(text) if s.kind is kind]
    return found


def test_line_breaks_of_a_page_do_not_end_a_sentence() -> None:
    text = (
        "Every car that leaves our yard has been\ninspected by a certified mechanic of\n"
        "Henderson Motors. The report is in the\nglove box."
    )
    first, second = split(text)
    assert first.text.endswith("Henderson Motors.")
    assert first.shown == (
        "Every car that leaves our yard has been inspected by a certified mechanic of "
        "Henderson Motors."
    )
    assert second.shown == "The report is in the glove box."


def test_abbreviations_initials_and_decimals_do_not_end_a_sentence() -> None:
    text = "Dr. Lee paid $1.5 million, i.e. too much, on Jan. 5. Then Mr. T. Ortiz left."
    assert texts(text) == [
        "Dr. Lee paid $1.5 million, i.e. too much, on Jan. 5.",
        "Then Mr. T. Ortiz left.",
    ]


def test_an_ordinal_day_does_not_end_a_sentence() -> None:
    assert texts("Das Angebot gilt bis zum 3. Mai. Danach nicht mehr.") == [
        "Das Angebot gilt bis zum 3. Mai.",
        "Danach nicht mehr.",
    ]
    closed = "Am 24. und am 31. Dezember ist geschlossen."
    assert texts(f"{closed} Danach ist offen.") == [closed, "Danach ist offen."]


def test_a_heading_is_not_part_of_the_text_below_it() -> None:
    for text in (
        "Warranty\nThe gearbox is covered for a year.",
        "## Warranty\n\nThe gearbox is covered for a year.",
        "**Warranty**\n\nThe gearbox is covered for a year.",
    ):
        heading, sentence = split(text)
        assert heading.kind is Kind.HEADING
        assert sentence.text == "The gearbox is covered for a year."
        assert sentence.heading == "Warranty"


def test_a_question_of_a_faq_is_the_heading_of_its_answer() -> None:
    question, answer = split("How long is the warranty?\nTwelve months from delivery.")
    assert question.kind is Kind.HEADING
    assert answer.text == "Twelve months from delivery."
    assert answer.heading == "How long is the warranty?"


def test_a_list_is_given_whole_and_item_by_item() -> None:
    text = "To bring:\n- your licence\n- a bill that is not older than\n  three months\n\nThanks."
    whole = only(text, Kind.LIST)
    assert whole.text == text.removesuffix("\n\nThanks.")
    assert whole.shown.splitlines() == [
        "To bring:",
        "- your licence",
        "- a bill that is not older than three months",
    ]
    items = [s.shown for s in split(text) if s.kind is Kind.ITEM]
    assert items == ["your licence", "a bill that is not older than three months"]


def test_a_list_is_shown_without_its_title_and_marks_of_bold_words() -> None:
    whole = only("## What to bring\n- **both** keys\n- a licence", Kind.LIST)
    assert whole.shown == "- both keys\n- a licence"
    assert whole.heading == "What to bring"


def test_numbered_steps_keep_their_number_and_lose_no_text() -> None:
    text = "1. Open the hood.\n2. Pull the dipstick. Wipe it."
    assert [s.shown for s in split(text)] == ["Open the hood.", "Pull the dipstick.", "Wipe it."]


def test_numbered_paragraphs_are_cut_into_sentences_and_are_no_list() -> None:
    text = (
        "Article 4. Subscriptions\n(1) It is due on 30 April. Families pay £420.\n"
        "(2) The entrance fee is £50."
    )
    found = [s for s in split(text) if s.kind is not Kind.HEADING]
    assert [s.text for s in found] == [
        "(1) It is due on 30 April.",
        "Families pay £420.",
        "(2) The entrance fee is £50.",
    ]
    assert found[0].shown == "It is due on 30 April."
    steps = "To descale:\n1. Fill the tank. Switch it on.\n2. Let it run."
    assert any(s.kind is Kind.LIST for s in split(steps))


def test_a_long_list_is_cut_between_items() -> None:
    items = [f"- item number {n} of a very long list of things to bring" for n in range(60)]
    whole = only("\n".join(["Bring:", *items]), Kind.LIST)
    assert len(whole.text) <= 800
    assert whole.text.rsplit("\n", 1)[-1] in items


def test_a_row_is_shown_with_the_names_of_its_columns() -> None:
    text = "| Model | Price |\n|---|---:|\n| Corolla | 9,990 |\n| Golf | 12,500 |"
    corolla, golf = split(text)
    assert corolla.kind is golf.kind is Kind.ROW
    assert golf.text == "| Golf | 12,500 |"
    assert golf.shown == "Model: Golf; Price: 12,500"


def test_a_table_without_rule_has_a_header_when_only_the_rows_have_numbers() -> None:
    (row,) = split("Model | Price\nGolf | 12,500")
    assert row.shown == "Model: Golf; Price: 12,500"
    first, second = split("Golf | 12,500\nPolo | 9,000")
    assert (first.shown, second.shown) == ("Golf; 12,500", "Polo; 9,000")


def test_rows_of_a_table_that_a_pdf_lost_the_columns_of_stay_apart() -> None:
    text = "Sales by model\nCorolla 1,200 1,350 1,410\nGolf 980 1,010 1,100"
    rows = [s for s in split(text) if s.kind is Kind.ROW]
    assert [s.text for s in rows] == ["Corolla 1,200 1,350 1,410", "Golf 980 1,010 1,100"]
    assert rows[1].shown == "Sales by model: Golf 980 1,010 1,100"


def test_short_lines_are_lines_of_their_own() -> None:
    text = "Deposit: 10 % of the price\nColour: blue\nKeys: two"
    assert texts(text) == ["Deposit: 10 % of the price", "Colour: blue", "Keys: two"]


def test_what_a_chunk_cut_off_is_not_whole() -> None:
    cut_before, whole, cut_behind = split("and so it ended. This one is whole. But this goes on")
    assert not cut_before.whole
    assert whole.whole
    assert not cut_behind.whole


def test_other_scripts_and_line_ends() -> None:
    assert texts("これは文です。次の文です。") == ["これは文です。", "次の文です。"]
    assert texts("One is here.\r\n\r\nTwo is here.") == ["One is here.", "Two is here."]
    assert split("") == split(" \n\n ") == []


BREAKS = ("\n", "\n\n", "\r\n", "\x0c", "\t", " ", ". ", "。")
MARKS = ("- ", "1. ", "# ", "| a | b |\n", "|---|\n", "Why?\n", "to bring:\n", "12 13 14\n")
WORDS = ("A word", "lower case", "é😀", "3.5", "e.g. ")
FRAGMENTS = st.sampled_from([*BREAKS, *MARKS, *WORDS])


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAGMENTS, max_size=25).map("".join))
def test_every_sentence_is_verbatim_at_its_place_and_in_reading_order(text: str) -> None:
    found = split(text)
    for sentence in found:
        assert sentence.text == text[sentence.start : sentence.end]
        assert sentence.text.strip() == sentence.text != ""
    starts = [s.start for s in found if s.kind is not Kind.LIST]
    assert starts == sorted(starts)


def test_a_row_whose_name_holds_a_word_of_prose_is_no_header() -> None:
    text = (
        "Stock no. Model Year Mileage Fuel Gearbox Price\n"
        "SL-4016 Tesla Model 3 Long Range 2021 35,200 Electric Automatic £25,400\n"
        "SL-4019 Volkswagen ID.3 58kWh Life 2021 20,100 Electric Automatic £18,150"
    )

    rows = [sentence for sentence in split(text) if sentence.kind is Kind.ROW]

    assert [row.text.split()[1] for row in rows] == ["Tesla", "Volkswagen"]
    assert {row.header for row in rows} == {"Stock no. Model Year Mileage Fuel Gearbox Price"}


def test_an_address_is_one_and_no_headings() -> None:
    text = (
        "Address\n  Town Library\n  7 Corn Street\n  Whitcombe WT3 8LB\n\n"
        "Telephone   01632 960 774\nE-mail: desk@library.example\nLibrarian: Dr. H. Okafor"
    )
    contacts = [s for s in split(text) if s.kind is Kind.CONTACT]
    assert [s.shown for s in contacts] == [
        "Town Library, 7 Corn Street, Whitcombe WT3 8LB",
        "Telephone: 01632 960 774",
        "E-mail: desk@library.example",
    ]
    assert {s.heading for s in contacts} == {"Address"}
    last = split(text)[-1]
    assert (last.shown, last.whole) == ("Librarian: Dr. H. Okafor", True)
