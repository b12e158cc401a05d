"""Answers without a language model: the sentences that answer best, word for word."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flotilla.models import Passage
from flotilla.rag.citations import cite, unmarked
from flotilla.rag.generate import NOT_FOUND, Draft
from flotilla.rag.sentence_vectors import SentenceVectors
from flotilla.rag.sentences import Kind, Sentence, split
from flotilla.rag.terms import coverage, terms, weights

if TYPE_CHECKING:
    from flotilla.vectorstore.embedder import Embedder


CANDIDATES = 12
"""Sentences that are embedded for a question; each costs 4 ms on one slow core."""

EMBEDDED_CHARACTERS = 300
"""Of a long sentence, its beginning is embedded: the cost grows with the length."""

MOST_SENTENCES = 4
LONGEST_SENTENCE = 800
"""Characters above which a stretch is no sentence but a text without punctuation."""

SIMILARITY, OVERLAP, RANK = 0.6, 0.3, 0.1
"""Weights of a sentence's score: cosine with the question, covered terms, its passage's rank."""

THRESHOLD = 0.42
"""Score below which no sentence is near enough to be an answer."""

NEAR_BEST = 0.85
"""Share of the best sentence's score that a further sentence needs."""

# A sentence that opens like this says little without the one before it.
_REFERS_BACK = re.compile(
    r"(it|they|this|that|these|those|he|she|such|otherwise|however|then|in this case)\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Candidate:
    passage: Passage
    rank: int
    sentence: Sentence
    previous: Sentence | None
    terms: list[str]
    context: list[str] = field(default_factory=list)
    score: float = 0.0

    @property
    def start(self) -> int:
        return self.passage.start + self.sentence.start

    @property
    def end(self) -> int:
        return self.passage.start + self.sentence.end

    def overlaps(self, other: "_Candidate") -> bool:
        """Whether both are, in part, the same place of one document."""
        return (
            self.passage.version_id == other.passage.version_id
            and self.start < other.end
            and other.start < self.end
        )


class ExtractiveGenerator:
    """Picks and cites the sentences that answer a question best.

    A sentence's score is a weighted sum of three numbers between 0 and 1: the cosine of its
    embedding with the question's, the share of the question's terms that it holds (each by its
    inverse frequency), and the reciprocal of its passage's rank. Nothing is reasoned about:
    where no sentence is near enough, the question counts as not answerable.

    Args:
        embedder: embeds the question and the few sentences that remain after a lexical choice.
        threshold: score that the best sentence has to reach.
    """

    model = "extractive"

    def __init__(self, embedder: "Embedder", *, threshold: float = THRESHOLD) -> None:
        self._embedder = embedder
        self._vectors = SentenceVectors(embedder)
        self._threshold = threshold

    def generate(self, question: str, passages: Sequence[Passage]) -> Draft:
        """Answer with one to four sentences of the passages, in reading order."""
        ranked = self.score(question, passages)
        if not ranked or ranked[0].score < self._threshold:
            return Draft(text=NOT_FOUND, answerable=False, model=self.model)
        chosen = _with_antecedents(_choose(ranked))
        best: dict[str, int] = {}
        for c in chosen:
            rank = best.setdefault(c.passage.document_id, c.rank)
            best[c.passage.document_id] = min(rank, c.rank)
        chosen.sort(key=lambda c: (best[c.passage.document_id], c.passage.document_id, c.start))
        citations = tuple(
            cite(number, c.passage, c.sentence.start, c.sentence.end)
            for number, c in enumerate(chosen, 1)
        )
        return Draft(text=_text(chosen), answerable=True, citations=citations, model=self.model)

    def score(self, question: str, passages: Sequence[Passage]) -> list[_Candidate]:
        """The candidate sentences with their scores, the best first."""
        asked = terms(question)
        candidates = list(_candidates(passages))
        if not candidates:
            return []
        weight = weights(c.terms for c in candidates)
        lexical = [coverage(asked, c.terms, weight, c.context) for c in candidates]
        order = sorted(
            range(len(candidates)),
            key=lambda i: (-(lexical[i] + 0.3 / (1 + candidates[i].rank)), i),
        )[:CANDIDATES]
        texts = [candidates[i].sentence.shown[:EMBEDDED_CHARACTERS] for i in order]
        similar = self._vectors.of(texts) @ self._embedder.embed_query(question)
        for i, cosine in zip(order, similar, strict=True):
            candidates[i].score = (
                SIMILARITY * max(0.0, float(cosine))
                + OVERLAP * lexical[i]
                + RANK / (1 + candidates[i].rank)
            )
        return sorted((candidates[i] for i in order), key=lambda c: -c.score)


def _candidates(passages: Sequence[Passage]) -> Iterable[_Candidate]:
    """Every sentence once, though neighbouring chunks share some."""
    seen: dict[tuple[str, str], _Candidate] = {}
    for rank, passage in enumerate(passages):
        previous: Sentence | None = None
        for sentence in split(passage.text):
            if sentence.kind is Kind.HEADING:
                previous = None
                continue
            shown = sentence.shown
            candidate = _Candidate(
                passage=passage,
                rank=rank,
                sentence=sentence,
                previous=previous if sentence.kind is Kind.SENTENCE else None,
                terms=terms(shown),
                context=terms(" ".join((sentence.heading, *passage.heading_path))),
            )
            previous = sentence if sentence.kind is Kind.SENTENCE else None
            if sentence.whole and candidate.terms and len(shown) <= LONGEST_SENTENCE:
                seen.setdefault((passage.document_id, shown.casefold()), candidate)
    return seen.values()


def _choose(ranked: Sequence[_Candidate]) -> list[_Candidate]:
    """The best sentence and those that come close to it and say something else."""
    best = ranked[0]
    chosen = [best]
    for candidate in ranked[1:]:
        if len(chosen) == MOST_SENTENCES or candidate.score < NEAR_BEST * best.score:
            break
        if not any(_repeats(candidate, other) for other in chosen):
            chosen.append(candidate)
    return chosen


def _repeats(candidate: _Candidate, other: _Candidate) -> bool:
    """Whether a sentence stands at the same place as another or uses nearly the same words."""
    if candidate.overlaps(other):
        return True
    mine, theirs = set(candidate.terms), set(other.terms)
    return len(mine & theirs) >= 0.8 * min(len(mine), len(theirs))


def _with_antecedents(chosen: list[_Candidate]) -> list[_Candidate]:
    """The chosen sentences, each with the one before it where it refers back to that."""
    complete = list(chosen)
    for candidate in chosen:
        before = candidate.previous
        if len(complete) == MOST_SENTENCES or before is None or not before.whole:
            continue
        if not _REFERS_BACK.match(candidate.sentence.text) or len(before.text) > LONGEST_SENTENCE:
            continue
        antecedent = _Candidate(
            candidate.passage, candidate.rank, before, None, terms(before.shown)
        )
        if not any(antecedent.overlaps(other) for other in complete):
            complete.append(antecedent)
    return complete


def _text(chosen: Sequence[_Candidate]) -> str:
    """The sentences with their numbers; lists and rows begin on a line of their own."""
    parts: list[str] = []
    for number, candidate in enumerate(chosen, 1):
        prose = candidate.sentence.kind is Kind.SENTENCE
        follows_prose = number > 1 and chosen[number - 2].sentence.kind is Kind.SENTENCE
        if parts:
            parts.append(" " if prose and follows_prose else "\n")
        parts.append(f"{unmarked(candidate.sentence.shown)} [{number}]")
    return "".join(parts)
