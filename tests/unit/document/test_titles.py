import pytest

from flotilla.document.titles import title_of


@pytest.mark.parametrize(
    ("name", "found", "title"),
    [
        ("terms-of-use.pdf", None, "terms of use"),
        ("Annual_report_2022.pdf", "untitled", "Annual report 2022"),
        ("report.pdf", "Microsoft Word - draft7.docx", "report"),
        ("Tide_tables.pdf", "(anonymous)", "Tide tables"),
        ("Harbour_2021.pdf", "Annual report", "Annual report (Harbour 2021)"),
        ("warranty-terms.html", "Warranty terms", "Warranty terms"),
        ("https://example.com/docs/trade-in.html?x=1#top", None, "trade in"),
        ("9f64335fe26f6f15ddb800d613b0a8f5.pdf", None, ""),
        ("2021-04-03.pdf", None, ""),
    ],
)
def test_a_title_says_what_its_document_is(name: str, found: str | None, title: str) -> None:
    assert title_of(name, found) == title
