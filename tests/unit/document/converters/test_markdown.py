from pathlib import Path

import pytest

from flotilla.document.converters.markdown import MarkdownConverter, markdown_page
from flotilla.errors import NoText

TEXT = """# One `code` *thing*

text

```sh
# a comment, no heading
```

Two
---

- ### In a list
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "notes.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_headings_with_offsets_and_none_from_code() -> None:
    page = markdown_page(TEXT)
    assert [(h.level, h.title) for h in page.headings] == [
        (1, "One code thing"),
        (2, "Two"),
        (3, "In a list"),
    ]
    for heading in page.headings:
        assert page.text[heading.offset :].startswith(heading.title)


def test_front_matter_gives_the_title_and_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "---\ntitle: 'Tides'\ntags: [a]\n---\n# Heading\n")
    (page,) = MarkdownConverter().pages(path)
    assert page.text == "Heading"
    assert page.headings[0].offset == 0
    assert MarkdownConverter().inspect(path).title == "Tides"


def test_rules_around_prose_are_no_front_matter(tmp_path: Path) -> None:
    text = "---\nThis is prose.\n---\n# Heading\n"
    (page,) = MarkdownConverter().pages(write(tmp_path, text))
    assert page.text == "This is prose.\n\nHeading"


def test_without_front_matter_the_first_heading_is_the_title(tmp_path: Path) -> None:
    assert MarkdownConverter().inspect(write(tmp_path, "## a\n# b\n")).title == "b"


def test_nothing_below_the_front_matter_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoText):
        list(MarkdownConverter().pages(write(tmp_path, "---\ntitle: x\n---\n\n")))


def shown(folder: Path, text: str) -> str:
    (page,) = MarkdownConverter().pages(write(folder, text))
    return page.text


def test_what_a_reader_of_markdown_does_not_see_is_no_text(tmp_path: Path) -> None:
    text = shown(
        tmp_path,
        """# Ferry
<!-- draft: the fare is £9 -->
<script>alert(1)</script>
<div hidden><div>Old fare: £2.</div>

Old times.</div>
<p style="display: none">Secret.</p>

The <b>fare</b> is <a href="/x">£4</a>.<br>Dogs ride free.

<img src=x onerror="alert(2)">
<template>Later.</template> Never <unclosed> nor `<b>` here.
""",
    )
    for unseen in ("draft", "alert", "Old", "Secret", "Later", "href", "</"):
        assert unseen not in text
    assert "The fare is £4.\nDogs ride free." in text
    assert "Never <unclosed> nor <b> here." in text


def test_code_in_markdown_keeps_its_tags(tmp_path: Path) -> None:
    code = "So:\n\n```html\n<b hidden>fare</b>\n<script>run()</script>\n```\n\n    <p>no</p>\n"
    assert shown(tmp_path, code) == (
        "So:\n\n<b hidden>fare</b>\n<script>run()</script>\n\n<p>no</p>"
    )


def test_a_table_of_html_in_markdown_has_rows(tmp_path: Path) -> None:
    text = shown(
        tmp_path,
        "Fares:\n\n<table><tr><th>Who</th><th>Fare</th></tr>\n<tr><td>Child</td><td>£1</td></tr></table>\n",
    )
    assert "Who | Fare\nChild | £1" in text


def test_an_element_that_is_never_closed_hides_its_paragraph_alone(tmp_path: Path) -> None:
    assert shown(tmp_path, "<div hidden>\nSecret.\n\nOpen.").strip() == "Open."


def test_what_makes_the_text_is_not_shown(tmp_path: Path) -> None:
    text = shown(
        tmp_path,
        """The *quay* and ~~old~~ [the **pier**](https://pier.example "Pier") of `snake_case`, \\*,
R&amp;D, <https://quay.example>[^1] and ![a boat](boat.png).

[^1]: https://note.example

4. four
   - inner
5. five

> All aboard

- [x] paid

```sh
a  &amp;
```
""",
    )
    assert text == (
        "The quay and old the pier of snake_case, *,\n"
        "R&D, https://quay.example[^1] and a boat .\n\n"
        "[^1]: https://note.example\n\n4. four\n  - inner\n5. five\n\nAll aboard\n\n- [x] paid\n\n"
        "a  &amp;"
    )


def test_tables_are_regions_without_their_rules(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """Table 1: Fares

| Who | Fare |
|:----|-----:|
| **Child**<br>under 6 | £1 \\| €1 |
| Dog | |

<table><tr><th>Day</th><th>Boats</th></tr>

<tr><td>May 1</td><td hidden>9</td><td>4</td></tr></table>
""",
    )
    (page,) = MarkdownConverter().pages(path)
    assert [page.text[r.start : r.end] for r in page.regions] == [
        "Who | Fare\nChild under 6 | £1 | €1\nDog | ",
        "Day | Boats\nMay 1 | 4",
    ]
    first = page.regions[0]
    assert (first.header_rows, first.caption) == (1, "Table 1: Fares")
    assert first.html == (
        "<table><thead><tr><th>Who</th><th>Fare</th></tr></thead><tbody><tr><td>Child under 6</td>"
        "<td>£1 | €1</td></tr><tr><td>Dog</td><td></td></tr></tbody></table>"
    )


def test_headings_and_lists_of_html_are_such(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """<h1 align="center">
  <img src="logo.svg" alt="The mark of the">
  <b>Ferry</b>
</h1>

<p align="center">One</p><p>Two</p>
<ul><li>north</li><li>south</li></ul>
""",
    )
    (page,) = MarkdownConverter().pages(path)
    assert page.text == "The mark of the Ferry\n\nOne\n\nTwo\n\n- north\n- south"
    assert [(h.level, h.title) for h in page.headings] == [(1, "The mark of the Ferry")]


def test_headings_of_html_within_one_another_are_read(tmp_path: Path) -> None:
    assert shown(tmp_path, "<h1>" * 3000 + 'x <img alt="y"> `<b>`') == "x y <b>"


@pytest.mark.parametrize("mark", ["- ", "> "])
def test_nothing_is_lost_for_its_depth(tmp_path: Path, mark: str) -> None:
    lines = [
        f"{'  ' * level if mark == '- ' else mark * level}{mark}line {level}"
        for level in range(150)
    ]
    text = shown(tmp_path, "\n".join(lines))
    assert all(f"line {level}" in text for level in range(150))


def test_a_mark_for_tables_in_the_text_is_no_table(tmp_path: Path) -> None:
    assert "7" in shown(tmp_path, "a\n\n\ue0007\ue001\n")
