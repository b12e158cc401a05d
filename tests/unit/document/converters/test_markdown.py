from pathlib import Path

import pytest

from flotilla.document.converters.markdown import MarkdownConverter, find_headings
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
    headings = find_headings(TEXT)
    assert [(h.level, h.title) for h in headings] == [
        (1, "One code thing"),
        (2, "Two"),
        (3, "In a list"),
    ]
    assert [TEXT[h.offset :].split("\n")[0] for h in headings] == [
        "# One `code` *thing*",
        "Two",
        "- ### In a list",
    ]


def test_front_matter_gives_the_title_and_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "---\ntitle: 'Tides'\ntags: [a]\n---\n# Heading\n")
    (page,) = MarkdownConverter().pages(path)
    assert page.text == "# Heading\n"
    assert page.headings[0].offset == 0
    assert MarkdownConverter().inspect(path).title == "Tides"


def test_rules_around_prose_are_no_front_matter(tmp_path: Path) -> None:
    text = "---\nThis is prose.\n---\n# Heading\n"
    (page,) = MarkdownConverter().pages(write(tmp_path, text))
    assert page.text == text


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
    assert "Never <unclosed> nor `<b>` here." in text


def test_code_in_markdown_keeps_its_tags(tmp_path: Path) -> None:
    code = "So:\n\n```html\n<b hidden>fare</b>\n<script>run()</script>\n```\n\n    <p>no</p>\n"
    assert shown(tmp_path, code) == code


def test_a_table_of_html_in_markdown_has_rows(tmp_path: Path) -> None:
    text = shown(
        tmp_path,
        "Fares:\n\n<table><tr><th>Who</th><th>Fare</th></tr>\n<tr><td>Child</td><td>£1</td></tr></table>\n",
    )
    assert "Who | Fare\nChild | £1" in text


def test_an_element_that_is_never_closed_hides_its_paragraph_alone(tmp_path: Path) -> None:
    assert shown(tmp_path, "<div hidden>\nSecret.\n\nOpen.").strip() == "Open."
