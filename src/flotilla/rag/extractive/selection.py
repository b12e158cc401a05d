"""Which of the ranked sentences make an answer, in what order, and how they are written."""

import re
from collections.abc import Callable, Sequence

from flotilla.rag.citations import unmarked
from flotilla.rag.extractive.beside import is_of_neighbour
from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.extractive.conditions import excludes
from flotilla.rag.extractive.instructions import asks_how_to, asks_what_to_do, instructs
from flotilla.rag.inactive import inactive
from flotilla.rag.text.sentences import Kind, Sentence
from flotilla.rag.text.terms import terms

MOST_SENTENCES = 4

NEAR_BEST = 0.88
"""Share of the best sentence's score that a further sentence needs."""

_RESTRICTS = re.compile(
    r"^(?:however|but|except|exceptions|unless|otherwise|instead|jedoch|allerdings|ausgenommen|"
    r"ausnahmen?|sonst|andernfalls|stattdessen)\b|\binstead\W*$|\bstattdessen\b",
    re.IGNORECASE,
)
_EXCEPTS = re.compile(
    r"\b(?:not|don['’]t|doesn['’]t|isn['’]t)\b.*\b(?:if|while|when|during|as long as)\b|"
    r"\b(?:nicht|keine?)\b.*\b(?:wenn|solange|falls)\b",
    re.IGNORECASE | re.DOTALL,
)


def choose(
    question: str,
    ranked: Sequence[Candidate],
    of_parts: Sequence[Candidate],
    found: Sequence[Candidate],
    answers: Callable[[Candidate], bool] = lambda _: True,
) -> list[Candidate]:
    """The best sentence, those of the question's parts, and those that come close to it and say
    something else. Of another section stands beside it only what `answers` by itself."""
    best = ranked[0]
    chosen = [best]
    near = [
        c
        for c in ranked[1:]
        if c.score >= NEAR_BEST * best.score
        and _stands_beside(question, c, best)
        and not is_of_neighbour(question, c, best)
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
        if any(candidate.repeats(other) for other in chosen):
            continue
        if candidate in of_parts or _is_of_section(candidate, best, answers):
            chosen.append(candidate)
    return chosen


def _is_of_section(
    candidate: Candidate, best: Candidate, answers: Callable[[Candidate], bool]
) -> bool:
    """Whether a sentence is of the section of the best one, or answers by itself."""
    places = [(c.passage.document_id, c.sentence.heading) for c in (candidate, best)]
    return places[0] == places[1] or answers(candidate)


def _stands_beside(question: str, candidate: Candidate, best: Candidate) -> bool:
    """Whether a sentence that comes close to the best one may be about the same: a row beside
    another row, and one with a word of the question where the best one has some, whatever the
    headings have."""
    kinds = (candidate.sentence.kind, best.sentence.kind)
    if not {Kind.ROW, Kind.CONTACT}.isdisjoint(kinds) and kinds[0] is not kinds[1]:
        return False
    asked = set(terms(question))
    return not asked.intersection(best.terms) or bool(asked.intersection(candidate.terms))


def with_antecedents(chosen: list[Candidate]) -> list[Candidate]:
    """The chosen sentences, each with the one before it where it refers back to that; what there is
    no room for in this way is left out."""
    complete: list[Candidate] = []
    for candidate in chosen:
        together = [candidate]
        if candidate.antecedent is not None:
            before = Candidate(candidate.passage, candidate.rank, candidate.antecedent)
            if not any(before.overlaps(other) for other in (*complete, *chosen)):
                together.append(before)
        if len(complete) + len(together) <= MOST_SENTENCES:
            complete += together
    return complete


def with_consequents(question: str, chosen: list[Candidate]) -> list[Candidate]:
    """The chosen sentences, each with the one behind it in its paragraph where that restricts it,
    or tells what is to be done and the question asks for that."""
    complete = list(chosen)
    for candidate in chosen:
        behind = candidate.consequent
        if behind is None or len(complete) == MOST_SENTENCES:
            continue
        next_step = asks_how_to(question) and (
            instructs(behind.shown) or not asks_what_to_do(question)
        )
        restricts = _RESTRICTS.search(behind.text) or _is_exception(question, candidate, behind)
        if not (restricts or next_step) or excludes(question, behind.shown):
            continue
        consequent = Candidate(candidate.passage, candidate.rank, behind)
        if not any(consequent.overlaps(other) for other in complete):
            complete.append(consequent)
    return complete


def _is_exception(question: str, candidate: Candidate, behind: Sentence) -> bool:
    """Whether a sentence says when that does not hold which is asked for and told before it."""
    shared = set(terms(question)).intersection(candidate.terms, terms(behind.shown))
    return bool(shared and _EXCEPTS.search(behind.shown))


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
        if written:
            written.append(" " if _follows(chosen[number - 2], candidate) else "\n")
        shown = inactive(unmarked(candidate.sentence.shown), (candidate.passage.text,))
        written.append(f"{shown} [{number}]")
    return "".join(written)


def _follows(before: Candidate, candidate: Candidate) -> bool:
    """Whether it is written in the same line as the one before: both are prose, or it goes on with
    the same item."""
    kinds = (before.sentence.kind, candidate.sentence.kind)
    if kinds == (Kind.SENTENCE, Kind.SENTENCE):
        return True
    between = candidate.passage.text[before.sentence.end : candidate.sentence.start]
    same_passage = before.passage.chunk_id == candidate.passage.chunk_id
    return kinds == (Kind.ITEM, Kind.ITEM) and same_passage and between == " "
