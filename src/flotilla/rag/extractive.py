"""Answers without a language model: the sentences that answer best, word for word."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flotilla.models import Passage, Turn
from flotilla.rag.answer_type import figure_fit, named_fit, weekday_fit
from flotilla.rag.candidates import Candidate, candidates
from flotilla.rag.citations import cite, unmarked
from flotilla.rag.generate import NOT_FOUND, Draft
from flotilla.rag.sentence_vectors import SentenceVectors
from flotilla.rag.sentences import Kind
from flotilla.rag.terms import coverage, terms, weights

if TYPE_CHECKING:
    from flotilla.vectorstore.embedder import Embedder

EMBEDDED = 8
"""Sentences that are embedded for a question, nearly all of what an answer costs. On the sample
documents, more than eight changed no answer and six lost two in a hundred."""

EMBEDDED_CHARACTERS = 300
"""Of a long sentence, its beginning is embedded: the cost grows with the length."""

MOST_SENTENCES = 4

SIMILARITY, OVERLAP, RANK, FIGURE = 0.70, 0.17, 0.04, 0.09
"""Weights of a sentence's score: the cosine with the question, the covered terms, the rank of its
passage, and a figure where the question asks for one. They and the threshold were fitted on
questions about the sample documents (tests/integration/rag/test_sample_answers.py)."""

THRESHOLD = 0.45
"""Score below which no sentence is near enough to be an answer."""

NEAR_BEST = 0.88
"""Share of the best sentence's score that a further sentence needs."""


class ExtractiveGenerator:
    """Picks and cites the sentences that answer a question best.

    A sentence's score is a weighted sum of numbers between 0 and 1: the cosine of its embedding,
    headings included, with the question's; the share of the question's terms that it holds, each
    by its inverse frequency; the reciprocal of its passage's rank; and whether it has a figure
    where the question asks for one. The sum is raised for the weekday that is asked for, and
    lowered for another one and for a table that has no column for what is asked. Nothing is
    reasoned about: where no sentence is near enough, the question counts as not answerable.

    Args:
        embedder: embeds the question and the few sentences that remain after a lexical choice.
        threshold: score that the best sentence has to reach.
    """

    model = "extractive"

    def __init__(self, embedder: "Embedder", *, threshold: float = THRESHOLD) -> None:
        self._embedder = embedder
        self._vectors = SentenceVectors(embedder)
        self._threshold = threshold

    def generate(
        self, question: str, passages: Sequence[Passage], turns: Sequence[Turn] = ()
    ) -> Draft:
        """Answer with one to four sentences of the passages, in reading order."""
        found = candidates(passages)
        ranked = self.rank(question, found)
        if not ranked or ranked[0].score < self._threshold:
            return Draft(text=NOT_FOUND, answerable=False, model=self.model)
        chosen = _in_reading_order(_with_antecedents(_choose(ranked, found)))
        citations = tuple(
            cite(number, c.passage, c.sentence.start, c.sentence.end)
            for number, c in enumerate(chosen, 1)
        )
        return Draft(text=_text(chosen), answerable=True, citations=citations, model=self.model)

    def rank(self, question: str, found: Sequence[Candidate]) -> list[Candidate]:
        """The lexically nearest candidates with their scores, the best first."""
        if not found:
            return []
        asked = terms(question)
        weight = weights(c.terms for c in found)
        overlap = [coverage(asked, c.terms, weight, c.context) for c in found]
        figure = [figure_fit(question, c.sentence.shown) for c in found]
        fit = [
            weekday_fit(question, c.sentence.shown) * named_fit(question, c.sentence, c.context)
            for c in found
        ]
        near = sorted(
            range(len(found)),
            key=lambda i: (
                -fit[i] * (overlap[i] + 0.3 / (1 + found[i].rank) + 0.1 * figure[i]),
                i,
            ),
        )[:EMBEDDED]
        texts = [found[i].explained[:EMBEDDED_CHARACTERS] for i in near]
        cosines = self._vectors.of(texts) @ self._embedder.embed_query(question)
        for i, cosine in zip(near, cosines, strict=True):
            found[i].score = fit[i] * (
                SIMILARITY * max(0.0, float(cosine))
                + OVERLAP * overlap[i]
                + RANK / (1 + found[i].rank)
                + FIGURE * figure[i]
            )
        return sorted((found[i] for i in near), key=lambda c: -c.score)


def _choose(ranked: Sequence[Candidate], found: Sequence[Candidate]) -> list[Candidate]:
    """The best sentence and those that come close to it and say something else."""
    best = ranked[0]
    chosen = [best]
    near = [c for c in ranked[1:] if c.score >= NEAR_BEST * best.score]
    if best.sentence.heading.endswith("?"):
        # What stands below a question is its answer as a whole.
        near = [
            c
            for c in found
            if c.passage.chunk_id == best.passage.chunk_id
            and c.sentence.heading == best.sentence.heading
        ] + near
    for candidate in near:
        if len(chosen) == MOST_SENTENCES:
            break
        if not any(candidate.repeats(other) for other in chosen):
            chosen.append(candidate)
    return chosen


def _with_antecedents(chosen: list[Candidate]) -> list[Candidate]:
    """The chosen sentences, each with the one before it where it refers back to that."""
    complete = list(chosen)
    for candidate in chosen:
        if len(complete) == MOST_SENTENCES or candidate.antecedent is None:
            continue
        antecedent = Candidate(candidate.passage, candidate.rank, candidate.antecedent)
        if not any(antecedent.overlaps(other) for other in complete):
            complete.append(antecedent)
    return complete


def _in_reading_order(chosen: Sequence[Candidate]) -> list[Candidate]:
    """By document, that of the best passage first, and then by place."""
    best: dict[str, int] = {}
    for candidate in chosen:
        rank = best.setdefault(candidate.passage.document_id, candidate.rank)
        best[candidate.passage.document_id] = min(rank, candidate.rank)
    return sorted(
        chosen, key=lambda c: (best[c.passage.document_id], c.passage.document_id, c.start)
    )


def _text(chosen: Sequence[Candidate]) -> str:
    """The sentences with their numbers; lists and rows begin on a line of their own."""
    parts: list[str] = []
    for number, candidate in enumerate(chosen, 1):
        prose = candidate.sentence.kind is Kind.SENTENCE
        follows_prose = number > 1 and chosen[number - 2].sentence.kind is Kind.SENTENCE
        if parts:
            parts.append(" " if prose and follows_prose else "\n")
        parts.append(f"{unmarked(candidate.sentence.shown)} [{number}]")
    return "".join(parts)
