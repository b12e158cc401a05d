"""Lines that sign for somebody: a name and the office that is held, "Dr. Ada Prentice, Chair"."""

import re

_TITLES = r"(?:(?:Dr|Prof|Dipl|Ing|Mr|Mrs|Ms|Herr|Frau|Sir|Dame|Rev|med|jur|phil)\b\.?[ -]?)*"
_NAME = (
    r"[A-ZÄÖÜ](?:[^\W\d_]+(?:['’-][^\W\d_]+)*|\.)"
    r"(?:[ -](?:von|van|de|der|zu|[A-ZÄÖÜ]\.|(?=[A-ZÄÖÜ])[^\W\d_'’]{2,}))+"
)
# What an office is called ends alike in both languages, or is one of these.
_OFFICE = (
    r"head|chair|chief|dean|mayor|vicar|clerk|warden|principal|representative|vorstand|vorsitz|"
    r"leitung|vertretung|rektorat|beauftragte[nr]?|vorsitzende[nr]?|"
    r"\w{2,}(?:er|or|ist|ant|ent|man|woman|ary|erin|orin|istin|antin|entin)"
)
_SIGNATURE = re.compile(
    rf"{_TITLES}(?P<name>{_NAME})(?:, *| *[–—] *| *\()"
    rf"(?P<office>(?:[^\W\d_]+[ -]){{0,5}}?\b(?i:{_OFFICE})\b(?:[ -][^\W\d_]+){{0,5}})\)?"
)
LONGEST = 80
"""Characters of a line that signs."""


def office_of(line: str) -> str:
    """The office that a line names behind somebody's name; empty where it signs for nobody."""
    if len(line) > LONGEST:
        return ""
    found = _SIGNATURE.fullmatch(line.strip())
    return found["office"] if found else ""
