"""What a sentence must have to answer some questions at all: a figure, an amount, a name."""

import re

from flotilla.rag.extractive.candidates import Candidate
from flotilla.rag.text.sentences import Kind
from flotilla.rag.text.terms import terms

LACKS, NAMES = 0.7, 1.2
"""Factors of a sentence's score that lacks what nothing else can replace, and that names somebody
where it is asked who does something."""

HAS_FIGURE = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|"
    r"fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|"
    r"ninety|hundred|thousand|million|half|noon|midnight|free|nothing|"
    r"zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|kostenlos|nichts)\b",
    re.IGNORECASE,
)
# What is "far" or "long" may be told in other words, and what is free of charge is.
_NEEDS_FIGURE = re.compile(
    r"\b(?:how (?:many|old|big|large|heavy|high|tall|wide|deep|much (?:does|do|did|is|are|was))|"
    r"wie (?:viele|alt|groß|hoch|schwer|breit|tief)|wieviele)\b",
    re.IGNORECASE,
)
_NEEDS_SIZE = re.compile(
    r"\b(?:how (?:big|large|heavy|high|tall|wide|deep)|wie (?:groß|hoch|schwer|breit|tief))\b",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_MONEY_WORD = (
    r"(?:deposit|fees?|prices?|costs?|fine|charges?|rent|premium|penalty|excess|fare|kaution|miete|"
    r"strafe|[^\W\d_]*gebühr(?:en)?|[^\W\d_]*preis|[^\W\d_]*kosten)"
)
_NEEDS_AMOUNT = re.compile(
    rf"\bwhat (?:is|are|was|will be) (?:the|your|my|a) (?:[\w-]+ ){{0,3}}?{_MONEY_WORD}\b|"
    r"\b(?:how much|what) (?:do|does|did|will|would|must|should)\b[^?.]*?\b(?:costs?|charge)\b|"
    r"\bhow much (?:do|does|will|must|should) (?:i|we|you|one|it|he|she|they|a \w+|the \w+)"
    r"(?: have to)? pay\b|"
    rf"\b(?:was|wie ?viel) kostet\b|\bwie (?:teuer|hoch (?:ist|sind)[^?.]*?\b{_MONEY_WORD})\b",
    re.IGNORECASE,
)
_HAS_AMOUNT = re.compile(
    r"[£$€¥]\s?\d|\d\s?(?:€|%|EUR|GBP|USD|CHF|p\b|per ?cent|percent|euros?|pounds?|pence|dollars?|"
    r"cents?|francs?|prozent)|\b(?:free|nothing|no (?:\w+ ){0,2}(?:charge|fees?|costs?|deposit)|"
    r"without (?:\w+ )?charge|includes?|included|half|double|quotation|per ?cent|kostenlos|"
    r"kostenfrei|gratis|umsonst|unentgeltlich|inbegriffen|nichts|keine?[nr]? \w+)\b|"
    r"\b(?:pounds|euros?|pence|dollars)\b",
    re.IGNORECASE,
)
_NEEDS_RATE = re.compile(
    r"\b(?:interest|tax|vat|percentage|discount) rates?\b|\brates? of (?:interest|tax)\b|"
    r"\b(?:what|which) (?:percentage|per ?cent|apr)\b|\bapr\b|\b(?:zinssatz|prozentsatz)\b|"
    r"\bwie viel prozent\b|\bwie hoch (?:ist|sind) (?:der|die) \w*zins\w*",
    re.IGNORECASE,
)
_HAS_RATE = re.compile(
    r"\d\s?%|\b(?:per ?cent|percent|prozent)\b|\b\w+ in (?:ten|a hundred)\b", re.IGNORECASE
)

_WHO_IS = (
    r"who (?:is|are|was) (?:the|your|our|its|my|their|head|in charge)\b"
    r"(?![^?]*\b(?:for|by|to|at|with|allowed|covered|insured|eligible|entitled|open|free)\W*$)"
)
_NEEDS_NAME = re.compile(
    rf"\bnames? of\b|^\W*(?:{_WHO_IS}|who (?:won|wrote|founded|invented|built|designed|owns)|"
    r"wer (?:gewann|schrieb|gründete|erfand|baute)|wie hei(?:ß|ss)(?:t|en))\b",
    re.IGNORECASE,
)
_INNER_NAME = re.compile(
    r"(?<=[^\W_][\s,(])\W?(?!I\b|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|"
    r"(?:Jan|Febr)uary|March|April|May\b|June|July|August|(?:Septem|Octo|Novem|Decem)ber)"
    r"[A-ZÄÖÜ][^\W\d_]+|(?<=:\s)[A-ZÄÖÜ][^\W\d_]+"
)
_WHO_DOES = re.compile(
    r"^\W*who (?!(?:is|are|was|were|can|may|must|could|should|has|have)\b)\w+", re.IGNORECASE
)
_PERSON = re.compile(r"(?<=[^\W_][\s,(])\W?[A-Z][a-z]+ [A-Z][a-z]+")

_ASKS_PRICE = re.compile(r"\b(?:costs?|price)\b|\bkostet\b|\bpreis\b", re.IGNORECASE)
# What is called so is no price, whatever has to be paid.
_NAMED_OTHERWISE = re.compile(
    r"\b(?P<name>excess|commission|fine|refund|discount|reward|bonus|compensation|salary|wage)s? "
    r"(?:of|is|are|:) (?:up to )?[£$€]?\d|-[£$€]\d",
    re.IGNORECASE,
)
_ALTERS = re.compile(
    r"\b(?:adds?|deduct(?:s|ed)?|raises?|lowers?|reduces?|reduced|saves?|valuation|erhöht|"
    r"mindert|spart)\b",
    re.IGNORECASE,
)
_PRICED = re.compile(
    r"\b(?:costs?|prices?d?|fees?|charge[sd]?|pays?|paid|hired?|kostet|kosten|preise?|gebühr)\b",
    re.IGNORECASE,
)


def lacks_figure(question: str, sentence: str) -> bool:
    """Whether nothing but a figure would answer, and a sentence has none: "How old is she?". A year
    tells no size."""
    if _NEEDS_SIZE.search(question):
        sentence = _YEAR.sub(" ", sentence)
    return bool(_NEEDS_FIGURE.search(question)) and not HAS_FIGURE.search(sentence)


def lacks_name(question: str, sentence: str) -> bool:
    """Whether nothing but a name would answer, and a sentence has none beside the question's own:
    "What are the names of the lenders?"."""
    if not _NEEDS_NAME.search(question):
        return False
    asked = set(terms(question))
    large = (match.group() for match in _INNER_NAME.finditer(sentence))
    return all(set(terms(word)) <= asked for word in large)


def lacks_amount(question: str, candidate: Candidate) -> bool:
    """Whether it is asked for a price, a fee or the like, or for a rate, and a sentence tells none;
    a table may name the currency above its figures."""
    told = candidate.explained
    if candidate.sentence.kind is Kind.ROW and re.search(r"\d", candidate.sentence.text):
        return False
    if _NEEDS_RATE.search(question):
        return not _HAS_RATE.search(told)
    return bool(_NEEDS_AMOUNT.search(question)) and not _HAS_AMOUNT.search(told)


def tells_no_price(question: str, candidate: Candidate) -> bool:
    """Whether it is asked what something costs, and a sentence tells another amount: an excess, a
    commission, or what something adds to a value."""
    if not _ASKS_PRICE.search(question):
        return False
    shown = candidate.sentence.shown
    named = _NAMED_OTHERWISE.search(shown)
    if named is not None:
        return named["name"] is None or named["name"].casefold() not in question.casefold()
    told = f"{candidate.sentence.heading}\n{shown}"
    return bool(_ALTERS.search(told) and not _ALTERS.search(question) and not _PRICED.search(shown))


def need_fit(question: str, candidate: Candidate) -> float:
    """`LACKS` where a sentence has not what nothing else can replace, `NAMES` where it names
    somebody and it is asked who does something, else 1."""
    shown = candidate.sentence.shown
    if lacks_amount(question, candidate) or tells_no_price(question, candidate):
        return LACKS
    if lacks_name(question, shown):
        return LACKS
    named = _WHO_DOES.search(question) and _PERSON.search(candidate.explained)
    return NAMES if named else 1.0
