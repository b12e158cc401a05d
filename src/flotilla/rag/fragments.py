"""Fragments that take the place of a part of the question before.

"And on a new one?" takes that of what begins with the same preposition, and "And the profit?" that
of what has the same article. Where the form of the question before tells what it is said of, a noun
takes the place of that, and the rest stays: after "What does a birch cost?", "And the yew?" asks
what the yew costs.
"""

import re

from flotilla.rag.text.days import without_days
from flotilla.rag.text.subjects import namesake, subject
from flotilla.rag.text.telling_words import WORD, telling

PREPOSITIONS = (
    "on|in|for|at|of|with|from|by|to|about|under|during|after|before|since|without|per|between|"
    "auf|bei|beim|für|im|am|an|mit|nach|von|vom|zu|zum|zur|über|aus|seit|ohne|unter|vor|gegen"
)
DETERMINERS = "the|a|an|my|your|our|his|her|their|der|die|das|den|dem|des|ein|eine|einen|einem"
LEAD = (
    r"\s*(?:(?:well|ok(?:ay)?|right|thanks|danke|gut)\b[\s,.!]*)*"
    r"(?:(?:and|but|or|so|und|aber|oder)\b\s*)?(?:(?:what|how)\s+about|what\s+if|wie\s+(?:ist|steht)"
    r"\s+es|was\s+ist)?\s*"
)
_LIKE_BEFORE = re.compile(
    rf"{LEAD}(?P<anchor>{PREPOSITIONS}|{DETERMINERS})\s+(?P<rest>[^?.!;,:]+?)\s*[?.!]*\s*",
    re.IGNORECASE,
)
_NOUN = re.compile(
    rf"(?P<lead>{LEAD})(?P<article>(?:{DETERMINERS})\s+)?(?P<rest>[^?.!;,:]+?)\s*[?.!]*\s*",
    re.IGNORECASE,
)
_MEASURE_WORDS = """
price cost costs size height length width weight age colour color duration date time preis kosten
größe höhe länge breite gewicht alter farbe dauer datum zeit
"""
_MEASURES = frozenset(_MEASURE_WORDS.split())
_MOST_WORDS_OF_FRAGMENT = 6
_MOST_WORDS_OF_NOUN = 3
_ONE = re.compile(r"\bones?\b", re.IGNORECASE)
_INSIDE = re.compile(rf"\b(?:{PREPOSITIONS})\b", re.IGNORECASE)
_TAIL = re.compile(
    rf"(?<!\s)(?=\s+(?:(?:{PREPOSITIONS}|and|or|is|are|was|were|do|does|did|has|have|if|when|und|"
    r"oder|ist|sind|war|wenn|hat|haben)\b|[?.!,;:]))|(?=[?.!,;:])|\Z",
    re.IGNORECASE,
)


def in_place(before: str, question: str) -> str | None:
    """The question before with a fragment in place of its counterpart, None where there is none."""
    asked = " ".join(question.split())
    replaced = _noun(before, asked)
    if replaced is not None:
        return replaced
    # What has the same article would take the verb with it.
    articled = _NOUN.fullmatch(asked)
    if articled is not None and articled["article"] and subject(before) is not None:
        return None
    return _like_before(before, asked)


def _noun(before: str, question: str) -> str | None:
    """The question before, asked of another noun."""
    fragment = _NOUN.fullmatch(question)
    if fragment is None or not (fragment["lead"].strip() or fragment["article"]):
        return None
    rest, article = fragment["rest"], fragment["article"] or ""
    found = telling(question)
    if found and all(named for _, named in found):
        place = namesake(before, rest)
        if place is not None:
            return f"{before[: place[0]]}{rest}{before[place[1] :]}"
    place = subject(before)
    if place is None or not without_days(rest).strip():
        return None
    heads = telling(before[place[0] : place[1]])
    rest = _ONE.sub(heads[-1][0], rest) if heads and telling(_ONE.sub("", rest)) else rest
    words = [word.group() for word in WORD.finditer(rest)]
    said = {word for word, _ in telling(rest)}
    if len(words) > _MOST_WORDS_OF_NOUN or not said:
        return None
    if words[-1].casefold() in _MEASURES:
        return None  # it is asked of the same noun
    if any(word not in said and not word.isdecimal() for word in words):
        return None
    return f"{before[: place[0]]}{article}{rest}{before[place[1] :]}"


def _like_before(before: str, question: str) -> str | None:
    """The question before with a fragment in place of its counterpart.

    The counterpart begins with the same preposition, or with the same article where the fragment
    has none, and ends before the next clause.
    """
    fragment = _LIKE_BEFORE.fullmatch(question)
    if fragment is None or len(fragment["rest"].split()) > _MOST_WORDS_OF_FRAGMENT:
        return None
    preposition = _INSIDE.fullmatch(fragment["anchor"]) is not None
    if not preposition and (
        len(fragment["rest"].split()) > _MOST_WORDS_OF_NOUN or _INSIDE.search(fragment["rest"])
    ):
        return None
    anchors = list(re.finditer(rf"\b{fragment['anchor']}\s+", before, re.IGNORECASE))
    if not anchors:
        return None
    anchor = anchors[-1] if preposition else anchors[0]
    end = _TAIL.search(before, anchor.end())
    counterpart = before[anchor.end() : end.start() if end else len(before)]
    if not telling(counterpart):
        return None
    rest = fragment["rest"]
    heads = telling(counterpart)
    rest = _ONE.sub(heads[-1][0], rest) if telling(_ONE.sub("", rest)) else rest
    if not telling(rest):
        return None
    return before[: anchor.end()] + rest + before[anchor.end() + len(counterpart) :]
