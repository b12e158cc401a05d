"""Mend the text that PDF libraries give: line ends, hyphens, characters that nothing shows."""

import re
from collections.abc import Iterable

from flotilla.document.converters.typography import Line

# PDFium puts U+FFFE (older versions U+0002) for a hyphen at a line's end, and joins the lines.
SPLIT_WORD = re.compile("(\\w*)[\ufffe\x02](\\w*)")
UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\ufeff\ufffe\uffff\ud800-\udfff]")


def clean_lines(lines: Iterable[Line], compounds: frozenset[str] = frozenset()) -> list[Line]:
    """The lines as they are shown, at most one empty line in a row, none at the ends.

    Args:
        lines: as the library gives them.
        compounds: lower-case words such as `second-hand` that keep their hyphen when a line
            ends there; all others are joined.
    """

    def mend(found: re.Match[str]) -> str:
        hyphened = f"{found[1]}-{found[2]}"
        if hyphened.lower() in compounds or found[1][-1:].isdigit() or found[2][:1].isdigit():
            return hyphened
        return found[1] + found[2]

    cleaned: list[Line] = []
    for line in lines:
        text = line.text
        if not text.isprintable():
            text = UNSHOWN.sub("", SPLIT_WORD.sub(mend, text))
        text = " ".join(text.split())
        if text or (cleaned and cleaned[-1].text):
            cleaned.append(line._replace(text=text))
    if cleaned and not cleaned[-1].text:
        cleaned.pop()
    return cleaned


def locate(title: str, text: str) -> int:
    """The offset at which a bookmark's title stands on its page.

    A line that holds nothing else is preferred, so that a mention in a sentence is not taken
    for the heading. 0, the top of the page, where the title is not found.
    """
    words = r"\s+".join(re.escape(word) for word in title.split())
    numbered = rf"^(?:[\dA-Z.§]{{1,8}}[^\S\n]+)?{words}"
    for pattern in (rf"{numbered}\s*$", rf"{numbered}\b", words):
        if found := re.search(pattern, text, re.MULTILINE | re.IGNORECASE):
            return found.start()
    return 0
