from pathlib import Path

import pytest

from flotilla.document.converters.html import HtmlConverter
from flotilla.errors import FileCorrupt, NoText
from flotilla.models import Page

ARTICLE = "<p>The ferry leaves the quay at noon and comes back before the tide turns.</p>" * 8


def convert(folder: Path, content: str | bytes) -> Page:
    path = folder / "page.html"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (page,) = HtmlConverter().pages(path)
    return page


def test_menus_headers_and_footers_are_left_out(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        f"""<html><head><title>Ferry</title><style>p {{}}</style></head><body>
        <header><p>Masthead</p></header><nav><a href=/>Home</a></nav>
        <div class="main-menu"><a href=/a>Menu entry</a></div>
        <ul><li><a href=/1>One</a><li><a href=/2>Two</a><li><a href=/3>Three</a></ul>
        <main><h1>Timetable</h1>{ARTICLE}<script>var hidden</script></main>
        <div id=footer><p>Imprint</p></div></body></html>""",
    )
    assert page.text.startswith("Timetable\n\nThe ferry leaves")
    for furniture in ("Masthead", "Home", "Menu entry", "Three", "Imprint", "hidden"):
        assert furniture not in page.text


def test_headings_lists_tables_and_code_keep_their_form(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        """<body><h1>A <em>fine</em> title</h1><p>Call <code>run()</code>, then
        wait.<br>Next line</p><ol><li>one<ul><li>inner</ul><li>two</ol>
        <table><tr><th>Year<th>Month<th>Sum<tr><td rowspan=2>2025<td>May<td>1<tr><td>June<td>2
        </table><pre>  if x:\n    y()</pre><h2>End</h2></body>""",
    )
    assert page.text == (
        "A fine title\n\nCall run(), then wait.\nNext line\n\n1. one\n  - inner\n2. two\n\n"
        "Year | Month | Sum\n2025 | May | 1\n2025 | June | 2\n\n  if x:\n    y()\n\nEnd"
    )
    assert [(h.level, h.title, page.text[h.offset :][:3]) for h in page.headings] == [
        (1, "A fine title", "A f"),
        (2, "End", "End"),
    ]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("<meta charset=iso-8859-1><p>Smörgåsbord</p>", "iso-8859-1"),
        ("<p>Smörgåsbord</p>", "utf-8"),
        ("<meta charset=iso-8859-1><p>Smörgåsbord</p>", "utf-8"),
        ("<p>Smörgåsbord</p>", "utf-16"),
    ],
)
def test_the_charset_is_found(tmp_path: Path, content: str, encoding: str) -> None:
    assert convert(tmp_path, content.encode(encoding)).text == "Smörgåsbord"


def test_a_page_that_is_all_furniture_is_shown_whole(tmp_path: Path) -> None:
    assert convert(tmp_path, "<nav><p>Only this</p></nav>").text == "Only this"


@pytest.mark.parametrize("content", ["<html><body><script>x()</script></body></html>", "<!-- -->"])
def test_a_page_without_text_says_so(tmp_path: Path, content: str) -> None:
    with pytest.raises(NoText):
        convert(tmp_path, content)


def test_title_is_that_of_the_head(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<title> A\n title </title><p>x", encoding="utf-8")
    assert HtmlConverter().inspect(path).title == "A title"


def test_deep_nesting_is_read(tmp_path: Path) -> None:
    assert "deep" in convert(tmp_path, "<div>" * 1500 + "deep" + "</div>" * 1500).text


def test_what_is_cut_off_for_its_depth_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    with pytest.raises(FileCorrupt):
        convert(tmp_path, "<div>" * 2500 + "deep" + "</div>" * 2500)


@pytest.mark.timeout(20)  # half a second, where trafilatura would take minutes
def test_nested_tables_are_read_in_no_time(tmp_path: Path) -> None:
    nested = "<table><tr><td>x" * 600 + "</table>" * 600
    assert "x" in convert(tmp_path, f"<p>before</p>{nested}").text


@pytest.mark.parametrize("reference", ["&#3;", "&#xFFFF;", "&#xD800;", "&#0;", "\x01"])
def test_characters_that_xml_refuses_are_left_out(tmp_path: Path, reference: str) -> None:
    # The footer is dropped, so that what follows it joins what came before.
    page = convert(tmp_path, f"<p>one</p>{reference}<footer>x</footer>two{reference}<p>three</p>")
    assert "".join(page.text.split()) in ("onetwothree", "one\ufffdtwo\ufffdthree")


@pytest.mark.parametrize(
    ("rowspan", "second"),
    [("2", "a | c"), (" 2 ", "a | c"), ("²", "c"), ("٣", "c"), ("-1", "c"), ("9" * 5000, "a | c")],
)
def test_a_rowspan_may_be_anything(tmp_path: Path, rowspan: str, second: str) -> None:
    table = f"<table><tr><td rowspan='{rowspan}'>a<td>b<tr><td>c</table>"
    assert convert(tmp_path, f"<meta charset=utf-8>{table}").text.split("\n") == ["a | b", second]


def test_what_a_browser_does_not_show_is_no_text(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        f"""<body style="display:none"><main>{ARTICLE}
        <div style="color: red; display : none">Secret<p>too</p></div><p hidden>Old</p>
        <span style="visibility:hidden">Ghost</span><template><p>Later</p></template>
        <noscript>Switch it on</noscript><script>alert(1)</script>
        <div hidden="until-found">Found by searching.</div></main></body>""",
    )
    for unseen in ("Secret", "too", "Old", "Ghost", "Later", "Switch", "alert"):
        assert unseen not in page.text
    assert "Found by searching." in page.text


def test_a_page_of_which_all_is_hidden_has_no_text(tmp_path: Path) -> None:
    with pytest.raises(NoText):
        convert(tmp_path, "<body><div hidden><p>Nobody reads this.</p></div></body>")


def test_a_term_is_on_the_line_of_its_definition(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        """<dl><dt>Chair</dt><dd><p>Odile Farquhar</p></dd><dt>Rope:</dt><dt>Helmet</dt>
        <dd>free</dd><dd>for an <em>hour</em></dd></dl>
        <dl><div><dt>Treasurer</dt><dd>Ben Achterberg</dd></div></dl>
        <dl><dt>May I climb alone?</dt><dd>Yes.</dd><dt>Fees</dt><dd><ul><li>one</ul></dd>
        <dt>Empty</dt></dl>""",
    )
    assert page.text.split("\n\n") == [
        "Chair: Odile Farquhar",
        "Rope, Helmet: free",
        "Rope, Helmet: for an hour",
        "Treasurer: Ben Achterberg",
        "May I climb alone?",
        "Yes.",
        "Fees",
        "- one",
        "Empty",
    ]


def test_definitions_within_definitions_are_read_in_time(tmp_path: Path) -> None:
    deep = "<dl><dt>a</dt><dd>" * 60 + "end" + "</dd></dl>" * 60
    many = "<dl><dt>a</dt>" + "<dd>b</dd>" * 3_000 + "</dl>"
    assert "a\n\na: end" in convert(tmp_path, deep).text
    assert convert(tmp_path, many).text.endswith("b\n\nb")


FOOTER = """<footer><div class=columns>
<div><h3>Visit us</h3><p>Harbour Office</p><p>12 Quay Street<br>Port Ellen</p></div>
<div><h3>More</h3><ul><li><a href=/a>About</a><li><a href=/b>Jobs</a><li><a href=/c>Press</a></ul>
</div><div><h3>Opening hours</h3><table><tr><td>Mon–Fri<td>9:00 – 17:00<tr><td>Sat<td>closed</table>
</div></div><p>All rights reserved.</p><p><a href="mailto:quay@ferry.example">Write to us</a></p>
<nav>Deals: call +44 20 7946 0000</nav></footer>
<div id="cookie-banner"><p>We use cookies; ask +44 20 7946 0001.</p></div>"""


def test_the_footers_address_and_hours_are_kept_without_its_menu(tmp_path: Path) -> None:
    page = convert(tmp_path, f"<main><h1>Ferry</h1>{ARTICLE}</main>{FOOTER}")
    for kept in (
        "Harbour Office",
        "12 Quay Street\nPort Ellen",
        "Mon–Fri | 9:00 – 17:00\nSat | closed",
        "Write to us",
    ):
        assert kept in page.text
    for dropped in ("About", "More", "rights", "Deals", "cookies"):
        assert dropped not in page.text
    assert [h.title for h in page.headings] == ["Ferry", "Visit us", "Opening hours"]


def test_contact_data_of_the_content_is_said_once(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        f"""<div id=contact><h2>Contact</h2>{ARTICLE}<p>12 Quay Street</p><div><p>Buy now</p></div>
        </div><footer><p>12 Quay Street</p></footer>""",
    )
    assert page.text.count("12 Quay Street") == 1


def test_a_table_is_a_region_with_its_html(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        """<p>Before.</p><table class=x><caption>Berths in 2025</caption>
        <thead><tr><th rowspan=2>Quay</th><th colspan=2 style="color:red">Boats</th></tr>
        <tr><th>small</th><th>large</th></tr></thead>
        <tr><td>North<br>side</td><td>4</td><td>7 &lt; 9</td></tr>
        <tr><td></td><td></td><td></td></tr>
        <tr><td>South</td><td colspan=2>closed</td></tr><tr><td colspan=3>as of May</td></tr>
        </table><p>After.</p>""",
    )
    (region,) = page.regions
    assert page.text[region.start : region.end] == (
        "Quay | Boats | Boats\nQuay | small | large\nNorth side | 4 | 7 < 9\n"
        "South | closed | closed\nas of May"
    )
    assert (region.header_rows, region.caption) == (2, "Berths in 2025")
    assert region.html == (
        '<table><thead><tr><th rowspan="2">Quay</th><th colspan="2">Boats</th></tr>'
        "<tr><th>small</th><th>large</th></tr></thead><tbody>"
        "<tr><td>North side</td><td>4</td><td>7 &lt; 9</td></tr>"
        '<tr><td>South</td><td colspan="2">closed</td></tr>'
        '<tr><td colspan="3">as of May</td></tr></tbody></table>'
    )


def test_a_table_that_arranges_the_page_is_none(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        f"<table><tr><td><h1>Ferry</h1>{ARTICLE}</td><td><table><tr><th>a<th>b<tr><td>1<td>2"
        "</table></td></tr></table>",
    )
    assert [page.text[r.start : r.end] for r in page.regions] == ["a | b\n1 | 2"]


@pytest.mark.parametrize(
    ("corner", "years", "header_rows"),
    [("<td>", ("2023", "2024"), 2), ("<td>Fleet", ("small", "large"), 2), ("<td>", ("5", "6"), 0)],
)
def test_names_stand_in_two_rows_below_what_spans_them(
    tmp_path: Path, corner: str, years: tuple[str, str], header_rows: int
) -> None:
    above = "".join(f"<td colspan=2>{year}" for year in years)
    page = convert(
        tmp_path,
        f"<table><tr>{corner}{above}<tr><td>Port<td>Cod<td>Ling<td>Cod<td>Ling"
        "<tr><td>Oslo<td>1<td>2<td>3<td>4</table>",
    )
    assert page.regions[0].header_rows == header_rows


def test_a_row_of_texts_alone_arranges_them(tmp_path: Path) -> None:
    menu = "<a href=/>Home</a><br><a href=/n>News</a>"
    page = convert(tmp_path, f"<table><tr><td>{menu}<td>{ARTICLE}</table>")
    assert page.text.startswith("Home\nNews\n\nThe ferry")
    page = convert(tmp_path, "<table><tr><td><p>Harbour master<td><p>Ann Smith</table>")
    assert page.text == "Harbour master | Ann Smith"


def test_a_table_in_a_cell_of_a_table_of_data_stays_in_its_row(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        "<table><tr><th>Duck<th>Says<tr><td>Mallard<td><table><tr><td>short<td>quak</table>"
        "<tr><td>Teal<td>nothing</table>",
    )
    assert page.text == "Duck | Says\nMallard | short | quak\nTeal | nothing"


def test_spans_do_not_multiply_a_text_without_bound(tmp_path: Path) -> None:
    rows = "".join(f"<tr><td rowspan=9999>{'x' * 200}{row}</td></tr>" for row in range(600))
    assert len(convert(tmp_path, f"<table>{rows}</table>").text) < 5_000_000


@pytest.mark.timeout(20)  # a second, where trafilatura would make millions of cells
def test_wide_spans_cost_nothing(tmp_path: Path) -> None:
    cells = "<td colspan=1000>Noon and night." * 50
    assert "Noon" in convert(tmp_path, f"<p>before</p><table>{f'<tr>{cells}' * 100}</table>").text


def test_a_paragraph_above_a_table_may_be_its_caption(tmp_path: Path) -> None:
    rows = "<table><tr><th>a<th>b<tr><td>1<td>2</table>"
    page = convert(tmp_path, f"<p>Table 3: Fares</p>{rows}<p>Tables are made of oak.</p>{rows}")
    assert [region.caption for region in page.regions] == ["Table 3: Fares", None]


def test_lists_are_numbered_as_a_browser_does(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        "<ol start=42><li>a<li>b<li value=50>c<li>d</ol><p>x</p><ol type=i><li>e<li>f</ol>"
        "<p>y</p><ol reversed><li>g<li>h</ol>",
    )
    assert [line for line in page.text.split("\n") if "." in line] == (
        ["42. a", "43. b", "50. c", "51. d", "i. e", "ii. f", "2. g", "1. h"]
    )


def test_what_is_said_of_a_picture_is_text(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        '<p>See <img src=a alt="the quay at dawn">.</p><img src=b alt="IMG_1.jpg">'
        '<figure><img src=c alt="Old"><figcaption>New</figcaption></figure>',
    )
    assert page.text == "See the quay at dawn .\n\nNew"


def test_lines_of_code_may_end_with_an_element(tmp_path: Path) -> None:
    assert convert(tmp_path, "<pre>a<br><b>b</b>\nc<!-- d --></pre>").text == "a\nb\nc"


@pytest.mark.parametrize(
    "head",
    ["", '<meta charset="iso-8859-1">', '<meta charset="ascii">', '<meta charset="no-such">'],
)
def test_latin_1_is_what_windows_takes_it_for(tmp_path: Path, head: str) -> None:
    page = convert(tmp_path, f"{head}<p>“Größe” – 5 €</p>".encode("cp1252"))
    assert page.text == "“Größe” – 5 €"


@pytest.mark.parametrize(
    ("named", "encoding", "text"),
    [("gb2312", "gbk", "朱镕基"), ("shift_jis", "cp932", "①髙島"), ("utf-16", "cp1252", "Größe")],
)
def test_a_charset_is_what_browsers_mean_by_its_name(
    tmp_path: Path, named: str, encoding: str, text: str
) -> None:
    page = convert(tmp_path, f'<meta charset="{named}"><p>{text}</p>'.encode(encoding))
    assert page.text == text


def test_the_encoding_of_an_xml_declaration_is_followed(tmp_path: Path) -> None:
    page = convert(
        tmp_path, '<?xml version="1.0" encoding="koi8-r"?><html><p>Порт</p></html>'.encode("koi8-r")
    )
    assert page.text == "Порт"


def test_references_to_controls_are_the_characters_of_windows(tmp_path: Path) -> None:
    assert convert(tmp_path, "<p>9&#150;17, 5 &#x80;</p>").text == "9–17, 5 €"


def test_a_pages_only_title_is_kept_where_it_stands_in_a_header(tmp_path: Path) -> None:
    header = "<header><h1>Tides of the bay</h1><p>By Ann Smith</p></header>"
    page = convert(tmp_path, f"<body>{header}<div>{ARTICLE}</div></body>")
    assert page.text.startswith("Tides of the bay\n\nBy Ann Smith\n\nThe ferry")
    assert [h.title for h in page.headings] == ["Tides of the bay"]
    menu = "<header><h1>Harbour Ltd</h1><a href=/shop>Shop</a></header>"
    page = convert(tmp_path, f"<body>{menu}<div>{ARTICLE}</div></body>")
    assert page.text.startswith("The ferry")
    page = convert(tmp_path, f"<body>{header}<h1>Own title</h1><div>{ARTICLE}</div></body>")
    assert page.text.startswith("Own title")


def test_readings_above_characters_part_no_paragraph(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        "<p>船は<ruby>東京<rt>とうきょう</rt></ruby>と<ruby>港<rp>(</rp><rt>みなと</rt><rp>)</rp></ruby>へ。</p>",
    )
    assert page.text == "船は東京(とうきょう)と港(みなと)へ。"


def test_formulas_are_lines_of_text(tmp_path: Path) -> None:
    page = convert(
        tmp_path,
        "<p>With <math><mi>k</mi><mo>=</mo><mfrac><mn>1</mn><mrow><mi>n</mi><mo>+</mo><mn>2</mn>"
        "</mrow></mfrac></math> the <math><semantics><msup><mi>v</mi><mn>2</mn></msup><annotation "
        'encoding="application/x-tex">v^{2}</annotation></semantics></math>-law holds.</p>'
        '<math display="block" alttext="F=ma"><mi>F</mi></math>',
    )
    assert page.text == "With k = 1/(n + 2) the $v^{2}$-law holds.\n\n$F=ma$"
