"""A page's text while it is gathered, block by block, with the headings and tables in it."""

import re

from flotilla.document.converters.tables import Table
from flotilla.models import DataType, Heading, Page, Region

# Characters that XML or a reader's terminal cannot show; tabs and line ends stay.
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\ufeff]")
# A paragraph right above a table that is its name, in the languages that have met us so far.
CAPTION = re.compile(
    r"(?:table|tab\.|tabelle|tableau|tabla|tabela|tabella|tabel|taulukko|exhibit|schedule)"
    r"\s+[\w.\-–]{1,10}(?:\s*[.:)–-]|\s|$)",
    re.IGNORECASE,
)
CAPTION_CHARS = 300
FIGURE = re.compile(r"(?:fig|abb|bild|image|photo|chart|diagram)", re.IGNORECASE)
LABEL_MARKS = ("\ue002", "\ue003")
"""Around the number that a document itself gives a paragraph or an item, at its start: characters
for private use, which are no text."""
LABELLED = re.compile(f"{LABEL_MARKS[0]}([^{LABEL_MARKS[1]}]*){LABEL_MARKS[1]}\\s*")


class PageText:
    """Gathers blocks and knows at which offset each begins."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self.regions: list[Region] = []
        self._parts: list[str] = []
        self._length = 0
        self._inline: list[str] = []
        self._prefix = ""
        self._label = ""
        self._last_kind = ""

    @property
    def length(self) -> int:
        """Characters so far, without the block that is still being written."""
        return self._length

    def write(self, text: str | None) -> None:
        """Add inline text; white space in it is of no meaning."""
        if text:
            self._inline.append(re.sub(r"[ \t\n\r\f]+", " ", text))

    def line_break(self) -> None:
        """End the line within a block."""
        self._inline.append("\n")

    def bullet(self, prefix: str) -> None:
        """The next block is a list item."""
        self._prefix = prefix

    def label(self, label: str) -> None:
        """The next block is what this label names; with an empty one it is not."""
        self._label = label

    def flush(self, level: int | None = None) -> None:
        """End the block; with a level it is a heading."""
        text = re.sub(r" *\n *", "\n", re.sub(r" +", " ", "".join(self._inline)))
        text = text.strip(" \n\xa0\u200b")  # the last stands in the links beside headings
        self._inline.clear()
        if found := LABELLED.match(text):
            text = text[found.end() :]
            if self._prefix and text:
                self._prefix = self._prefix[: -len(self._prefix.lstrip())] + f"{found[1]} "
            elif text:
                text = f"{found[1]} {text}"
        if not text:
            return
        if level is not None:
            self.heading(text, level)
        else:
            text = self._label + text
            self._add(self._prefix + text, "item" if self._prefix else "paragraph")
        self._prefix = self._label = ""

    def heading(self, text: str, level: int) -> None:
        """Add a heading that is written already; white space in it is of no meaning."""
        text = CONTROLS.sub("", " ".join(text.split()))
        if text:
            self._add(text, "heading")
            offset = self._length - len(text)
            self.headings.append(Heading(offset=offset, level=level, title=text))

    def block(self, text: str, kind: str = "paragraph") -> None:
        """Add a block that is written already. Rows follow one another, and so do items."""
        self.flush()
        if text.strip():
            self._add(text, kind)

    def table(self, made: Table, caption: str | None = None) -> None:
        """Add a table's rows. `caption` is its name where it is known; else a paragraph right
        above that reads like one is taken for it."""
        self.flush()
        if not made.lines:
            return
        if caption is None and self._last_kind in ("paragraph", "caption"):
            above = self._parts[-1]
            named = self._last_kind == "caption" or CAPTION.match(above)
            caption = above if named and len(above) <= CAPTION_CHARS else None
        # Two tables in a row are two.
        self._last_kind = ""
        start = self._length + (2 if self._parts else 0)
        for line in made.lines:
            self._add(line, "row")
        self._last_kind = "table"
        if made.columns > 1 and len(made.lines) > 1:
            self.regions.append(
                Region(
                    data_type=DataType.TABLE,
                    start=start,
                    end=self._length,
                    html=CONTROLS.sub("", made.html),
                    header_rows=made.header_rows,
                    caption=caption,
                )
            )

    def caption(self) -> None:
        """What was written last is a caption: of the table right above it, else of what follows."""
        self.flush()
        if self._last_kind != "paragraph":
            return
        self._last_kind = "caption"
        text = self._parts[-1]
        above = self.regions[-1] if self.regions else None
        start = self._length - len(text)
        if above is None or above.caption is not None or start - above.end != 2:
            return
        if not FIGURE.match(text):
            self.regions[-1] = above.model_copy(update={"caption": text})

    def _add(self, text: str, kind: str) -> None:
        text = CONTROLS.sub("", text)
        if self._parts:
            gap = "\n" if kind == self._last_kind and kind in ("item", "row") else "\n\n"
            self._parts.append(gap)
            self._length += len(gap)
        self._parts.append(text)
        self._length += len(text)
        self._last_kind = kind

    def page(self, number: int | None = None) -> Page:
        """The page of all that was added."""
        self.flush()
        return Page(
            number=number,
            text="".join(self._parts),
            headings=tuple(self.headings),
            regions=tuple(self.regions),
        )
