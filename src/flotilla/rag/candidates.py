"""The sentences of the retrieved passages, each with what it needs to be understood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from flotilla.models import Passage
from flotilla.rag.sentences import Kind, Sentence, split
from flotilla.rag.terms import terms

LONGEST = 800
"""Characters above which a stretch is no sentence but a text without punctuation."""

# A sentence that opens like this says little without the one before it.
_REFERS_BACK = re.compile(
    r"(?:it|its|they|their|this|that|these|those|he|she|such|otherwise|however|then|after that|"
    r"from this|in this case|if so|yes|no)\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Candidate:
    """A sentence that may answer.

    `rank` is its passage's, from 0. `antecedent` is the sentence before it where it refers back
    to that. `terms` are its own, `context` those of the headings above it and of the antecedent.
    """

    passage: Passage
    rank: int
    sentence: Sentence
    antecedent: Sentence | None = None
    terms: list[str] = field(default_factory=list)
    context: list[str] = field(default_factory=list)
    score: float = 0.0

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
    headers = _headers(passages, parts)
    seen: dict[tuple[str, str], Candidate] = {}
    for rank, (passage, sentences) in enumerate(zip(passages, parts, strict=True)):
        previous: Sentence | None = None
        for found in sentences:
            sentence = found
            prose = sentence.kind is Kind.SENTENCE
            antecedent = None
            if prose and previous is not None and _REFERS_BACK.match(sentence.text):
                antecedent = previous
            previous = sentence if prose and sentence.whole else None
            if sentence.kind is Kind.ROW and not sentence.header:
                sentence = replace(sentence, header=headers.get(_section(passage), ""))
            shown = sentence.shown
            words = terms(shown)
            if sentence.kind is Kind.HEADING or not sentence.whole:
                continue
            if not words or len(shown) > LONGEST:
                continue
            around = [sentence.heading, *passage.heading_path]
            if antecedent is not None:
                around.append(antecedent.shown)
            candidate = Candidate(
                passage, rank, sentence, antecedent, words, context=terms(" ".join(around))
            )
            seen.setdefault((passage.document_id, sentence.text.casefold()), candidate)
    return list(seen.values())


def _section(passage: Passage) -> tuple[str, tuple[str, ...]]:
    return passage.version_id, passage.heading_path


def _headers(
    passages: Sequence[Passage], parts: Sequence[Sequence[Sentence]]
) -> dict[tuple[str, tuple[str, ...]], str]:
    """The header of each section's table, for rows that stand in a later chunk than it.

    A section with more than one table is left out, since nothing says whose the rows are.
    """
    found: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for passage, sentences in zip(passages, parts, strict=True):
        rows = [s for s in sentences if s.kind is Kind.ROW and s.header]
        found.setdefault(_section(passage), set()).update(row.header for row in rows)
    return {section: headers.pop() for section, headers in found.items() if len(headers) == 1}
