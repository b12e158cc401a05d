"""Which of the ranked sentences make an answer, in what order, and how they are written."""

from collections.abc import Sequence

from flotilla.rag.citations import unmarked
from flotilla.rag.extractive.beside import is_of_neighbour
from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.inactive import inactive
from flotilla.rag.text.sentences import Kind

MOST_SENTENCES = 4

NEAR_BEST = 0.88
"""Share of the best sentence's score that a further sentence needs."""


def choose(
    question: str,
    ranked: Sequence[Candidate],
    of_parts: Sequence[Candidate],
    found: Sequence[Candidate],
) -> list[Candidate]:
    """The best sentence, those of the question's parts, and those that come close to it and say
    something else."""
    best = ranked[0]
    chosen = [best]
    near = [
        c
        for c in ranked[1:]
        if c.score >= NEAR_BEST * best.score and not is_of_neighbour(question, c, best)
    ]
    if best.sentence.heading.endswith("?") and best.sentence.kind is not Kind.ROW:
        # What stands below a question is its answer as a whole; a table's other rows are not.
        near = [
            c
            for c in found
            if c.passage.chunk_id == best.passage.chunk_id
            and c.sentence.heading == best.sentence.heading
        ] + near
    for candidate in (*of_parts, *near):
        if len(chosen) == MOST_SENTENCES:
            break
        if not any(candidate.repeats(other) for other in chosen):
            chosen.append(candidate)
    return chosen


def with_antecedents(chosen: list[Candidate]) -> list[Candidate]:
    """The chosen sentences, each with the one before it where it refers back to that."""
    complete = list(chosen)
    for candidate in chosen:
        if len(complete) == MOST_SENTENCES or candidate.antecedent is None:
            continue
        antecedent = Candidate(candidate.passage, candidate.rank, candidate.antecedent)
        if not any(antecedent.overlaps(other) for other in complete):
            complete.append(antecedent)
    return complete


def in_reading_order(chosen: Sequence[Candidate]) -> list[Candidate]:
    """By document, that of the best passage first, and then by place."""
    best: dict[str, int] = {}
    for candidate in chosen:
        rank = best.setdefault(candidate.passage.document_id, candidate.rank)
        best[candidate.passage.document_id] = min(rank, candidate.rank)
    return sorted(
        chosen, key=lambda c: (best[c.passage.document_id], c.passage.document_id, c.start)
    )


def text_of(chosen: Sequence[Candidate]) -> str:
    """The sentences with their numbers; lists and rows begin on a line of their own."""
    written: list[str] = []
    for number, candidate in enumerate(chosen, 1):
        prose = candidate.sentence.kind is Kind.SENTENCE
        follows_prose = number > 1 and chosen[number - 2].sentence.kind is Kind.SENTENCE
        if written:
            written.append(" " if prose and follows_prose else "\n")
        shown = inactive(unmarked(candidate.sentence.shown), (candidate.passage.text,))
        written.append(f"{shown} [{number}]")
    return "".join(written)
