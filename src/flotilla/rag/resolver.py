"""From a model's references to verbatim quotes, while the model is still writing."""

import re
from collections.abc import Mapping, Sequence

from flotilla.models import Citation, Passage
from flotilla.rag.citations import MARKER, cite, numbers_of
from flotilla.rag.code_spans import CodeSpans
from flotilla.rag.text.sentences import Kind, Sentence, split
from flotilla.rag.text.terms import coverage, terms, weights

LONGEST_GAP = 64
"""Characters of white space in a row; what is more is left out."""

# Blanks, and behind them what may still become a reference (`MARKER`); or nothing, at the end.
_UNDECIDED = re.compile(
    r"[ \t]{0,64}(?:[\[【]\s{0,9}(?:p(?:a(?:s(?:s(?:a(?:g(?:es?)?)?)?)?)?)?|"
    r"(?:passages?\s{1,9}|p\.\s{0,9})?(?:\d{1,3}(?:\s{0,9}[,;–-]\s{0,9}\d{1,3}){0,49}"
    r"\s{0,9}(?:[,;–-]\s{0,9})?)?))?\Z",
    re.IGNORECASE,
)
# White space at the end of an answer is dropped, blanks before a punctuation mark as well. Each
# run of it is looked at once, from where it begins: a run may be as long as a model likes.
_WAITING = re.compile(r"(?:(?<!\s)\s+[.,;:!?]?)?\Z")
_SPACED = re.compile(r"(?<![ \t])[ \t]+([.,;:!?])(?=\s)")
_SPACED_AT_END = re.compile(r"(?<![ \t])[ \t]+([.,;:!?])(?=\s|\Z)")
_LONG_GAP = re.compile(rf"(?<!\s)(\s{{{LONGEST_GAP}}})\s+")


class Resolver:
    """Turns a text that refers to passages by their number, counted from 1, into what is read.

    Each reference becomes a citation of the sentence of that passage which is nearest to the claim
    before the reference; references to the same sentence share a number, and the numbers count
    from 1 in order of first use. References that point nowhere are removed, and what looks like
    one in code is none. What may be shown
    depends on the text so far alone, and not on the pieces in which it came: it is held back only
    as long as it may become a reference, or white space that is dropped.

    Args:
        passages: what the text refers to.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.citations: list[Citation] = []
        """What the numbers stand for that were shown so far."""
        self._passages = passages
        self._places: dict[tuple[int, int, int], int] = {}
        self._nearest: dict[tuple[int, str], Sentence | None] = {}
        self._sentences: dict[int, list[Sentence]] = {}
        self._code = CodeSpans()
        self._undecided = ""
        self._waiting = ""
        self._gap = ""  # the white space that the resolved text ends with
        self._shown = False
        self._since = ""  # what stands behind the last reference
        self._claim = ""
        self._last: int | None = None  # the number shown last, with nothing behind it

    def feed(self, piece: str) -> str:
        """What of the text up to here can be shown, and was not before."""
        text = self._undecided + piece
        undecided = _UNDECIDED.search(text)
        assert undecided is not None  # noqa: S101 - the end matches
        self._undecided = undecided.group()
        resolved = self._without_gaps(self._resolved(text[: undecided.start()]))
        text = _SPACED.sub(r"\1", self._waiting + resolved)
        waiting = _WAITING.search(text)
        assert waiting is not None  # noqa: S101 - as above
        self._waiting = waiting.group()
        return self._begun(text[: waiting.start()])

    def finish(self) -> str:
        """What was held back and belongs to the text, now that it has ended."""
        text = self._waiting + self._without_gaps(self._resolved(self._undecided))
        self._undecided = self._waiting = ""
        return self._begun(_SPACED_AT_END.sub(r"\1", text).rstrip())

    def _without_gaps(self, resolved: str) -> str:
        """The resolved text with no more than so much white space in a row."""
        text = _LONG_GAP.sub(r"\1", self._gap + resolved)
        given = text[len(self._gap) :]
        self._gap = text[len(text.rstrip()) :]
        return given

    def _begun(self, text: str) -> str:
        if not self._shown:
            text = text.lstrip()
            self._shown = bool(text)
        return text

    def _resolved(self, text: str) -> str:
        """A part of the text in which no reference is cut off."""
        parts: list[str] = []
        end = 0
        for match in MARKER.finditer(text):
            parts.append(self._plain(text[end : match.start()]))
            end = match.end()
            if self._code.holds(match.group()):
                parts.append(self._plain(match.group()))
                continue
            self._code.feed(match.group())
            # Markers in a row, and one behind the full stop, rest on the same claim.
            self._claim = _last_claim(self._since) or self._claim
            self._since = ""
            numbers = (self._number(index) for index in numbers_of(match.group(1)))
            for number in dict.fromkeys(numbers):
                if number is not None and number != self._last:
                    parts.append(f" [{number}]")
                    self._last = number
        parts.append(self._plain(text[end:]))
        return "".join(parts)

    def _plain(self, text: str) -> str:
        self._since += text
        self._code.feed(text)
        if text:
            self._last = None
        return text

    def _number(self, index: int) -> int | None:
        """The number of a citation of a passage for the last claim."""
        if not 1 <= index <= len(self._passages):
            return None
        passage = self._passages[index - 1]
        if index not in self._sentences:
            self._sentences[index] = _quotable(passage)
        asked = (index, self._claim)
        if asked not in self._nearest:
            self._nearest[asked] = _nearest(self._claim, self._sentences[index])
        sentence = self._nearest[asked]
        if sentence is None:
            return None
        place = (index, sentence.start, sentence.end)
        if place not in self._places:
            number = self._places[place] = len(self._places) + 1
            self.citations.append(cite(number, passage, sentence.start, sentence.end))
        return self._places[place]


def resolve(text: str, passages: Sequence[Passage]) -> tuple[str, tuple[Citation, ...]]:
    """A whole text as a reader gets it, and its citations (`Resolver`)."""
    resolver = Resolver(passages)
    return resolver.feed(text) + resolver.finish(), tuple(resolver.citations)


def _last_claim(text: str) -> str:
    """The last sentence of what stands before a marker."""
    claims = [s.shown for s in split(text) if terms(s.shown)]
    return claims[-1] if claims else ""


def _quotable(passage: Passage) -> list[Sentence]:
    """What of a passage may be quoted: its sentences, or all of it where it has none."""
    sentences = [s for s in split(passage.text, passage.heading_path) if s.kind is not Kind.HEADING]
    if sentences:
        return sentences
    bare = passage.text.strip()
    start = passage.text.find(bare)
    return [Sentence(bare, start, start + len(bare), Kind.SENTENCE)] if bare else []


def _nearest(claim: str, sentences: Sequence[Sentence]) -> Sentence | None:
    """The sentence that shares most with a claim, by the inverse frequency of its terms.

    A claim in another language shares numbers and names at best; the first sentence stands for
    the passage where it shares nothing.
    """
    if not sentences:
        return None
    worded = [terms(f"{s.header} {s.text}") for s in sentences]
    weight: Mapping[str, float] = weights(worded)
    asked = terms(claim)
    shares = [
        # Of two sentences that cover as much, the one that says less besides is nearer.
        (coverage(asked, words, weight, terms(s.heading)), coverage(words, asked, weight))
        for s, words in zip(sentences, worded, strict=True)
    ]
    best = max(range(len(sentences)), key=lambda i: (sum(shares[i]), -i))
    return sentences[best]
