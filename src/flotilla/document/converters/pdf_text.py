"""Mend the text that PDF libraries give: line ends, hyphens, characters that nothing shows."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from flotilla.document.converters.typography import Line

# PDFium puts U+FFFE (older versions U+0002) for a hyphen at a line's end, and joins the lines.
SPLIT_WORD = re.compile("(\\w*)[\ufffe\x02\u00ad] ?(\\w*)")
SPLIT_END = re.compile("(\\w+)([\ufffe\x02\u00ad]|(?<=[^\\W\\d_])[-\u2010])$")
SPLIT_SIGNS = frozenset("\ufffe\x02\u00ad-\u2010")
WORD_START = re.compile(r"\w+")
UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\ufeff\ufffe\uffff\ud800-\udfff]")
# One character for two letters, or for a letter in the shape that its place in the word gives it.
LIGATURES = re.compile("[\ufb00-\ufb06\ufb13-\ufb17\ufb1d-\ufb4f\ufb50-\ufdff\ufe70-\ufefc]+")
COMPOUND = re.compile(r"\w+(?:[-\u2010]\w+)+")
# What a compound that is left open goes on with: "pre- and post-war".
OPEN_COMPOUND = re.compile(r"(?:and|or|to|und|oder|bis|et|ou|y|o|e|och|og|en|of)\b")
# First parts that keep their hyphen, and those that rarely have one though they are words.
HYPHENED = frozenset(("self", "non", "quasi"))
LINKING = frozenset(("a", "and", "by", "for", "in", "of", "on", "or", "the", "to"))
CLOSED = frozenset(
    (
        "after",
        "any",
        "back",
        "every",
        "fore",
        "here",
        "how",
        "inter",
        "more",
        "over",
        "some",
        "super",
        "there",
        "trans",
        "under",
        "what",
        "when",
        "where",
        "with",
    )
)
# Parts shorter than this are more likely syllables than words.
LEAST_PART = 4


class Vocabulary:
    """The words of a document that its hyphens at line ends are judged by.

    Args:
        texts: its lines, as far as they are known, one after another.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._words: set[str] = set()
        self._compounds: set[str] = set()
        split = False
        for text in texts:
            folded = text.lower().strip()
            # The halves of a split word are no words.
            if split:
                folded = WORD_START.sub("", folded, count=1)
            split = folded[-1:] in SPLIT_SIGNS
            if split:
                folded = SPLIT_END.sub("", folded)
            self._words.update(WORD_START.findall(folded))
            self._compounds.update(COMPOUND.findall(folded))

    def mended(self, first: str, second: str, ahead: str = "") -> str:
        """The word that a hyphen at a line's end cut in two, with the hyphen if it is its own.

        `ahead` is what stands in the line ahead of the first half.
        """
        one, two = first.lower(), second.lower()
        if f"{one}-{two}" in self._compounds:
            return f"{first}-{second}"
        if one + two in self._words and not first[-1:].isdigit():
            return first + second
        real = (
            first[-1:].isdigit()
            or second[:1].isdigit()
            or (second[:1].isupper() and not first.isupper())
            or one in HYPHENED
            # No syllable is a letter: "x-ray"; and "state-of-the-art" is cut where it is written.
            or (len(one) == 1 and not ahead.endswith(("'", "’")) and not ahead[-1:].isalnum())
            or (one in LINKING and ahead[-1:] in ("-", "\u2010"))
            or (
                min(len(one), len(two)) >= LEAST_PART
                and one not in CLOSED
                and {one, two} <= self._words
            )
        )
        return f"{first}-{second}" if real else first + second


NO_WORDS = Vocabulary(())


def clean_text(text: str, vocabulary: Vocabulary = NO_WORDS) -> str:
    """A line as it is shown: split words mended, white space single, ligatures as letters."""
    if not text.isascii() or not text.isprintable():
        text = SPLIT_WORD.sub(
            lambda found: vocabulary.mended(found[1], found[2], found.string[: found.start()]), text
        )
        text = UNSHOWN.sub("", text)
        text = LIGATURES.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return " ".join(text.split())


def join_split_words(
    lines: Iterable[Line | None], vocabulary: Vocabulary = NO_WORDS
) -> Iterator[Line | None]:
    """The lines, where a word that goes on in the next one stands whole in the first.

    None stands for what is no line, a table.
    """
    before: Line | None = None
    for line in lines:
        if before is None:
            before = line
            if line is None:
                yield None
            continue
        ended = before.text.rstrip()
        split = SPLIT_END.search(ended) if ended[-1:] in SPLIT_SIGNS else None
        if line is not None and split is not None:
            text = line.text.lstrip()
            start = WORD_START.match(text)
            marked = split[2] not in "-\u2010"
            if (
                start is not None
                and (marked or start[0][0].islower())
                and not (line.apart and not marked)
                and not OPEN_COMPOUND.match(text)
            ):
                whole = vocabulary.mended(split[1], start[0], ended[: split.start()])
                rest = text[start.end() :]
                # What clings to the word, a full stop or a bracket, goes with it.
                clinging = re.match(r"\S*", rest)
                end = clinging.end() if clinging else 0
                yield before._replace(text=ended[: split.start()] + whole + rest[:end])
                rest = rest[end:].lstrip()
                before = line._replace(text=rest) if rest else None
                continue
        yield _closed(before)
        before = line
        if line is None:
            yield None
    if before is not None:
        yield _closed(before)


def _closed(line: Line) -> Line:
    """A hyphen at the end of a line that nothing follows is one."""
    text = line.text.rstrip()
    return line._replace(text=text[:-1] + "-") if text[-1:] in ("\ufffe", "\x02") else line


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
