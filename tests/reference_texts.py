"""Files with the texts that a person reads in them, for tests and benchmarks of conversion.

A folder of them holds `manifest.jsonl`: of each file its `id`, `format` and `file`, and what is
expected of it: `status` (`ok`, `password` or `any`), and where that is known `pages`, `password`,
`text_file` (the reference text beside it), `same_text_as` (the id of another file), `include` and
`exclude` (passages), `scanned`, and `reject` (it is of no format that is read).
"""

import html
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from flotilla.document.converters import converter_for
from flotilla.document.detect import detect
from flotilla.models import PAGE_BREAK, Page

MAX_UNPACKED = 2**30
# Letters, or digits: "H2O" is as good as an H, a lowered 2 and an O.
WORD = re.compile(r"[^\W\d_]+|\d+")
# What Markdown writes and nobody reads.
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\((?:[^()\n]|\([^()\n]*\))*\)")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]*>")
_RULE = re.compile(r"^[ \t|:*_=-]+$", re.MULTILINE)
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])")


class Reference:
    """One file of the manifest."""

    def __init__(self, folder: Path, row: dict[str, Any]) -> None:
        self._folder = folder
        self.id: str = row["id"]
        self.format: str = row["format"]
        self.path = folder / row["file"]
        self.expect: dict[str, Any] = row["expect"]

    @property
    def password(self) -> str | None:
        found = self.expect.get("password")
        return None if found is None else str(found)

    @cached_property
    def text(self) -> str | None:
        """The reference text without markup; None where there is none."""
        name = self.expect.get("text_file")
        if name is None:
            return None
        text = (self._folder / name).read_text(encoding="utf-8-sig")
        return plain(text) if name.endswith(".md") else text


def references(folder: Path) -> list[Reference]:
    """The files of a folder, in the manifest's order."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [Reference(folder, json.loads(line)) for line in lines]


def converted(reference: Reference, password: str | None = None) -> list[Page]:
    """A file as Flotilla converts it."""
    media_type = detect(reference.path, reference.path.name, None)
    converter = converter_for(media_type, max_unpacked_bytes=MAX_UNPACKED)
    return list(converter.pages(reference.path, password=password))


def text_of(pages: Iterable[Page]) -> str:
    """The pages' texts in a row."""
    return PAGE_BREAK.join(page.text for page in pages)


def plain(markdown: str) -> str:
    """Markdown without its marks: addresses of links, emphasis, rules, escapes, tags."""
    text = _LINK.sub(r"\1", _COMMENT.sub(" ", markdown))
    text = _TAG.sub(" ", _RULE.sub("", text))
    text = _ESCAPE.sub(r"\1", html.unescape(text))
    return re.sub(r"^```\w*|(?<!\w)[*_]{1,3}|[*_]{1,3}(?!\w)|~~", " ", text, flags=re.MULTILINE)


def words(text: str) -> Counter[str]:
    """How often each word stands in a text, in any order; a word is letters, or digits.

    Case, marks of punctuation, ligatures and the shapes of letters (Unicode's NFKC) make no
    difference. A hyphen at a line's end is part of nothing: "ex-", "pected" is "expected".
    """
    text = re.sub(r"(?<=\w)[-\u00ad\u2010]\s*\n\s*(?=[a-zß-ÿ])", "", text)
    text = unicodedata.normalize("NFKC", text.replace("\u00ad", "")).casefold()
    return Counter(WORD.findall(text))


def word_f1(text: str, reference: str) -> float:
    """The harmonic mean of precision and recall of a text's words, as bags, against a reference's.

    1 where neither has a word.
    """
    found, wanted = words(text), words(reference)
    if not found and not wanted:
        return 1.0
    common = (found & wanted).total()
    return 2 * common / (found.total() + wanted.total())


def mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else float("nan")
