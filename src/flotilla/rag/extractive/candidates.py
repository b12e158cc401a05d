"""The sentences of the retrieved passages, each with what it needs to be understood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from flotilla.models import Passage
from flotilla.rag.extractive.injections import addresses_model
from flotilla.rag.extractive.table_headers import (
    columns_by_header,
    going_on_headers,
    headers_of,
    section,
    version,
)
from flotilla.rag.inactive import inactive
from flotilla.rag.text.blocks import LABELLED
from flotilla.rag.text.sentences import Kind, Sentence, split
from flotilla.rag.text.signatures import office_of
from flotilla.rag.text.tables import is_unit
from flotilla.rag.text.terms import terms

LONGEST = 800
"""Characters above which a stretch is no sentence but a text without punctuation."""

MOST_SIGNS = 0.04
"""Share of brackets and other signs of code from which on a stretch is no prose."""

CODE = 0.85
"""Factor of the score of such a stretch: few who ask want to read it."""

TITLE = 0.88
"""The same for a title in capitals with the line below it: it names what it stands above."""

ANNOUNCES = 0.8
"""The same for what a text says of itself: "This leaflet sums up what we cover"."""

REACH = 600
"""Characters behind an order to a model that belong to it, unless its paragraph ends before."""

_OF_ITSELF = re.compile(
    r"(?:this|these|the following|dies\w*) (?:\w+ )?(?:leaflet|guide|document|page|section|chapter|"
    r"handbook|brochure|booklet|manual|article|notice|paragraphs?|pages|website|merkblatt|dokument|"
    r"handbuch|abschnitt|seite)\s+(?:sums? up|says?|describes?|explains?|tells?|shows?|lists?|"
    r"contains?|covers?|gives?|answers?|is about|deals|summari[sz]es?|outlines?|sets? out|"
    r"beschreibt|erklärt|enthält|fasst)\b",
    re.IGNORECASE,
)
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_END = re.compile(r"[.!…][\"'”’»)\]*_]*\s*$")
_CLOSING = " \t\n\"'”’)*_"

# A sentence that opens like this says little without the one before it.
_REFERS_BACK = re.compile(
    r"(?:(?:it|its|they|their|he|she|such|otherwise|however|then|after that|afterwards|thereafter|"
    r"later|on (?:that|this|the same) day|from this|in this case|if so|yes|no)\b|"
    r"(?:this|that|these|those)\b(?! (?:who|whom|whose|which|that|of)\b)|"
    r"[^,;]*\b(?:of|on|at|by|for|until) that (?:day|date|time|month|week|year)\b)",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Candidate:
    """A sentence that may answer.

    `rank` is its passage's, from 0. `antecedent` is the sentence before it where it refers back
    to that, and `consequent` the one behind it in the same paragraph. `terms` are its own,
    `context` those of the headings above it, of the antecedent and of a row's units. `score` and
    `cosine` say how near it is to a question; `readable` is below 1 for code and the like, and a
    `rule` is what holds where the exception behind it does not.
    """

    passage: Passage
    rank: int
    sentence: Sentence
    antecedent: Sentence | None = None
    consequent: Sentence | None = None
    terms: list[str] = field(default_factory=list)
    context: list[str] = field(default_factory=list)
    score: float = 0.0
    cosine: float = 0.0
    readable: float = 1.0
    rule: bool = False

    @property
    def start(self) -> int:
        """Where it starts in its document, in characters."""
        return self.passage.start + self.sentence.start

    @property
    def end(self) -> int:
        """Where it ends in its document, in characters."""
        return self.passage.start + self.sentence.end

    @property
    def explained(self) -> str:
        """The sentence behind its heading and what it refers back to, for the embedder."""
        shown = self.sentence.shown
        if self.antecedent is not None:
            shown = f"{self.antecedent.shown} {shown}"
        heading = self.sentence.heading
        return f"{heading}: {shown}" if heading and not shown.startswith(heading) else shown

    def overlaps(self, other: "Candidate") -> bool:
        """Whether both are, in part, the same place of one document."""
        return (
            self.passage.version_id == other.passage.version_id
            and self.start < other.end
            and other.start < self.end
        )

    def repeats(self, other: "Candidate") -> bool:
        """Whether it stands at the same place as another or uses nearly the same words."""
        if self.overlaps(other):
            return True
        mine, theirs = set(self.terms), set(other.terms)
        return len(mine & theirs) >= 0.8 * min(len(mine), len(theirs))


def candidates(passages: Sequence[Passage]) -> list[Candidate]:
    """Every whole sentence, list and row once, though neighbouring chunks share some."""
    parts = [split(passage.text, passage.heading_path) for passage in passages]
    headers = headers_of(passages, parts)
    going_on = going_on_headers(passages, parts)
    tables = columns_by_header(parts)
    seen: dict[tuple[str, str, str], Candidate] = {}
    for rank, (passage, sentences) in enumerate(zip(passages, parts, strict=True)):
        previous: Sentence | None = None
        header_above = going_on.get(passage.chunk_id, "")
        # What stands below a heading with orders to a model is no answer to that heading.
        orders = [s for s in sentences if addresses_model(s.text)]
        baits = {order.heading for order in orders}
        for place, found in enumerate(sentences):
            sentence = replace(found, heading="") if found.heading in baits else found
            prose = sentence.kind is Kind.SENTENCE
            if sentence.kind is not Kind.ROW:
                header_above = ""
            antecedent = None
            if prose and previous is not None and _REFERS_BACK.match(sentence.text):
                antecedent = previous
            previous = sentence if prose and sentence.whole else None
            if sentence.kind is Kind.ROW:
                header = sentence.header or header_above
                header = header or headers.get(section(passage), "")
                header = header or headers.get(version(passage), "")
                sentence = replace(sentence, header=header, columns=tables.get(header))
            shown = sentence.shown
            units = units_of(sentence)
            words = [word for word in terms(shown) if word not in units]
            if sentence.kind is Kind.HEADING or not sentence.whole:
                continue
            if not words or len(shown) > LONGEST or _is_no_answer(sentence):
                continue
            if any(_belongs(sentence, order, passage.text) for order in orders):
                continue
            around = [sentence.heading, *passage.heading_path, *units]
            if antecedent is not None:
                around.append(antecedent.shown)
            candidate = Candidate(
                passage, rank, sentence, antecedent, terms=words, context=terms(" ".join(around))
            )
            behind = sentences[place + 1 : place + 2]
            if behind and _goes_on(sentence, behind[0], passage.text):
                candidate.consequent = behind[0]
            candidate.readable = _readable(sentence)
            # "Sunday: closed" is said of each thing that has hours.
            above = sentence.heading if sentence.kind is Kind.ROW else ""
            seen.setdefault((passage.document_id, above, sentence.text.casefold()), candidate)
    return list(seen.values())


def _goes_on(sentence: Sentence, behind: Sentence, text: str) -> bool:
    """Whether the next sentence is of the same paragraph or item, and one that may be shown."""
    if sentence.kind not in (Kind.SENTENCE, Kind.ITEM) or behind.kind is not sentence.kind:
        return False
    if not behind.whole or _is_no_answer(behind) or addresses_model(behind.text):
        return False
    return not text[sentence.end : behind.start].strip(" ") and len(behind.shown) <= LONGEST


def units_of(sentence: Sentence) -> dict[str, None]:
    """The terms that a row has in nothing but a unit: "per tree" is said of what is no tree."""
    cells = sentence.named_cells if sentence.kind is Kind.ROW else []
    others = {term for cell in cells for term in terms(" ".join(_about(cell)))}
    units = (value for _, value in cells if is_unit(value))
    return {term: None for value in units for term in terms(value) if term not in others}


def _about(cell: tuple[str, str]) -> tuple[str, ...]:
    """A cell's column, and its value where that is no unit."""
    name, value = cell
    return (name,) if is_unit(value) else (name, value)


def _belongs(sentence: Sentence, order: Sentence, text: str) -> bool:
    """Whether it is an order to a language model, or goes on with one in the same paragraph."""
    if sentence.start < order.end:
        return order.start < sentence.end
    between = text[order.end : sentence.start]
    return len(between) <= REACH and not _PARAGRAPH.search(between)


def _is_no_answer(sentence: Sentence) -> bool:
    """Whether it asks a question itself, announces what does not follow, is a title, or nothing
    but Markdown's own."""
    prose = sentence.kind in (Kind.SENTENCE, Kind.ITEM)
    if prose and (sentence.text.rstrip(_CLOSING)[-1:] in ("?", ":") or _is_title(sentence.text)):
        return True
    return not terms(inactive(sentence.text, (sentence.text,)))


def _is_title(text: str) -> bool:
    """Whether a text is all in large words, with neither a number nor an end; what has a label, as
    "Warden: Ifor Prendergast", is none, and neither is a signature."""
    words = _LONG_WORD.findall(text)
    if LABELLED.match(text) or office_of(text):
        return False
    large = len(words) > 1 and all(word[0].isupper() for word in words)
    return large and not (re.search(r"\d", text) or _END.search(text))


def _is_shouted(text: str) -> bool:
    """Whether a text begins with a line of words in capitals and does not end as a sentence."""
    words = _LONG_WORD.findall(text.split("\n", 1)[0])
    shouted = len(words) > 1 and all(word.isupper() for word in words)
    return shouted and not _END.search(text)


def _readable(sentence: Sentence) -> float:
    """`CODE` for what has the signs of code, `TITLE` for a title in capitals, `ANNOUNCES` for what
    a text says of itself, else 1."""
    if _OF_ITSELF.match(sentence.text):
        return ANNOUNCES
    if sentence.kind is Kind.SENTENCE and _is_shouted(sentence.text):
        return TITLE
    signs = sum(1 for character in sentence.text if character in "{}<>=;\\`[]|_")
    is_code = sentence.kind is not Kind.ROW and signs > MOST_SIGNS * len(sentence.text)
    return CODE if is_code else 1.0
