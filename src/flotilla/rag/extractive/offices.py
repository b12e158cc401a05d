"""Who holds an office: told by a line with its label, or by one that signs with name and office."""

import re

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.refusals import function_words
from flotilla.rag.text.inflection import root_of
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.signatures import office_of
from flotilla.rag.text.terms import content_words

LABEL_AND_VALUE = re.compile(r"([^\W\d_][^.!?:;|\d\n]{1,39}?)(?::[ \t]+|\t+| {2,})\S[^\n]*")
ASKS_WHO = re.compile(
    r"^\W*(?:who(?:se|m)?\b|who['’]s\b|wer\b|wen\b|wie hei(?:ß|ss)(?:t|en)\b|"
    r"what(?: is|['’]s) the name of\b)",
    re.IGNORECASE,
)
_PERSON = re.compile(r"[A-ZÄÖÜ][^\W\d_]*\.?[ -]+[A-ZÄÖÜ][^\W\d_]+")
_WHO_WORDS = """
after ask call care charge contact deal deals email give gives giving handle handles hold holds lead
leads look looking looks manage manages name named person responsible ring run runs speak take takes
talk teach teaches turn write ansprechen gibt heißen heißt kümmert leitet macht verantwortlich
zuständig
"""
_OFFICE_WORDS = """
chair contact desk head lead leader manager office officer person representative beauftragte
beauftragter leiter leiterin leitung ansprechpartner ansprechpartnerin
"""
_WHO_LIGHT, _OFFICES = _WHO_WORDS.split(), _OFFICE_WORDS.split()
# Each an office, with others for it and with what whoever holds it looks after.
_DUTIES = """
treasurer bursar money finance finances funds cash
secretary minutes correspondence
chair chairman chairwoman chairperson president
caretaker janitor concierge building
trainer coach instructor training lessons
librarian library books
registrar registration enrolment
child kid youth junior
kassenwart kassenwartin schatzmeister schatzmeisterin geld kasse finanzen
vorsitzender vorsitzende vorstand präsident präsidentin
hausmeister hausmeisterin hauswart haus gebäude
trainer trainerin training
kind kinder jugend
"""


def tells_office(question: str, candidate: Candidate) -> bool:
    """Whether a line names who holds the office that is asked for: "officer" and "in charge of" are
    put with it, and it may be asked for by what belongs to it."""
    sentence = candidate.sentence
    told = sentence.kind in (Kind.SENTENCE, Kind.ITEM, Kind.CONTACT)
    if not told or not ASKS_WHO.search(question) or re.search(r"\d", question):
        return False
    labelled = LABEL_AND_VALUE.fullmatch(sentence.text)
    called = labelled[1] if labelled is not None else office_of(sentence.text)
    value = sentence.text[labelled.end(1) :] if labelled is not None else sentence.text
    if not called or not _PERSON.search(value) or re.search(r"\d", value):
        return False
    root = root_of(question)
    light = {root(word) for word in (*_WHO_LIGHT, *function_words(question))}
    label = {root(word) for word in content_words(called)}
    above = (sentence.heading, *candidate.passage.heading_path, candidate.passage.document_name)
    around = label.union(root(word) for word in content_words(" ".join(above)))
    asked = {root(word) for word in content_words(question)}
    asked = asked - light or asked & label
    groups = [{root(word) for word in line.split()} for line in _DUTIES.strip().split("\n")]
    meant = {_called(word, label, groups) for word in asked}
    offices = {root(word) for word in _OFFICES}
    return bool(meant) and label - offices <= meant <= around


def _called(word: str, label: set[str], groups: list[set[str]]) -> str:
    """The word of a label that means what one asked for does, or that word itself."""
    others = {other for group in groups if word in group for other in group & label}
    return word if word in label or not others else min(others)
