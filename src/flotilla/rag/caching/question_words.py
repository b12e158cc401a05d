"""The words that a question is asked with, by language: what `likeness` passes over, and what not.

Whatever stands in none of these tables is what the question is about, and has to agree.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuestionWords:
    """One language's words.

    `openings` are polite beginnings that ask nothing. `asks` are ways of asking, each with the sign
    that stands for it. `passed_over` say nothing of the matter; `negations` turn it round;
    `auxiliaries` begin a question that is answered by yes or no; `joints` may join two nouns that
    could stand in each other's place. `same` are words of which one may stand for another.
    """

    openings: re.Pattern[str]
    asks: tuple[tuple[re.Pattern[str], str], ...]
    passed_over: frozenset[str]
    negations: frozenset[str]
    auxiliaries: frozenset[str]
    joints: frozenset[str]
    same: dict[str, str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _asks(table: dict[str, str]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(rf"\b(?:{forms})\b"), f" {sign} ") for sign, forms in table.items())


ENGLISH = QuestionWords(
    openings=re.compile(
        r"^(?:(?:hi|hello|hey|please|excuse me|ok|okay|so)\b[\s,!.:]*)*"
        r"(?:(?:could|can|would|will) you (?:please )?(?:tell|explain to|explain|show|let) "
        r"(?:me |us )?(?:know )?"
        r"|(?:please )?(?:tell|explain to|show) (?:me|us) "
        r"|do you know "
        r"|(?:i|we) (?:would like|want|wish|need) to know "
        r"|(?:i am|i was|we are) wondering )?"
    ),
    asks=_asks(
        {
            "_DURATION": r"how long|for what (?:period|length of time)|(?:what is )?the duration",
            "_PRICE": r"how much (?:is|are)|how much (?=(?:do|does|will|would)\b.{0,200}\bcosts?\b)"
            r"|costs?|prices?",
            "_MUCH": r"how much",
            "_COUNT": r"how many|what is the (?:total )?number of",
            "_WHEN": r"when|at what time|what time|at which time",
            "_WHERE": r"where|(?:at|in) (?:what|which) (?:place|location)",
            "_WHO": r"who|whom|which person",
            "_WHY": r"why|how come|for what reason|what is the reason(?: why)?",
            "_MUST": r"must|have to|has to|need to|needs to|am i (?:required|obliged) to",
            "_CAN": r"am i (?:allowed|permitted) to|is it (?:possible|allowed|permitted) to"
            r"|can|could|may|might",
            "_HOW": r"how|in what way|in which way",
        }
    ),
    passed_over=_words(
        "a an the of on in at for is are am be been being do does has have there here "
        "i me my mine we our ours us it its that which what some any please exactly actually "
        "to"
    ),
    negations=_words("not no never none nobody nothing neither nor without cannot"),
    auxiliaries=_words(
        "is are am was were do does did has have had can could may might must will would shall "
        "should"
    ),
    joints=_words("of for on in at"),
    same={
        "purchase": "buy",
        "purchased": "bought",
        "telephone": "phone",
        "begin": "start",
        "begins": "start",
        "maximal": "maximum",
        "max": "maximum",
        "minimal": "minimum",
        "min": "minimum",
        "whats": "what",
        "permitted": "allowed",
    },
)

GERMAN = QuestionWords(
    openings=re.compile(
        r"^(?:(?:hallo|guten tag|bitte|entschuldigung|also)\b[\s,!.:]*)*"
        r"(?:(?:können|könnten|würden) (?:sie|ihr) (?:mir|uns) (?:bitte )?(?:sagen|erklären)[\s,]*"
        r"|(?:sagen|erklären) sie (?:mir|uns)(?: bitte)?[\s,]*"
        r"|wissen sie[\s,]*"
        r"|ich (?:möchte|würde gern(?:e)?|will) wissen[\s,]*)?"
    ),
    asks=_asks(
        {
            "_DURATION": r"wie lange|für welche dauer|(?:was ist )?die dauer",
            "_WHEN": r"wann|um wie ?viel uhr|zu welcher (?:zeit|uhrzeit)",
            "_COUNT": r"wie viele|wieviele",
            "_MUCH": r"wie viel|wieviel",
            "_PRICE": r"kosten|kostet|preise?",
            "_WHERE": r"wo|an welchem ort|an welcher stelle",
            "_WHO": r"wer|welche person",
            "_WHY": r"warum|weshalb|wieso|aus welchem grund",
            "_MUST": r"muss|muß|müssen|bin ich verpflichtet",
            "_CAN": r"kann|können|darf|dürfen|ist es (?:möglich|erlaubt)",
            "_HOW": r"wie|auf welche weise",
        }
    ),
    passed_over=_words(
        "der die das den dem des ein eine einen einem einer eines ist sind bin ich mir mich mein "
        "meine meinen meinem meiner meines wir uns unser unsere unseren es gibt was welche welcher "
        "welches welchen welchem für auf in im am an bei beim zu zum zur bitte genau denn "
        "eigentlich mal hat habe haben dass"
    ),
    negations=_words(
        "nicht kein keine keinen keinem keiner keines nie niemals niemand nichts ohne weder"
    ),
    auxiliaries=_words(
        "ist sind bin hat habe haben kann können darf dürfen muss müssen wird werden gibt"
    ),
    joints=_words("für in im bei"),
    same={},
)

ANY = QuestionWords(
    openings=re.compile(""),
    asks=(),
    passed_over=frozenset(),
    negations=frozenset(),
    auxiliaries=frozenset(),
    joints=frozenset(),
    same={},
)
"""Of a language that is not known: all words have to agree."""
