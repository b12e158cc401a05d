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
