"""Which noun phrase of a question the rest of it is said of, by its form, in English and German.

"What does the Honda Jazz hybrid cost?" asks of "the Honda Jazz hybrid" what it costs, and "Do you
sell vans?" of "vans" whether they are sold: who takes that place is asked the same of.
"""

import re
from collections.abc import Sequence

from flotilla.rag.text.days import without_days
from flotilla.rag.text.telling_words import WORD, telling

Span = tuple[int, int]


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = re.compile(
    r"\s*(?:(?P<asks>what|which|how|when|where|why|who|whom)(?P<more>(?:\s+[\w'’-]+){0,4}?)\s+)?"
    r"(?P<first>do|does|did|can|could|will|would|shall|should|must|may|might|"
    r"is|are|was|were)\s+(?=\w)",
    re.IGNORECASE,
)
_GERMAN = re.compile(
    r"\s*(?:was|wann|wo|warum|wie(?:\s+(?:viel|lange|oft|hoch|teuer|weit|groß|schnell))?)\s+"
    r"(?P<first>\w+)\s+(?=\w)",
    re.IGNORECASE,
)
_IN_GERMAN = re.compile(
    r"\b(?:der|das|den|dem|ein|eine[mnrs]?|für|bei|beim|im|auf|mit|zu|zur|zum|ich|sie|man|kostet)\b",
    re.IGNORECASE,
)
_GERMAN_AUXILIARY = _words_of(
    """
    hat haben kann können wird werden muss müssen darf dürfen soll ist
    """
)
_BEING = frozenset({"is", "are", "was", "were"})
_PERSON = _words_of(
    """
    i we you one they people he she it there ich wir sie man er es
    """
)
_ADVERB = _words_of(
    """
    also ever even still usually normally always have need want to auch
    """
)
_ARTICLE = _words_of(
    """
    the a an my your our his her their der die das den dem des ein eine einen einem einer
    """
)
_PREPOSITION = _words_of(
    """
    on in for at of with from by to about under during after before since without per between auf
    bei beim für im am an mit nach von vom zu zum zur über aus seit ohne unter vor gegen
    """
)
_CLAUSE = re.compile(
    r"[?.!,;:]|\s(?:if|when|while|because|and|or|but|unless|wenn|und|oder|aber|weil)\s",
    re.IGNORECASE,
)
_VERB = _words_of(
    """
    accept allow apply begin charge close come contain cost cover do end expire get go have
    include last mean measure need offer open pay provide require run sell stand start stop take
    use weigh work
    """
)
_PREDICATE = _words_of(
    """
    allowed available closed covered due free included insured necessary needed open possible
    refundable required transferable valid
    """
)
"""What is said with "be" of a subject: without these, a word after it may be a part of its name."""


def subject(question: str) -> Span | None:
    """Where the noun phrase stands that another one may take the place of; None where the form of
    the question does not tell."""
    english = _english(question)
    if english is None:
        return _german(question)
    words = _words(question, english.end())
    if not words:
        return None
    first = english["first"].casefold()
    if _plain(words[0]) in _PERSON:
        return None if first in _BEING else _object(words[1:])
    if first in _BEING:
        return _said_of(words, whether=english["asks"] is None)
    return _acting(words)


def asks_what_is_done(question: str) -> bool:
    """Whether an English question asks what somebody or something does, not what it is: "What does
    delivery cost?"."""
    english = _english(question)
    return (
        english is not None
        and english["asks"] is not None
        and english["first"].casefold() not in _BEING
    )


def has_noun_subject(question: str) -> bool:
    """Whether an English question says by a noun who or what does something, not by a pronoun."""
    english = _english(question)
    words = _words(question, english.end()) if english is not None else []
    return bool(words) and _plain(words[0]) not in _PERSON


def namesake(question: str, name: str) -> Span | None:
    """Where the question has a name, a day or a year behind a preposition, as `name` is one; of
    several the last. In German, where every noun looks like a name, it is not told."""
    if _english(question) is None:
        return None
    runs: list[Span] = []
    named = {word for word, is_name in telling(question) if is_name}
    for word in WORD.finditer(question):
        if word.group() not in named:
            continue
        if runs and not question[runs[-1][1] : word.start()].strip():
            runs[-1] = runs[-1][0], word.end()
        else:
            runs.append((word.start(), word.end()))
    for start, end in reversed(runs):
        before = [word.casefold() for word in question[:start].split()]
        article = before and before[-1] in _ARTICLE
        if before[-2:-1] if article else before[-1:]:
            preposition = before[-2] if article else before[-1]
            if preposition in _PREPOSITION and _kind(question[start:end]) == _kind(name):
                return start, end
    return None


def _kind(name: str) -> str:
    if name.isdecimal():
        return "year"
    return "name" if without_days(name).strip() else "day"


def _english(question: str) -> re.Match[str] | None:
    """The beginning of an English question. "Was" begins German ones as well."""
    english = _ENGLISH.match(question)
    if english is None or (english["first"].casefold() == "was" and _IN_GERMAN.search(question)):
        return None
    return english


def _words(question: str, start: int) -> list[re.Match[str]]:
    """The words of the clause that begins there."""
    clause = _CLAUSE.search(question, start)
    return list(WORD.finditer(question, start, clause.start() if clause else len(question)))


def _plain(word: re.Match[str]) -> str:
    return word.group().casefold()


def _span(words: Sequence[re.Match[str]]) -> Span | None:
    """The stretch of a noun phrase, if it names anything, be it by a letter alone."""
    if not words:
        return None
    start, end = words[0].start(), words[-1].end()
    letters = any(len(word.group()) == 1 and word.group().isupper() for word in words)
    return (start, end) if letters or telling(words[0].string[start:end]) else None


def _object(words: list[re.Match[str]]) -> Span | None:
    """What a person's doing is about: "vans" of "you sell vans"."""
    while words and _plain(words[0]) in _ADVERB:
        words = words[1:]
    after = words[1:]  # the verb
    if after and _plain(after[0]) in _PREPOSITION:
        after = after[1:]
    return _span(_until_preposition(after))


def _until_preposition(words: list[re.Match[str]]) -> list[re.Match[str]]:
    for place, word in enumerate(words):
        if _plain(word) in _PREPOSITION:
            return words[:place]
    return words


def _acting(words: list[re.Match[str]]) -> Span | None:
    """The subject of a verb in its base form: the verb is one that is known, or the last word
    before a preposition that has a noun before it."""
    nominal = _until_preposition(words)
    for place in range(len(nominal) - 1, 0, -1):
        if _plain(nominal[place]) in _VERB and (span := _span(nominal[:place])):
            return span
    begin = 0
    for end in range(1, len(words) + 1):
        if end < len(words) and _plain(words[end]) not in _PREPOSITION:
            continue
        named = [word for word in words[begin:end] if _plain(word) not in _ARTICLE]
        if len(named) > 1:
            return _span(words[: end - 1])
        begin = end + 1
    return None


def _said_of(words: list[re.Match[str]], *, whether: bool) -> Span | None:
    """The subject of "be" up to what is said of it, if a word says something of it."""
    nominal = _until_preposition(words)
    named = [word for word in nominal if _plain(word) not in _ARTICLE]
    if len(named) < 2:
        return None
    ends_clause = len(nominal) == len(words)
    if _plain(nominal[-1]) in _PREDICATE or (whether and ends_clause):
        return _span(nominal[:-1])
    return None


def _german(question: str) -> Span | None:
    """The noun phrase behind the verb; where that only helps another one, without the last word."""
    german = _GERMAN.match(question)
    if german is None:
        return None
    words = _words(question, german.end())
    if not words or _plain(words[0]) in _PERSON:
        return None
    nominal = _until_preposition(words)
    if german["first"].casefold() in _GERMAN_AUXILIARY and len(nominal) == len(words):
        nominal = (
            nominal[:-1] if len(nominal) > 2 or not nominal[-1].group()[0].isupper() else nominal
        )
    return _span(nominal)
