"""The sentences that say that there is no answer, in the question's language.

They are told apart by their function words: English, German, French and Spanish. Whatever else a
question is written in is answered in English.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flotilla.models import Passage

ENGLISH = "en"

_FUNCTION_WORDS = {
    "en": """
        a about after an and any are at by can do does for from had has have how i in is it
        many may me much my of on or the their there this to was we were what when where
        which who whose why will with you your
        """,
    "de": """
        ab als am an auch auf aus bei beim bin bis da darf das dass dem den der des die dürfen ein
        eine einem einen einer er es für gibt haben hat ich ihr ihre im in ist kann kein keine
        man mein mir mit muss müssen nach nicht oder sie sind soll sollen über um und uns von
        vom wann warum was welche welchen welcher welches wem wen wenn wer weshalb wessen wie
        wieso wieviel wir wird wo woher wohin zu zum zur
        """,
    "fr": """
        à au aux avec ce ces cette combien comment dans de des du elle en est et être il je
        la le les leur mais mon ne nous ou où par pas peut pour pourquoi quand que quel
        quelle quelles quels qui quoi sa se ses son sont sur un une vos votre vous y
        """,
    "es": """
        a al como cómo con cuál cuáles cuándo cuánta cuántas cuánto cuántos cuando de del
        dónde el ella en es esta está están este hay la las lo los me mi no nos o para pero
        por puede puedo qué que quién se son su sus tiene tienen un una y
        """,
}

FEWEST, CLEARLY = 8, 1.5
"""Function words that a text needs for its language to be told, and how many times as many as of
any other language."""

_WORDS = {tongue: frozenset(words.split()) for tongue, words in _FUNCTION_WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+")

NOT_FOUND = {
    "en": "The documents do not contain an answer to this question.",
    "de": "Die Dokumente enthalten keine Antwort auf diese Frage.",
    "fr": "Les documents ne contiennent pas de réponse à cette question.",
    "es": "Los documentos no contienen una respuesta a esta pregunta.",
}
NOTHING_RETRIEVED = {
    "en": "The searched collections contain nothing on this question.",
    "de": "Die durchsuchten Sammlungen enthalten nichts zu dieser Frage.",
    "fr": "Les collections consultées ne contiennent rien sur cette question.",
    "es": "Las colecciones consultadas no contienen nada sobre esta pregunta.",
}


OTHER_TONGUE = {
    "en": "They are written in another language: asked in it, they may answer.",
    "de": "Sie sind in einer anderen Sprache verfasst: Darin gefragt, antworten sie vielleicht.",
    "fr": "Ils sont dans une autre langue : interrogés dans celle-ci, ils répondront peut-être.",
    "es": "Están en otro idioma: si se les pregunta en él, quizá respondan.",
}
"""What is added where all passages are in another language, as far as those here are told."""

FEWEST_ASKED = 2
"""Function words that a question needs for its language to be certain: one may be a name's."""


def not_found(question: str, passages: "Sequence[Passage]" = ()) -> str:
    """What is said where the passages do not answer."""
    tongue = tongue_of(question)
    text = NOT_FOUND[tongue]
    certain = told_tongue(question, fewest=FEWEST_ASKED) == tongue
    if certain and passages and all(_is_other(theirs, tongue) for theirs in _documents(passages)):
        text = f"{text} {OTHER_TONGUE[tongue]}"
    return text


def _documents(passages: "Sequence[Passage]") -> list[list[str]]:
    """The texts that were found of each document."""
    texts: dict[str, list[str]] = {}
    for passage in passages:
        texts.setdefault(passage.document_id, []).append(passage.text)
    return list(texts.values())


def _is_other(texts: Sequence[str], tongue: str) -> bool:
    """Whether a document's texts are in another language: together they are, and none by itself is
    in this one. A table is in the language of what else was found of its document."""
    theirs = told_tongue(" ".join(texts))
    return theirs not in (None, tongue) and all(told_tongue(text) != tongue for text in texts)


def nothing_retrieved(question: str) -> str:
    """What is said where there are no passages."""
    return NOTHING_RETRIEVED[tongue_of(question)]


def function_words(question: str) -> frozenset[str]:
    """Those of the language that a question is written in."""
    return _WORDS[tongue_of(question)]


def tongue_of(question: str) -> str:
    """The language whose function words a question has most of; English where none has more."""
    counts = _counts(question)
    best = max(counts.values())
    return ENGLISH if counts[ENGLISH] == best else max(counts, key=lambda tongue: counts[tongue])


def told_tongue(text: str, *, fewest: int = FEWEST) -> str | None:
    """The language of a text; None where it has fewer function words than that, or those of
    another language are not far fewer: "no" and "SE" of a price list make it no Spanish."""
    counts = _counts(text)
    (tongue, first), (_, second) = sorted(counts.items(), key=lambda each: -each[1])[:2]
    return tongue if first >= fewest and first > CLEARLY * second else None


def _counts(text: str) -> dict[str, int]:
    words = [match.group().casefold() for match in _WORD.finditer(text)]
    return {tongue: sum(word in own for word in words) for tongue, own in _WORDS.items()}
