"""Answers without a language model: the sentences that answer best, word for word."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flotilla.models import Passage, Turn
from flotilla.rag.citations import cite
from flotilla.rag.extractive.ages import age_terms, bounds_age
from flotilla.rag.extractive.answer_type import figure_fit, fit_of, side_fit
from flotilla.rag.extractive.answerability import evidence, probability
from flotilla.rag.extractive.beside import (
    condition_factors,
    is_beside,
    neighbour_factors,
    outdoes,
    unit_fit,
)
from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.extractive.comparisons import candidates_for, compared
from flotilla.rag.extractive.fields import tells_contact, tells_field
from flotilla.rag.extractive.instructions import instruction_fit
from flotilla.rag.extractive.needs import need_fit
from flotilla.rag.extractive.ranges import held_terms, span_fit
from flotilla.rag.extractive.selection import (
    NEAR_BEST,
    choose,
    in_reading_order,
    text_of,
    with_antecedents,
    with_consequents,
)
from flotilla.rag.extractive.sentence_vectors import SentenceVectors
from flotilla.rag.extractive.superlatives import says_most, superlative
from flotilla.rag.generate import Draft
from flotilla.rag.refusals import not_found
from flotilla.rag.text.asked import expanded, parts, refers_back, strange_names
from flotilla.rag.text.days import dates, day_names
from flotilla.rag.text.inflection import asked_terms, nouns
from flotilla.rag.text.publisher import addressed
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.terms import coverage, terms, weights

if TYPE_CHECKING:
    from flotilla.rag.whole_tables import WholeTables
    from flotilla.vectorstore.embedder import Embedder

EMBEDDED = 8
"""Sentences that are embedded for a question, nearly all of what an answer costs. On the sample
documents, more than eight changed no answer and six lost two in a hundred."""

EMBEDDED_CHARACTERS = 300
"""Of a long sentence, its beginning is embedded: the cost grows with the length."""

SIMILARITY, OVERLAP, RANK, FIGURE = 0.70, 0.17, 0.04, 0.09
"""Weights of a sentence's score: the cosine with the question, the covered terms, the rank of its
passage, and a figure where the question asks for one. They were fitted on questions about the
sample documents (tests/integration/rag/test_sample_answers.py)."""

RIGHT_FIELD = 2.0
"""Factor of the score of a contact line or a row that has the very field which is asked for: it
has few words in common with the question, and an embedding makes little of it."""

FIELD_COSINE = 0.25
"""Its cosine with the question at least, since an embedding makes next to nothing of some."""

IN_PROSE = 1.6
"""The same for a sentence that has it within what else it says, where no line of its own does."""

LIKELY = 0.5
"""Probability below which the best sentence is taken for no answer."""

BEHIND_CONTRARY = 0.2
"""What is added to it where a sentence that tells the contrary was nearer: what is left is often
beside the point."""

BROUGHT = 0.3
"""What a word that was brought from an earlier question counts, beside the question's own."""

NOUN = 2.0
"""The same for a noun of a German question."""

NEAR_PART = 0.6
"""The same for the best sentence of a part of the question."""


class ExtractiveGenerator:
    """Picks and cites the sentences that answer a question best.

    A sentence's score is a weighted sum of numbers between 0 and 1: the cosine of its embedding,
    headings included, with the question's; the share of the question's terms that it holds, each
    by its inverse frequency; the reciprocal of its passage's rank; and whether it has a figure
    where the question asks for one. The sum is raised for the weekday that is asked for, and
    lowered for another one, for a table that has no column for what is asked, for the other side
    of what is asked (`answer_type`), and for code. A superlative is looked up in the columns of
    the tables, where one of them measures it.
    Of a question that asks several things, each part has its own best sentence. Nothing is
    reasoned about: whether the best sentence answers at all is told by its evidence. Words that
    were brought from an earlier question are context: they count less for the choice, and little
    for whether it answers.

    Args:
        embedder: embeds the question, the few sentences that remain after a lexical choice, and
            the words that they and the question have not in common.
        threshold: probability of being an answer that the best sentence needs.
    """

    model = "extractive"

    def __init__(self, embedder: "Embedder", *, threshold: float = LIKELY) -> None:
        self._embedder = embedder
        self._vectors = SentenceVectors(embedder)
        self._threshold = threshold

    def generate(
        self,
        question: str,
        passages: Sequence[Passage],
        turns: Sequence[Turn] = (),
        *,
        own: str | None = None,
        tables: "WholeTables | None" = None,
    ) -> Draft:
        """Answer with one to four sentences of the passages, in reading order; rows are compared
        over all of the `tables` where those are given."""
        whole, question = expanded(question), expanded(own or question)
        whole, question = addressed(whole, passages), addressed(question, passages)
        found = candidates_for(question, passages)
        told = compared(question, whole, found, passages, tables)
        if told is not None and not told.rows:
            return self._refusal(question, passages)
        if told is not None:
            return self._draft(told.rows, notes=(told.note,))
        weight = weights(c.terms for c in found)
        ranked = self.rank(question, found, weight, strange_names(question, passages), whole)
        if not ranked or is_beside(question, ranked[0], found):
            return self._refusal(question, passages)
        if superlative(question) is not None and not says_most(ranked[0].sentence.shown):
            return self._refusal(question, passages)
        needed = self._threshold + (BEHIND_CONTRARY if outdoes(question, ranked) else 0.0)
        if self.likelihood(question, ranked[0], passages, weight) < needed:
            return self._refusal(question, passages)
        of_parts = self._of_parts(question, found, ranked, weight, passages)
        chosen = choose(
            question,
            ranked,
            of_parts,
            found,
            lambda c: self.likelihood(question, c, passages, weight) >= self._threshold,
        )
        complete = with_consequents(question, with_antecedents(chosen))
        return self._draft(in_reading_order(complete))

    def _draft(self, chosen: Sequence[Candidate], notes: tuple[str, ...] = ()) -> Draft:
        """The answer that is made of the chosen sentences."""
        citations = tuple(
            cite(number, c.passage, c.sentence.start, c.sentence.end)
            for number, c in enumerate(chosen, 1)
        )
        return Draft(
            text=text_of(chosen),
            answerable=True,
            citations=citations,
            model=self.model,
            notes=notes,
        )

    def _refusal(self, question: str, passages: Sequence[Passage]) -> Draft:
        return Draft(text=not_found(question, passages), answerable=False, model=self.model)

    def likelihood(
        self,
        question: str,
        best: Candidate,
        passages: Sequence[Passage],
        weight: Mapping[str, float],
    ) -> float:
        """How likely it is that the best sentence answers the question."""
        return probability(evidence(question, best, passages, weight, self._vectors))

    def rank(
        self,
        question: str,
        found: Sequence[Candidate],
        weight: Mapping[str, float],
        strange: Collection[str] = (),
        whole: str | None = None,
    ) -> list[Candidate]:
        """The lexically nearest candidates with their scores, the best first; `strange` are the
        names in the question that no passage has, and `whole` the question with what was brought
        to it from earlier ones, which counts less."""
        if not found:
            return []
        asked = asked_terms(question)
        # An English model knows little of other languages; of German, the nouns tell the most.
        weight = {**weight} | {t: NOUN * weight.get(t, weight[""]) for t in nouns(question)}
        vector = self._embedder.embed_query(question)
        if whole is not None and whole != question:
            brought = [term for term in terms(whole) if term not in asked]
            asked = [*asked, *brought]
            weight = {**weight} | {t: BROUGHT * weight.get(t, weight[""]) for t in brought}
            vector = vector + BROUGHT * self._embedder.embed_query(whole)
            vector = vector / max(float(vector @ vector) ** 0.5, 1e-9)
        dated = terms(day_names(question))
        aged = age_terms(question)
        for candidate in found:
            # A bound or a span tells of a number that it does not name.
            if aged and bounds_age(candidate.sentence.shown):
                candidate.terms = [*candidate.terms, *aged]
            candidate.terms = [*candidate.terms, *held_terms(question, candidate)]
            # "From 23 December to 1 January" has New Year's Eve, whatever it is called.
            if dated and dates(question) & dates(candidate.sentence.shown):
                candidate.terms = [*candidate.terms, *dated]
        overlap = [coverage(asked, c.terms, weight, c.context) for c in found]
        figure = [figure_fit(question, c.sentence.shown) for c in found]
        field = [RIGHT_FIELD * tells_field(question, c) for c in found]
        if not any(field):
            field = [IN_PROSE * tells_contact(question, c) for c in found]
        conditions = condition_factors(question, found)
        fit = [
            fit_of(question, c.sentence, c.context, strange)
            * instruction_fit(question, c.sentence)
            * need_fit(question, c)
            * unit_fit(question, c)
            * span_fit(question, c)
            * condition
            * (f or 1.0)
            * c.readable
            for f, c, condition in zip(field, found, conditions, strict=True)
        ]
        fit = [f * n for f, n in zip(fit, neighbour_factors(question, found), strict=True)]
        near = sorted(
            range(len(found)),
            key=lambda i: (
                not field[i],
                -fit[i] * (overlap[i] + 0.3 / (1 + found[i].rank) + 0.1 * figure[i]),
                i,
            ),
        )[:EMBEDDED]
        texts = [found[i].explained[:EMBEDDED_CHARACTERS] for i in near]
        cosines = self._vectors.of(texts) @ vector
        for i, cosine in zip(near, cosines, strict=True):
            found[i].cosine = max(FIELD_COSINE if field[i] else 0.0, float(cosine))
            found[i].score = fit[i] * (
                SIMILARITY * found[i].cosine
                + OVERLAP * overlap[i]
                + RANK / (1 + found[i].rank)
                + FIGURE * figure[i]
            )
        # A line of contact has no word of the question, and is what is asked for all the same.
        lines = {i for i in near if field[i] and found[i].sentence.kind is Kind.CONTACT}
        return [found[i] for i in sorted(near, key=lambda i: (i not in lines, -found[i].score))]

    def _of_parts(
        self,
        question: str,
        found: Sequence[Candidate],
        ranked: Sequence[Candidate],
        weight: Mapping[str, float],
        passages: Sequence[Passage],
    ) -> list[Candidate]:
        """The best sentence for each part of a question that asks several things.

        Each part is looked up by itself, but for one that refers to another ("it"): of that, the
        sentences for the whole question are compared with it.
        """
        asked = parts(question)
        if len(asked) == 1:
            return []
        by_part = [
            self._nearest(part, ranked)
            if refers_back(part)
            else self.rank(part, [replace(c) for c in found], weight, strange_names(part, passages))
            for part in asked
        ]
        best = [_left_over(place, rankings, by_part) for place, rankings in enumerate(by_part)]
        return [c for c in best if c.score >= NEAR_PART * ranked[0].score]

    def _nearest(self, part: str, ranked: Sequence[Candidate]) -> list[Candidate]:
        """The sentences by their score and how near they are to a part of the question."""
        vectors = self._vectors.of([c.explained[:EMBEDDED_CHARACTERS] for c in ranked])
        cosines = vectors @ self._embedder.embed_query(part)
        ranked = [replace(c, score=c.score * side_fit(part, c.sentence)) for c in ranked]
        scores = [c.score + float(cosine) for c, cosine in zip(ranked, cosines, strict=True)]
        return [ranked[i] for i in sorted(range(len(ranked)), key=lambda i: (-scores[i], i))]


def _left_over(
    place: int, ranked: Sequence[Candidate], by_part: Sequence[Sequence[Candidate]]
) -> Candidate:
    """The best sentence for a part, or the next one where the best is rather another part's and
    the next comes close to it."""
    best = ranked[0]
    others = [each[0] for i, each in enumerate(by_part) if i != place]
    taken = any(best.overlaps(other) and other.score > best.score for other in others)
    if taken and len(ranked) > 1 and ranked[1].score >= NEAR_BEST * best.score:
        return ranked[1]
    return best
