"""Putting what is known of a picture into its page's text, at the place where the picture is."""

import re
from collections.abc import Callable, Sequence

from flotilla.models import Box, DataType, Heading, Page, Region, Value


class Picture(Value):
    """A picture in a document.

    `page` counts from 1; `digest` is the SHA-256 of its bytes in the file, so that one that repeats
    is known; `pixels` is its own size; `share` is the part of the page that it covers, and `box`
    where, if the format tells; `part` is its name in a file of parts.
    """

    page: int
    digest: str
    pixels: tuple[int, int]
    share: float = 0.0
    box: Box | None = None
    part: str | None = None


CAPTION = re.compile(
    r"(?:fig(?:ure|\.)?|abb(?:ildung|\.)?|bild|chart|diagram|exhibit|picture|image|grafik|schema)"
    r"\s*\d[\w.]*\b.*",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"[.!?:;…][\"'»”’)\]]*$")
SEARCHED_LINES = 12
"""Lines behind the one above the picture among which its paragraph is looked for to end."""


def place_below(page: Page, above: Sequence[str]) -> int:
    """The offset behind the paragraph that stands above a picture.

    Args:
        page: whose text is looked through.
        above: the lines above the picture, the nearest first; the first that is found counts.
            Without any the picture is at the page's top.
    """
    if not above:
        return 0
    for line in above:
        words = r"\s+".join(map(re.escape, line.split()))
        found = re.search(words, page.text, re.IGNORECASE)
        if found is not None:
            return _paragraph_end(page, found.end())
    return len(page.text)


def _paragraph_end(page: Page, offset: int) -> int:
    """The end of the paragraph around an offset: where a sentence and its line end, or before a
    heading or an empty line."""
    headings = {heading.offset for heading in page.headings}
    end = first = _line_end(page.text, offset)
    for _ in range(SEARCHED_LINES):
        begun = page.text.rfind("\n", 0, end) + 1
        line = page.text[begun:end]
        following = end + 1
        if (
            end == len(page.text)
            or SENTENCE_END.search(line.rstrip())
            or begun in headings
            or following in headings
            or page.text[following : following + 1] in ("\n", "")
        ):
            return end
        end = _line_end(page.text, following)
    return first


def _line_end(text: str, offset: int) -> int:
    end = text.find("\n", offset)
    return len(text) if end < 0 else end


def with_summary(page: Page, offset: int, summary: str, box: Box | None) -> Page:
    """The page with a paragraph of what a model says of a picture, marked as that."""
    text = f"[Picture: {summary}]"
    caption = _caption(page, offset)
    return _with_paragraph(
        page,
        offset,
        text,
        lambda start: Region(
            data_type=DataType.IMAGE,
            start=start,
            end=start + len(text),
            caption=caption,
            box=box,
        ),
    )


def with_text(page: Page, offset: int, inner: Page) -> Page:
    """The page with what is written in a picture, which is text like any other."""
    return _with_paragraph(page, offset, inner.text, None, inner.headings)


def _caption(page: Page, offset: int) -> str | None:
    """What stands right below as the picture's name, or right above."""
    below = page.text[offset:].lstrip().partition("\n")[0]
    above = page.text[:offset].rstrip().rpartition("\n")[2]
    for line in (below, above):
        if CAPTION.fullmatch(line.strip()):
            return line.strip()
    return None


def _with_paragraph(
    page: Page,
    offset: int,
    text: str,
    region: Callable[[int], Region] | None,
    headings: Sequence[Heading] = (),
) -> Page:
    # Not into a table, and not into another picture's summary.
    for each in page.regions:
        if each.start < offset < each.end:
            offset = each.end
    before, after = page.text[:offset].rstrip(), page.text[offset:]
    stripped = after.lstrip("\n")
    start = len(before) + 2 if before else 0
    joined = f"{before}\n\n{text}" if before else text
    if stripped:
        joined += f"\n\n{stripped}"
    kept = len(page.text) - len(stripped)  # from here on the page's text stands further down
    shift = len(joined) - len(stripped) - kept

    def moved(place: int) -> int:
        return place + shift if place >= kept else min(place, len(before))

    own = [heading.model_copy(update={"offset": start + heading.offset}) for heading in headings]
    old = [h.model_copy(update={"offset": moved(h.offset)}) for h in page.headings]
    regions = [
        r.model_copy(update={"start": moved(r.start), "end": moved(r.end - 1) + 1 if r.end else 0})
        for r in page.regions
    ]
    if region is not None:
        regions.append(region(start))
    return page.model_copy(
        update={
            "text": joined,
            "headings": tuple(sorted(old + own, key=lambda each: each.offset)),
            "regions": tuple(sorted(regions, key=lambda each: each.start)),
        }
    )
