"""The words of a question that a sentence has in another form, or says with another word."""

from collections.abc import Mapping, Sequence

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.text.asked import names
from flotilla.rag.text.derivation import derived_terms, family
from flotilla.rag.text.inflection import german_root, german_terms, is_compound_of
from flotilla.rag.text.synonyms import other_words
from flotilla.rag.text.terms import content_words, terms

END = 5
"""Letters from which the end of a German compound says what it is: "Arbeiten" of "Bauarbeiten"."""


def add_forms(question: str, found: Sequence[Candidate]) -> None:
    """Give each sentence the terms of a question that it says otherwise.

    Those of which it, or what stands above it, has another German form, "Hunde" for "Hund", or the
    parts, "Miete" and "mindern" for "Mietminderung", are as good as its own, and so is a name of
    which it has another; those for which it has another word, "leave" for "holiday" or "complaint"
    for "complain", or the end of a compound count as its context.
    """
    asked = german_terms(question)
    derived = {} if asked else derived_terms(question)
    alike = other_words(asked or terms(question), german=bool(asked))
    named = names(question)
    for candidate in found:
        shown = candidate.sentence.shown
        if asked:
            above = " ".join((candidate.sentence.heading, *candidate.passage.heading_path))
            own = _forms(asked, shown)
            candidate.terms = [*candidate.terms, *own]
            candidate.context = [*candidate.context, *_forms(asked, above)]
        said = map(german_root, content_words(shown)) if asked else candidate.terms
        others = {asked.get(alike[word], alike[word]): None for word in said if word in alike}
        if asked:
            ends = [root for word in content_words(shown) if len(root := german_root(word)) >= END]
            others |= {t: None for whole, t in asked.items() if whole.endswith(tuple(ends))}
        if derived:
            titles = (candidate.sentence.heading, *candidate.passage.heading_path)
            words = content_words(" ".join((shown, *titles)))
            others |= {derived[root]: None for root in map(family, words) if root in derived}
        # A name has no other meaning: "text messages" are SMS.
        candidate.terms = [*candidate.terms, *(term for term in others if term in named)]
        if others:
            candidate.context = [*candidate.context, *others]


def _forms(asked: Mapping[str, str], text: str) -> list[str]:
    roots = dict.fromkeys(map(german_root, content_words(text)))
    return [
        term
        for root, term in asked.items()
        if root in roots or is_compound_of(root, frozenset(roots))
    ]
