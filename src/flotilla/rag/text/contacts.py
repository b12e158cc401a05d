"""How somebody is reached: telephone numbers, addresses, and the questions that ask for them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

LONGEST_LINE = 60
"""Characters of a line of an address."""

FEWEST_LINES, MOST_LINES = 2, 6
"""Lines of an address."""

_STREET = re.compile(r"\d+[a-z]?(?:[-–/]\d+[a-z]?)?,? +[A-ZÄÖÜ]|[A-ZÄÖÜ].* \d+[a-z]?(?:[-–/]\d+)?")
_POSTCODE = re.compile(
    r"\b[A-Z]{1,2}\d[A-Z\d]? +\d[A-Z]{2}\b|\b[A-Z]{2} +\d{5}\b|(?<![\d.,])\d{4,5} +[A-ZÄÖÜ][^\W\d_]"
)
_NO_LINE = re.compile(r".*[.!?:;…]$|.*\S(?:\t| {3,})\S|.*\||[-*+•#=]|[^.!?:]{1,40}:\s", re.DOTALL)
_TITLE = re.compile(
    r"\W*(?:(?:our |postal |unsere )?address|anschrift|adresse|contact|kontakt)\W*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Contact:
    """A way to reach somebody: how it is asked for, what it looks like, and what a line that has
    it is called; the last is None where its look is enough."""

    asked: re.Pattern[str]
    look: re.Pattern[str]
    label: re.Pattern[str] | None = None


_EMAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_PHONE_NUMBER = (
    r"(?<![\d£$€.,-])(?:\+|\(?0)\d[\d ()/.-]{5,}\d|(?<![\d£$€.,-])\d{3}[ -.]\d{3}[ -.]\d{4}"
)
# A label, a gap, and nothing behind the value: what has more is a table's row.
_LINE = re.compile(
    rf"(?:[^\W\d_][^\d@|:;\t]{{0,30}}?(?: *[:\t] *| +))?(?:{_PHONE_NUMBER}|{_EMAIL}|"
    r"(?:https?://|www\.)\S+)"
)
# "Bracken Ltd, 19 Foundry Lane, Oldbury OB2 1RR"
_IN_LINE = re.compile(
    r"(?:[A-ZÄÖÜ][^\d,;:|\t]+, )?(?:\d+[a-z]?,? [A-ZÄÖÜ][^\d,;:|]+|[A-ZÄÖÜ][^\d,;:|]+ \d+[a-z]?),"
    r"(?: [^\t|:;,]+,?){1,3}"
)
POSTAL = Contact(
    re.compile(
        r"\b(?:postal )?(?:address|adresse|anschrift)\b|\bpostcode|\bpostleitzahl|"
        r"\bwhere(?: is| are|['’]s)\b|\bwo (?:ist|sind|liegt|befindet)\b",
        re.IGNORECASE,
    ),
    re.compile(rf"(?=.*(?:{_POSTCODE.pattern})).*(?:{_STREET.pattern})", re.DOTALL),
)
_CONTACTS = (
    Contact(
        re.compile(r"\bfax\w*", re.IGNORECASE),
        re.compile(_PHONE_NUMBER),
        re.compile(r"\bfax\b", re.IGNORECASE),
    ),
    Contact(
        re.compile(r"\b(?:mobile|handy|mobil)\w*", re.IGNORECASE),
        re.compile(_PHONE_NUMBER),
        re.compile(r"\b(?:mobil|handy)", re.IGNORECASE),
    ),
    Contact(
        re.compile(r"\be-?mail\w*", re.IGNORECASE), re.compile(_EMAIL)
    ),
    Contact(
        re.compile(
            r"\b(?:tele)?phone\w*|\btelefon\w*|\brufnummer|\b(?:call|ring) (?:you|the)\b|"
            r"\banrufen|\bwhat number (?:do|can|should)\b|\b(?:emergency|hotline|notruf) ?number\b|"
            r"\bnotrufnummer|\bwhat(?: is|['’]s) the (?:\w+ )?number (?:for|to)\b",
            re.IGNORECASE,
        ),
        re.compile(_PHONE_NUMBER),
        re.compile(
            r"^(?!.*\b(?:fax|(?:company|registration|registered|account|customer|order|policy|vat|"
            r"tax|licen[cs]e|serial|reference|invoice|crime) (?:number|no\.))\b)",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
    Contact(
        re.compile(
            r"\b(?:website|web ?page|homepage|internetseite|web ?seite)\b", re.IGNORECASE
        ),
        re.compile(r"https?://|\bwww\.\w"),
    ),
    Contact(
        re.compile(
            r"\b(?:contact|reach|get in touch with) (?:you|the)\b|\bcontact details\b|"
            r"\berreiche|\bkontakt",
            re.IGNORECASE,
        ),
        re.compile(rf"{_PHONE_NUMBER}|{_EMAIL}"),
    ),
    POSTAL,
)  # fmt: skip


@lru_cache(maxsize=256)
def asked_contact(question: str) -> Contact | None:
    """The way to reach somebody that a question asks for; None where it asks for none."""
    return next((contact for contact in _CONTACTS if contact.asked.search(question)), None)


def has(contact: Contact, text: str) -> bool:
    """Whether a line has it."""
    labelled = contact.label is None or contact.label.search(text)
    return bool(labelled and contact.look.search(text))


def is_contact(line: str) -> bool:
    """Whether a line is a telephone number, an e-mail address or the like, with or without its
    name, or a postal address."""
    return bool(_LINE.fullmatch(line)) or (
        "," in line and _POSTCODE.search(line) is not None and _IN_LINE.fullmatch(line) is not None
    )


def address(lines: Sequence[str]) -> tuple[int, int] | None:
    """Which of the first lines are a postal address, from the one to before the other; None where
    they are none.

    Its lines are short and open, one has a street's number and another a postcode. A title above
    it, which may be less indented, is not part of it.
    """
    end = 0
    while end < min(len(lines), MOST_LINES + 1):
        line = lines[end].strip()
        if not line or len(line) > LONGEST_LINE or _NO_LINE.match(line):
            break
        end += 1
    start = 0
    if end > 1 and (_TITLE.fullmatch(lines[0]) or _indent(lines[0]) < _indent(lines[1])):
        start = 1
    inside = [line.strip() for line in lines[start:end]]
    if not FEWEST_LINES <= len(inside) <= MOST_LINES:
        return None
    coded = [line for line in inside if _POSTCODE.search(line)]
    street = [line for line in inside if _STREET.fullmatch(line) or _STREET.match(line)]
    if len(coded) != 1 or not any(line not in coded for line in street):
        return None
    # What comes behind the line with the postcode is at most a country.
    end = min(end, start + inside.index(coded[0]) + 2)
    return start, end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
