"""Questions that follow up on earlier ones, made to stand alone by a rule, without a model.

The rule, of which docs/answers.md shows what it is worth:

1. A question that says enough by itself is left as it is. It does where it has more than three
   words that tell something, names what it is about, or has all of a sentence's parts and none
   that refers back ("Are dogs allowed?", "Who is the midwife?").
2. A fragment with a counterpart in the question before takes its place: after "How long is the
   warranty on a used car?", "And on a new one?" becomes "How long is the warranty on a new car?".
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
from flotilla.rag.text.terms import stem

MOST_TERMS = {0: 3, 1: 3, 2: 3, 3: 1}
"""Words that are brought in, by the number of words that the question has of its own."""

_WORD = re.compile(r"[^\W_]+(?:['’.\-/&][^\W_]+)*")

_EMPTY = """
a about above after again all also am an and another any anything are around as ask at available be
because been before being between both but by can cannot certain clarify could describe detail
details did difference differences different do does doing done during each either else ever every
example examples explain few for from further general get gets getting give given go goes going good
got had happen happens has have having he heard hello help her here hers hi him his how however i if
i'd i'll i'm in info information into is it its itself just kind kinds know let let's like list long
look looking lot made main make makes many may maybe me mean means mention mentioned might mine more
most much must my myself name names need needed needs no nor not now of off ok okay on once one ones
only or other others our ours out over own plan please possible provide put question read really
regarding right said same say says see shall she should since so some someone something sometimes
still such summary sure take tell than thank thanks that that's the their theirs them then there
these they they're thing things think this those through time to too type types under understand
until up us use using very via want wants was way we well were what what's when where whether
which while who whom whose why will wish with within without wonder would wow yes yet you your yours
yourself

aber alle alles als also am an andere anderen anderer anderes auch auf aus bei beim bin bis bist
bitte da dafür dabei damit dann daran darauf das dass dazu dein deine dem den denn der deren des
dessen dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen
einer eines er erklär erkläre erklären es etwas euch euer für gab gehen geht genau gib gibt gilt
haben hallo hat hatte hätte hier hin ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ins ist ja
jede jeder jedes kann kannst kein keine keinen können könnte könntest lang lange man mehr mein meine
meinem meinen meiner mich mir mit muss müssen möchte nach nein nicht noch nun nur ob oder ohne sag
sage sagen schon sehr sein seine seinem seinen seiner seit sich sie sind so soll sollte solche
sowie the über um und uns unser unter viel viele vom von vor wann war waren warum was weil welche
welchem welchen welcher welches wem wen wenn wer werden wessen wie wieso will wird wirst wissen wo
woher wohin wurde würde zeig zeige zu zum zur zwischen
"""
EMPTY_WORDS = frozenset(_EMPTY.split())
"""Words that name nothing: function words of both languages, and what people say around a question
("can you please explain")."""

_POLITE = """
thanks thank you very much great good fine nice ok okay perfect hello hi hey bye goodbye please
danke vielen dank schön bitte gut super prima hallo tschüss
"""
_COURTESY = frozenset(_POLITE.split())

_PREPOSITIONS = (
    "on|in|for|at|of|with|from|by|to|about|under|during|after|before|since|without|per|between|"
    "auf|bei|beim|für|im|am|an|mit|nach|von|vom|zu|zum|zur|über|aus|seit|ohne|unter|vor|gegen"
)
_DETERMINERS = "the|a|an|my|your|our|his|her|their|der|die|das|den|dem|des|ein|eine|einen|einem"
_LEAD = (
    r"\s*(?:(?:well|ok(?:ay)?|right|thanks|danke|gut)\b[\s,.!]*)*"
    r"(?:(?:and|but|or|so|und|aber|oder)\b\s*)?(?:(?:what|how)\s+about|what\s+if|wie\s+(?:ist|steht)"
    r"\s+es|was\s+ist)?\s*"
)
_LIKE_BEFORE = re.compile(
    rf"{_LEAD}(?P<anchor>{_PREPOSITIONS}|{_DETERMINERS})\s+(?P<rest>[^?.!;,:]+?)\s*[?.!]*\s*",
    re.IGNORECASE,
)
_COMPLEMENT = re.compile(
    rf"{_LEAD}(?:{_DETERMINERS})\s+(?P<head>\w+(?:\s\w+)?)\s+(?:of|for|on|von|für|auf|der|des)\s+"
    rf"(?:(?:{_DETERMINERS})\s+)?(?P<of>\w+(?:\s\w+){{0,2}})\s*[?.!]*\s*",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_OPENING = " \t\n\"'“„«("
_MOST_WORDS_OF_FRAGMENT = 6
_MOST_WORDS_OF_NOUN = 3
_ONE = re.compile(r"\bones?\b", re.IGNORECASE)
_INSIDE = re.compile(rf"\b(?:{_PREPOSITIONS})\b", re.IGNORECASE)
_TAIL = re.compile(
    rf"(?<!\s)(?=\s+(?:(?:{_PREPOSITIONS}|and|or|is|are|was|were|do|does|did|has|have|if|when|und|"
    r"oder|ist|sind|war|wenn|hat|haben)\b|[?.!,;:]))|(?=[?.!,;:])|\Z",
    re.IGNORECASE,
)


_WHETHER = re.compile(
    r"\s*(?:(?:is|are|was|were|do|does|did|has|have)|"
    r"(?P<german>ist|sind|war|waren|hat|haben|gibt|darf|dürfen))\s",
    re.IGNORECASE,
)
_DEFINITE = re.compile(r"\b(?:the|der|die|das|den|dem|des)\b", re.IGNORECASE)
_WHO_IS = re.compile(
    rf"\s*(?:who|wer)\s+(?:is|are|was|were|ist|sind|war|waren)\s+(?:{_DETERMINERS})\s",
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
    replaced = _in_place(bare, question)
    if replaced is not None:
        return Standalone(
            replaced + before[len(bare) :],
            changed=True,
            why="a part of the question before was replaced",
            own=_own(replaced) if len(bare) < len(before) else None,
        )
    own = _telling(question)
    if _names_its_topic(question):
        have = {word for word, _ in own}
        years = [y for y, _ in _telling(before) if _YEAR.fullmatch(y) and y not in have]
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
    return all(match.group().casefold() in _COURTESY for match in _WORD.finditer(message))


def _completed(question: str, brought: Sequence[str], why: str, bare: str = "") -> Standalone:
    referred = [] if _REFERRING.search(bare) else [w for w, _ in _telling(bare) if w in brought]
    return Standalone(
        f"{question.rstrip()} ({' '.join(brought)})",
        changed=True,
        why=f"{why}; from before: {', '.join(brought)}",
        own=_own(question, referred),
    )


def _own(question: str, referred: Sequence[str] = ()) -> str | None:
    """The question where its own words say what it asks for, with those that its pronoun refers to;
    None where they do not."""
    if not _telling(question):
        return None
    if not _REFERRING.search(question):
        return question
    return f"{question.rstrip()} ({' '.join(referred)})" if referred else None


def _names_its_topic(question: str) -> bool:
    """Whether a fragment is a noun with what it is of, and nothing in it refers back."""
    found = _COMPLEMENT.fullmatch(" ".join(question.split()))
    return found is not None and all(
        len(_telling(part)) == len(part.split()) for part in (found["head"], found["of"])
    )


def _is_complete(question: str) -> bool:
    """Whether a question has all of a sentence's parts: it asks whether something is so, or who
    somebody is, and nothing in it refers back. What has a definite article or a name may well be of
    what was talked about."""
    if _REFERRING.search(question):
        return False
    own = _telling(question)
    whether = _WHETHER.match(question)
    if whether is None:
        return bool(own) and _WHO_IS.match(question) is not None
    named = any(name for _, name in own) and whether["german"] is None  # whose nouns look alike
    return len(own) > 1 and not named and _DEFINITE.search(question) is None


def _telling(text: str) -> list[tuple[str, bool]]:
    """The words that tell something, and whether each is a name: capitalised inside a sentence, all
    in capitals, or with a figure."""
    found = []
    for match in _WORD.finditer(text):
        word = match.group()
        ahead = text[: match.start()].rstrip(_OPENING)
        opens = not ahead or ahead[-1] in ".?!:"
        named = (
            (word[0].isupper() and not opens)
            or (len(word) > 1 and word.isupper())
            or any(letter.isdigit() for letter in word)
        )
        plain = word.casefold().replace("’", "'").removesuffix("'s")
        if len(word) > 1 and plain not in EMPTY_WORDS:
            found.append((word, named))
    return found


def _topic(before: str, have: set[str], most: int) -> list[str]:
    """Up to so many words that an earlier question was about, names first, in their order."""
    words: list[tuple[str, bool]] = []
    seen = set(have)
    for word, named in _telling(before):
        if stem(word) not in seen:
            seen.add(stem(word))
            words.append((word, named))
    ranked = sorted(range(len(words)), key=lambda at: (not words[at][1], at))
    return [words[at][0] for at in sorted(ranked[:most])]


def _in_place(before: str, question: str) -> str | None:
    """The question before with a fragment in place of its counterpart, None where there is none.

    The counterpart begins with the same preposition, or with the same article where the fragment
    has none, and ends before the next clause.
    """
    fragment = _LIKE_BEFORE.fullmatch(" ".join(question.split()))
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
    if not _telling(counterpart):
        return None
    rest = fragment["rest"]
    heads = _telling(counterpart)
    rest = _ONE.sub(heads[-1][0], rest) if _telling(_ONE.sub("", rest)) else rest
    if not _telling(rest):
        return None
    return before[: anchor.end()] + rest + before[anchor.end() + len(counterpart) :]
