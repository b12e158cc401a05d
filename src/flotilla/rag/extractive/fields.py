"""Questions for one field of something: its telephone number, its weight, how long it is lent.

A field is short and says little, so that neither its words nor its embedding are near to the
question. It answers where it is of the kind that is asked for and what it belongs to has
everything else that the question names.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.extractive.filters import asks_of_rows
from flotilla.rag.extractive.measures import measured_as, names_it
from flotilla.rag.extractive.offices import ASKS_WHO, LABEL_AND_VALUE, tells_office
from flotilla.rag.extractive.stock import asked_stock
from flotilla.rag.extractive.superlatives import superlative
from flotilla.rag.refusals import function_words
from flotilla.rag.text.contacts import asked_contact, has
from flotilla.rag.text.days import dates, weekdays, without_days
from flotilla.rag.text.inflection import root_of
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.tables import is_unit
from flotilla.rag.text.terms import content_words, stem, terms

# How a quantity is asked for, with the dimensions and the columns that tell it.
_QUANTITIES: tuple[tuple[re.Pattern[str], frozenset[str], tuple[str, ...]], ...] = tuple(
    (
        re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE),
        frozenset(dimensions.split()),
        tuple(stem(word) for word in columns.split()),
    )
    for pattern, dimensions, columns in (
        (r"how long|wie lange?", "time length", "length duration period länge dauer frist"),
        (r"how much|costs?|price|fee|was kostet|wie viel|wie teuer|preis", "money", ""),
        (r"how heavy|weighs?|wie schwer|wiegt", "mass", "weight gewicht"),
        (r"how (?:big|large)|wie groß", "area", "size area größe fläche"),
        (r"how old|what year|which year|wie alt", "", "year built age founded baujahr alter"),
        (r"how fast|wie schnell", "speed", "speed geschwindigkeit"),
        (r"how far|wie weit", "length", "distance entfernung"),
        (r"how high|wie hoch", "length money", "height höhe"),
    )
)
_COUNTED = re.compile(r"\b(?:how many|what|which|wie viele)\s+([^\W\d_]+)", re.IGNORECASE)
_COUNT_OF = re.compile(
    r"\b(?:how many|wie viele)\s+\w+\s+(?:has|have|had|does|hat|haben)\b", re.IGNORECASE
)
# "I keep": what somebody does with a thing is said by its column in another word.
_DOES = re.compile(r"\b(?:i|we|you|one|ich|wir|man)\s+([^\W\d_]+)", re.IGNORECASE)
_LIGHT_WORDS = """
available beträgt bezahlen contact cost dauert done have kostet last lautet line nummer number paid
pay reach run stay take weigh wiegt work zahlen zahlt
"""
_LIGHT = frozenset(_LIGHT_WORDS.split())

WIDE = 20
"""Passages that are searched for where one of a kind is told only beside the others."""

_OPEN = re.compile(
    r"\b(?:open(?:s|ing)?|close[sd]?|shut|hours|geöffnet|offen|öffne[nt]|schließ(?:t|en)|"
    r"geschlossen)\b",
    re.IGNORECASE,
)
_HOURS = re.compile(r"\b(?:closed|geschlossen)\b|\d(?:[^\d\s]*| Uhr)\s*(?:[-–]|to|bis)\s*\d")
# What is longer says enough of itself to be found.
_ASKS_WHO_IS = re.compile(
    r"^\W*(?:who(?: is| are|['’]s)|wer (?:ist|sind)|wie hei(?:ß|ss)(?:t|en))\b.{1,32}$|"
    r"^\W*who\b.{1,16}\b(?:after|for|charge|about)\b.{1,32}$",
    re.IGNORECASE | re.DOTALL,
)
_HOW_DO_I = re.compile(
    r"^\W*(?:(?:how|where|whom?) (?:do|can|should|must) (?:i|we|one)|"
    r"(?:wie|wo|wem) \w+ (?:ich|man))\b",
    re.IGNORECASE,
)
_SINCE_WHEN = re.compile(
    r"\b(?:when|(?:what|which) year|how long|seit wann|wann|wie lange)\b", re.IGNORECASE
)
_FOUNDED = re.compile(
    r"\b(?:founded|established|set up|(?:been )?in business|been around|existed|gegründet|gibt es|"
    r"besteht)\b",
    re.IGNORECASE,
)
_SAYS_FOUNDING = re.compile(
    r"\b(?:since|founded|established|set up|seit|gegründet)\b(?:\s+(?:in|on|the|year|im|jahr))*"
    r"\s+(?:1[5-9]|20)\d\d\b",
    re.IGNORECASE,
)
_OF_US = re.compile(
    r"\b(?:we|our|company|firm|business|wir|uns|firma|unternehmen)\b", re.IGNORECASE
)
_OF_GOODS = re.compile(r"\b(?:been|are|is|was|werden|wird)\s+(?:sold|built|made|offered|gebaut)\b")
_FIRM_WORDS = ("company", "firm", "business", "firma", "unternehmen", "betrieb", "open", "first")
LONG = 4
"""Letters from which the beginning of a word tells it."""


def passages_needed(question: str, top_k: int) -> int:
    """How many passages are searched for in place of `top_k` where sentences are the answer.

    A table's rows are in many passages, of which none is nearer to a superlative than the others,
    and of which only the first names the columns that "how many" asks for; to a line of contact,
    and to one that names a person, hardly any question is near. Of a question with one word that
    tells anything ("How do I complain?"), that word may be another in the documents.
    """
    wide = (
        superlative(question) is not None
        or asked_stock(question) is not None
        or asked_contact(question) is not None
        or _COUNT_OF.search(question)
        or asks_of_rows(question)
        or _ASKS_WHO_IS.search(question)
        or _asks_founding(question)
        or (_HOW_DO_I.search(question) and len(_named(question)) == 1)
    )
    return max(top_k, WIDE) if wide else top_k


def tells_field(question: str, candidate: Candidate) -> bool:
    """Whether a contact line or a row has the very field that is asked for, and is about what the
    question names."""
    contact = asked_contact(question)
    if contact is not None:
        return candidate.sentence.kind is Kind.CONTACT and _has_contact(question, candidate)
    return (
        _tells_day(question, candidate)
        or _tells_label(question, candidate)
        or tells_office(question, candidate)
        or _tells_founding(question, candidate)
        or _tells_quantity(question, candidate)
    )


def tells_contact(question: str, candidate: Candidate) -> bool:
    """Whether a sentence has the telephone number, address or the like that is asked for, within
    what else it says: it answers where no line of contact does."""
    prose = candidate.sentence.kind in (Kind.SENTENCE, Kind.ITEM)
    return prose and _has_contact(question, candidate)


def _has_contact(question: str, candidate: Candidate) -> bool:
    contact = asked_contact(question)
    if contact is None or not has(contact, candidate.sentence.shown):
        return False
    return _is_about(candidate, _named(contact.asked.sub(" ", question)))


def _is_about(candidate: Candidate, asked: Iterable[str]) -> bool:
    """Whether a sentence, its passage or its document's name have all of some terms."""
    text = f"{candidate.passage.document_name} {candidate.passage.text}"
    own = {*candidate.terms, *candidate.context, *terms(text)}
    return all(_in(term, own) for term in asked)


def _tells_day(question: str, candidate: Candidate) -> bool:
    """Whether it says of a day that is asked for whether, or from when to when, there is opened."""
    shown = candidate.sentence.shown
    if not _OPEN.search(question):
        return False
    if dates(question):
        told = dates(question) & dates(shown) and _OPEN.search(shown)
    else:
        told = weekdays(question) & weekdays(shown) and _HOURS.search(shown)
    asked = _named(_OPEN.sub(" ", without_days(question)))
    if not dates(question):
        return bool(told) and not asked  # beside the hours of what is named stand those of others
    return bool(told) and _is_about(candidate, asked)


def _tells_label(question: str, candidate: Candidate) -> bool:
    """Whether it is a line such as "Librarian: Henrietta Okafor" whose label is asked for."""
    labelled = LABEL_AND_VALUE.fullmatch(candidate.sentence.text)
    if labelled is None or candidate.sentence.kind is Kind.LIST or ASKS_WHO.search(question):
        return False
    root = root_of(question)
    label = {root(word) for word in content_words(labelled[1])}
    asked = {root(word) for word in content_words(question) if stem(word) in _named(question)}
    if not label or any(term[0].isdigit() for term in _named(question)):
        return False
    sentence = candidate.sentence
    above = (sentence.heading, *candidate.passage.heading_path, candidate.passage.document_name)
    around = label.union(root(word) for word in content_words(" ".join(above)))
    return label <= asked <= around


def _asks_founding(question: str) -> bool:
    return bool(_SINCE_WHEN.search(question) and _FOUNDED.search(question))


def _tells_founding(question: str, candidate: Candidate) -> bool:
    """Whether it says since when there is a company or the like, where that is asked for."""
    shown = candidate.sentence.shown
    if not _asks_founding(question) or not _SAYS_FOUNDING.search(shown):
        return False
    left = _SINCE_WHEN.sub(" ", _FOUNDED.sub(" ", question))
    asked = [term for term in _named(left) if term not in map(stem, _FIRM_WORDS)]
    if asked:
        return _is_about(candidate, asked)
    # What is sold or built since a year is another thing than the company.
    passage = candidate.passage
    itself = {*terms(" ".join((*passage.heading_path[:1], passage.document_name)))}
    about = _OF_US.search(shown) or itself & set(terms(shown.split(",")[0]))
    return bool(about) and not _OF_GOODS.search(shown)


def _tells_quantity(question: str, candidate: Candidate) -> bool:
    sentence = candidate.sentence
    cells = sentence.named_cells if sentence.kind is Kind.ROW else []
    columns, spent = _columns(question, tuple(cells))
    if not columns:
        return False
    asked = [term for term in _named(_without_deeds(question)) if term not in spent]
    own = [value for name, value in cells if name not in columns and not is_unit(value)]
    values = {term for value in own for term in terms(value)}
    around = {*candidate.terms, *candidate.context}
    return any(_in(term, values) for term in asked) and all(_in(term, around) for term in asked)


def _columns(
    question: str, cells: tuple[tuple[str, str], ...]
) -> tuple[frozenset[str], frozenset[str]]:
    """The columns that tell what is asked, and the question's terms that are spent on it."""
    counted = _COUNTED.search(question)
    if counted is not None:
        nouns = terms(counted[1])
        found = {name for name, value in cells if value and nouns and names_it(name, nouns)}
        if found:
            return frozenset(found), frozenset(nouns)
    for pattern, dimensions, columns in _QUANTITIES:
        match = pattern.search(question)
        if match is not None:
            found = {
                name
                for name, value in cells
                if measured_as(value) in dimensions
                or (columns and names_it(name, columns) and re.search(r"\d", value))
            }
            return frozenset(found), frozenset(terms(match.group()))
    asked = set(_named(question))
    named = {name for name, value in cells if value and name and set(terms(name)) <= asked}
    return frozenset(named), frozenset(term for name in named for term in terms(name))


def _without_deeds(question: str) -> str:
    return _DOES.sub(" ", question)


@lru_cache(maxsize=256)
def _named(question: str) -> tuple[str, ...]:
    """The terms of what a question names, its numbers among them."""
    light = _LIGHT | function_words(question)
    words = [stem(word) for word in content_words(question) if word not in light]
    return (*words, *(term for term in terms(question) if term[0].isdigit()))


def _in(term: str, own: Iterable[str]) -> bool:
    """Whether a term is among others; "film" is in "filmverleih"."""
    return any(term == other or (len(term) >= LONG and other.startswith(term)) for other in own)
