"""Whether the best sentence that was found answers the question, or is merely about the like.

Nearness alone does not tell: "What does the Honda Civic cost?" is very near to the price of a
Honda Jazz. What tells is what the question has and the sentence has not: a name, a year, a number,
or a word of which nothing there is even similar.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from flotilla.rag.extractive.answer_type import (
    asks_not,
    day_fit,
    named_fit,
    says_not,
    side_fit,
)
from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.extractive.fields import tells_contact, tells_field
from flotilla.rag.extractive.instructions import asks_what_to_do, instructs
from flotilla.rag.extractive.needs import (
    lacks_amount,
    lacks_figure,
    lacks_name,
    tells_no_price,
)
from flotilla.rag.refusals import ENGLISH, function_words, told_tongue, tongue_of
from flotilla.rag.text.asked import mixed, names, strange_names
from flotilla.rag.text.derivation import derived_terms, family
from flotilla.rag.text.inflection import (
    GERMAN,
    asked_terms,
    degrees,
    german_root,
    german_terms,
    nouns,
)
from flotilla.rag.text.numerals import numbers, years
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.terms import content_words, coverage, stem, terms

if TYPE_CHECKING:
    from flotilla.models import Passage
    from flotilla.rag.extractive.sentence_vectors import SentenceVectors

PART = 5
"""Letters from which a word within another is part of it."""

WORDS = 30
"""Words of a sentence and its headings that are compared with the question's."""

STRANGE, ALIKE = 0.25, 0.75
"""Cosines of two words' embeddings: up to the one they have nothing to do with one another, from
the other on they mean the same. Between them a word counts in part."""

STRANGE_ABROAD, ALIKE_ABROAD = 0.5, 0.85
"""The same where neither question nor passages are English: to an English model, words of another
language are alike because their letters are."""

IN_HEADING = 0.9
"""What a word counts that only the headings, or what the sentence refers back to, have."""


LONG = 12
"""Words, function words left out, from which on a question is as long as any."""

# What a question is put with, whatever it is about.
_LIGHT_WORDS = """
according called describe exactly explain find go going kind know made make mention mentioned name
need needed offer regarding say says sort specific take takes tell till type until use used uses
using want way work works
"""
_LIGHT = frozenset(_LIGHT_WORDS.split())
_GERMAN_LIGHT_WORDS = """
abstellen bekomme bekommen bekommt brauche brauchen braucht erhalte erhalten finde finden gehe gehen
geht komme kommen kommt lassen mache machen macht nehmen stehen steht stelle stellen tue tun
"""
_GERMAN_LIGHT = frozenset(_GERMAN_LIGHT_WORDS.split())


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against a sentence; all between 0 and 1.

    `cosine` with the question; `coverage` of its terms; `meaning`, the same by similar words as
    well; `absent`, how much the question's words lack of which no passage has one; `name_absent`,
    how much the least similar name lacks that no passage has; `year_absent` where this passage
    lacks a year; `numbers_absent`, the share of other numbers that the sentence lacks; `misfit` of
    the weekday or the table's columns; `length` of the question, of which a long one is seldom
    covered; `opposed` where the sentence tells the other side of what is asked,
    `field` where it is the very field that is asked for, and `figureless` where it has no figure
    or name and only one would answer. Of a row, which is
    about nothing but its cells: `row_unnamed` where it lacks a name, and `row_unlike`, how much of
    the meaning.
    """

    cosine: float
    coverage: float
    meaning: float
    absent: float
    name_absent: float
    year_absent: float
    numbers_absent: float
    misfit: float
    length: float
    row_unnamed: float
    row_unlike: float
    opposed: float
    field: float
    figureless: float


BIAS = -4.1
WEIGHTS = (5.45, 2.15, 1.05, -1.1, -0.5, -2.6, -1.45, -0.4, 2.45, -1.75, -2.5, -4.0, 2.0, -1.5)
"""Of the evidence, in the order of its fields. A logistic regression with a quadratic penalty on
questions about the sample documents (`unanswerable_questions.json` among them), on half of the
questions of four public collections, and on questions put to collections about other things. No
weight was allowed the wrong sign, and the bias was raised a little: with the passages at hand a
reader sees through an answer that is none sooner than through a refusal. The last three
are not fitted, since few of those questions ask for one side, one field or one figure."""


def probability(found: Evidence) -> float:
    """How likely it is that a sentence with this evidence answers."""
    total = BIAS + sum(w * x for w, x in zip(WEIGHTS, astuple(found), strict=True))
    return 1 / (1 + math.exp(-total))


def evidence(
    question: str,
    best: Candidate,
    passages: "Sequence[Passage]",
    weight: Mapping[str, float],
    vectors: "SentenceVectors",
) -> Evidence:
    """What speaks for and against the best sentence.

    Args:
        question: what was asked.
        best: the sentence, with its `cosine`.
        passages: all that were retrieved.
        weight: the terms' inverse frequencies.
        vectors: embeds the words that the sentence lacks, and its own.
    """
    here = set(best.terms)
    name = best.passage.document_name
    around = here.union(best.context, terms(name), mixed(f"{best.explained} {name}"))
    nearby = around
    if best.sentence.kind is not Kind.ROW:
        nearby = around.union(terms(best.passage.text), mixed(best.passage.text))
    texts = [f"{passage.document_name} {passage.text}" for passage in passages]
    anywhere = nearby.union(*map(terms, texts), *map(mixed, texts), _forms(question, texts))
    row = best.sentence.kind is Kind.ROW
    named = names(question)
    asked = numbers(question)
    there = numbers(" ".join((best.explained, *best.passage.heading_path, name)))
    # A bound or a span may have told of a number that the sentence does not name.
    dated, counted = years(asked), asked - years(asked) - {"1", "2"} - here
    strange = strange_names(question, passages)
    tongue = tongue_of(question)
    abroad = tongue != ENGLISH and tongue in (
        told_tongue(best.passage.text),
        told_tongue(" ".join(texts)),
    )
    light = _LIGHT | function_words(question) | (degrees(question) if abroad else frozenset())
    if abroad and tongue == GERMAN:
        light |= _GERMAN_LIGHT
    negative = asks_not(question)
    own = list(dict.fromkeys(content_words(" ".join((best.explained, *best.passage.heading_path)))))
    words = [
        word
        for word in dict.fromkeys(content_words(question))
        if stem(word) not in named and word not in light and not (negative and says_not(word))
    ]
    unlike = _unlikeness(
        [w for w in words if stem(w) not in around] + sorted(named - nearby),
        own[:WORDS],
        vectors,
        abroad=abroad,
    )
    lacks = {
        word: 0.0 if stem(word) in here else unlike.get(word, 1 - IN_HEADING) for word in words
    }
    absent = {word: lack for word, lack in lacks.items() if stem(word) not in anywhere}
    worth = {word: weight.get(stem(word), weight[""]) for word in words}
    total = sum(worth.values())
    field = tells_field(question, best) or tells_contact(question, best)
    if field:  # which has looked for all that the question names
        lacks, absent = dict.fromkeys(words, 0.0), {}
    meaning = 1 - sum(worth[w] * lacks[w] for w in words) / total if total else 1.0
    # What is to be done has few words of what has happened.
    told_to_do = asks_what_to_do(question) and instructs(best.sentence.shown)
    # A German sentence with each noun of the question has what it should have of its words.
    of_nouns = nouns(question)
    told = abroad and bool(of_nouns) and of_nouns <= here.union(best.context)
    asked_of = asked_terms if told else terms
    covered = coverage(asked_of(question), best.terms, weight, best.context)
    return Evidence(
        cosine=best.cosine,
        # The address has no word of "Where are you?", nor "since 1987" of "founded".
        coverage=max(covered, float(field), meaning if told_to_do else 0.0),
        meaning=meaning,
        absent=sum(absent.values()) / max(1, len(words)),
        name_absent=max((unlike[n] for n in (named & strange) - anywhere), default=0.0),
        year_absent=float(bool(dated - there - numbers(best.passage.text))),
        # A rule names no number that only its exceptions do.
        numbers_absent=0.0 if best.rule else len(counted - there) / max(1, len(counted)),
        misfit=1
        - min(1.0, day_fit(question, best.sentence.shown))
        * named_fit(question, best.sentence, best.context),
        length=min(1.0, len(words) / LONG),
        row_unnamed=float(row and bool(named - around)),
        # The line of a day tells what is done on it, whatever that is called.
        row_unlike=1 - meaning if row and day_fit(question, best.sentence.shown) <= 1 else 0.0,
        opposed=float(
            side_fit(question, best.sentence, strange) < 1 or tells_no_price(question, best)
        ),
        field=float(field),
        figureless=float(
            lacks_figure(question, best.explained)
            or lacks_amount(question, best)
            or lacks_name(question, best.sentence.shown)
        ),
    )


def _forms(question: str, texts: Sequence[str]) -> set[str]:
    """The terms of a question of which a text has another form: in German any, in English one that
    is derived."""
    german = german_terms(question)
    asked, root = (german, german_root) if german else (derived_terms(question), family)
    roots = {root(word) for text in texts for word in content_words(text)} if asked else set()
    return {term for each, term in asked.items() if each in roots}


def _unlikeness(
    words: Sequence[str],
    others: Sequence[str],
    vectors: "SentenceVectors",
    *,
    abroad: bool,
) -> dict[str, float]:
    """How unlike each word is to the likest of others: 0 means the same, 1 nothing in common."""
    if not words or not others:
        return dict.fromkeys(words, 1.0)
    found = vectors.of([*words, *others])
    cosines = (found[: len(words)] @ found[len(words) :].T).max(axis=1)
    strange, alike = (STRANGE_ABROAD, ALIKE_ABROAD) if abroad else (STRANGE, ALIKE)
    return {
        word: 0.0
        if abroad and any(_inflected(word, other) for other in others)
        else max(0.0, min(1.0, (alike - float(cosine)) / (alike - strange)))
        for word, cosine in zip(words, cosines, strict=True)
    }


def _inflected(word: str, other: str) -> bool:
    """Whether two words begin alike up to their endings, or the one is part of the other."""
    shorter, longer = sorted((word, other), key=len)
    return len(shorter) >= PART and (
        shorter in longer or shorter[:-2] == longer[: len(shorter) - 2]
    )
