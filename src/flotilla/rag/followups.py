"""Questions that follow up on earlier ones, made to stand alone by a rule, without a model.

The rule, of which docs/answers.md shows what it is worth:

1. A question that says enough by itself is left as it is. It does where it has more than three
   words that tell something, names what it is about, or has all of a sentence's parts and none
   that refers back ("Are dogs allowed?", "Who is the midwife?", "When does the café close?").
2. A fragment with a counterpart in the question before takes its place: after "How long is the
   warranty on a used car?", "And on a new one?" becomes "How long is the warranty on a new car?".
   A noun takes that of what the question before asked about, and the rest of it stays: after "What
   does a birch cost?", "And the yew?" becomes "What does the yew cost?".
3. A fragment that is a noun with a complement ("And the price of the extension?") names a topic of
   its own; years of the question before are put behind it, and nothing else.
4. Otherwise the words that the question before was about are put behind it, names first: three of
   them where the question has at most two words of its own, one where it has three, and one less
   where it has a name.

The words that are put behind a question help to find passages. What answers, and whether
anything does, is told by the question's own, see `Standalone.own`.

The question before is taken as it was made to stand alone, so that a topic lasts for as long as
nobody names another. Words of answers are left alone: they said more wrong than right in the
measurement. The words of the rule are English and German; in other languages it finds neither
pronouns nor function words, and so it completes short questions alone, with words of the user's
own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flotilla.models import Turn
from flotilla.rag.fragments import DETERMINERS, LEAD, in_place
from flotilla.rag.text.subjects import asks_what_is_done, has_noun_subject
from flotilla.rag.text.telling_words import WORD, telling
from flotilla.rag.text.terms import stem

MOST_TERMS = {0: 3, 1: 3, 2: 3, 3: 1}
"""Words that are brought in, by the number of words that the question has of its own."""

_POLITE = """
thanks thank you very much great good fine nice ok okay perfect hello hi hey bye goodbye please
danke vielen dank schön bitte gut super prima hallo tschüss
"""
_COURTESY = frozenset(_POLITE.split())

_COMPLEMENT = re.compile(
    rf"{LEAD}(?:{DETERMINERS})\s+(?P<head>\w+(?:\s\w+)?)\s+(?:of|for|on|von|für|auf|der|des)\s+"
    rf"(?:(?:{DETERMINERS})\s+)?(?P<of>\w+(?:\s\w+){{0,2}})\s*[?.!]*\s*",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_WHETHER = re.compile(
    r"\s*(?:(?:is|are|was|were|do|does|did|has|have)|"
    r"(?P<german>ist|sind|war|waren|hat|haben|gibt|darf|dürfen))\s",
    re.IGNORECASE,
)
_DEFINITE = re.compile(r"\b(?:the|der|die|das|den|dem|des)\b", re.IGNORECASE)
_WHO_IS = re.compile(
    rf"\s*(?:who|wer)\s+(?:is|are|was|were|ist|sind|war|waren)\s+(?:{DETERMINERS})\s",
    re.IGNORECASE,
)
_BROUGHT = re.compile(r"(?<=\S) \([^()]+\)\Z")
_REFERRING = re.compile(
    r"\b(?:(?i:it|its|they|them|their|theirs|this|that|these|those|he|him|his|she|her|hers|"
    r"ones?|such|same|other|others|another|else|(?<!is )(?<!are )(?<!was )there|er|ihn|ihm|ihnen|"
    r"(?<!gibt )es|dies|diese[mnrs]?|sein(?:e[mnrs]?)?|"
    r"ihr(?:e[mnrs]?)?|dessen|deren|solche[mnrs]?|dort|da|hier|davon|damit|dazu|dafür|dabei|daran|"
    r"darauf|daraus|darin|darüber|danach)|sie|(?i:der|die|das)(?=\s*[?.!,]|\s+[a-zäöü]))\b"
)
"""Words that stand for something which was said before."""


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question that stands alone: what is searched for, and answered.

    `why` says in a few words what was done, or why nothing was. `own` is the question without the
    words that were put behind it: they help a search, and what answers is told by the others. Where
    a pronoun of the question stands for some of these words, it keeps those of the question just
    before. It is None where no words were put behind it, or none can be told apart.
    """

    text: str
    changed: bool
    why: str
    own: str | None = None


def standalone(history: Sequence[Turn], question: str) -> Standalone:
    """The question as it would be asked by somebody who had not asked anything before.

    Args:
        history: the conversation's turns so far, the oldest first.
        question: the newest one, as it was asked.
    """
    if not history:
        return Standalone(question, changed=False, why="nothing was asked before")
    if _is_courtesy(question):
        return Standalone(question, changed=False, why="it asks nothing")
    asked = [turn.standalone for turn in history if not _is_courtesy(turn.standalone)]
    before = asked[-1] if asked else ""
    bare = _BROUGHT.sub("", before)
    replaced = in_place(bare, question)
    if replaced is not None:
        return Standalone(
            replaced + before[len(bare) :],
            changed=True,
            why="a part of the question before was replaced",
            own=_own(replaced) if len(bare) < len(before) else None,
        )
    own = telling(question)
    if _names_its_topic(question):
        have = {word for word, _ in own}
        years = [y for y, _ in telling(before) if _YEAR.fullmatch(y) and y not in have]
        if not years:
            return Standalone(question, changed=False, why="it names a topic of its own")
        return _completed(question, years, "it names a topic of its own")
    if _is_complete(question):
        return Standalone(question, changed=False, why="it is complete by itself")
    missing = MOST_TERMS.get(len({stem(word) for word, _ in own}), 0)
    missing -= any(named for _, named in own)
    if missing <= 0:
        return Standalone(question, changed=False, why="it says enough by itself")
    brought = _topic(before, {stem(word) for word, _ in own}, missing)
    if not brought:
        return Standalone(question, changed=False, why="the question before adds nothing")
    return _completed(question, brought, "it says too little by itself", bare)


def _is_courtesy(message: str) -> bool:
    return all(match.group().casefold() in _COURTESY for match in WORD.finditer(message))


def _completed(question: str, brought: Sequence[str], why: str, bare: str = "") -> Standalone:
    referred = [] if _REFERRING.search(bare) else [w for w, _ in telling(bare) if w in brought]
    return Standalone(
        f"{question.rstrip()} ({' '.join(brought)})",
        changed=True,
        why=f"{why}; from before: {', '.join(brought)}",
        own=_own(question, referred),
    )


def _own(question: str, referred: Sequence[str] = ()) -> str | None:
    """The question where its own words say what it asks for, with those that its pronoun refers to;
    None where they do not."""
    if not telling(question):
        return None
    if not _REFERRING.search(question):
        return question
    return f"{question.rstrip()} ({' '.join(referred)})" if referred else None


def _names_its_topic(question: str) -> bool:
    """Whether a fragment is a noun with what it is of, and nothing in it refers back."""
    found = _COMPLEMENT.fullmatch(" ".join(question.split()))
    return found is not None and all(
        len(telling(part)) == len(part.split()) for part in (found["head"], found["of"])
    )


def _is_complete(question: str) -> bool:
    """Whether a question has all of a sentence's parts: it asks whether something is so, who
    somebody is, or what is done, by whom and with what, and nothing in it refers back. What has a
    name, or a definite article where it asks whether something is so, may well be of what was
    talked about."""
    if _REFERRING.search(question):
        return False
    own = telling(question)
    if asks_what_is_done(question) and not any(named for _, named in own):
        return len(own) > (1 if has_noun_subject(question) else 2)
    whether = _WHETHER.match(question)
    if whether is None:
        return bool(own) and _WHO_IS.match(question) is not None
    named = any(name for _, name in own) and whether["german"] is None  # whose nouns look alike
    return len(own) > 1 and not named and _DEFINITE.search(question) is None


def _topic(before: str, have: set[str], most: int) -> list[str]:
    """Up to so many words that an earlier question was about, names first, in their order."""
    words: list[tuple[str, bool]] = []
    seen = set(have)
    for word, named in telling(before):
        if stem(word) not in seen:
            seen.add(stem(word))
            words.append((word, named))
    ranked = sorted(range(len(words)), key=lambda at: (not words[at][1], at))
    return [words[at][0] for at in sorted(ranked[:most])]
