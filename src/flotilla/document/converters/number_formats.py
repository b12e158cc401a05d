"""Numbers and dates of a spreadsheet as its cells show them."""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
GENERAL_DIGITS = 11
"""Digits of a number in a cell that is not formatted (as Excel shows it in a wide column)."""
MOST_DECIMALS = 30
LONGEST_FORMAT = 255
"""Characters of a format's code, as Excel has it."""
# The short date of the reader's country, and that with the time: nobody can tell which is meant.
LOCAL_DATES = frozenset(("mm-dd-yy", "m/d/yy h:mm", "m/d/yy", "m/d/yyyy"))
# Colours, conditions and calendars; the currency of "[$€-407]" is shown.
BRACKETS = re.compile(r"\[(?!\$|h+\]|m+\]|s+\])[^\]]*\]|\[\$-[^\]]*\]", re.IGNORECASE)
DATE_TOKEN = re.compile(
    r'"[^"]*"|\\.|_.|\*.|\[\$([^\]-]*)[^\]]*\]|\[h+\]|AM/PM|A/P|y+|m+|d+|h+|s+(?:\.0+)?|.',
    re.IGNORECASE | re.DOTALL,
)
DIGITS = re.compile(r"[#0?][#0?,. ]*")
# Places for digits with a literal in between, as of telephone numbers.
MASK = re.compile(r"[#0?][^#0?]*[^#0?.,\s][^#0?]*[#0?]|[#0] +[#0]")
NO_MASK = re.compile("[.,/%E]", re.IGNORECASE)
LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)[^\]]*\]|_(.)|\*(.)', re.DOTALL)


def shown(value: object, number_format: str) -> str:
    """What a cell shows; "" for an empty one.

    Args:
        value: as openpyxl reads it.
        number_format: the format's code (ECMA-376, 18.8.31). What is beyond the usual codes shows
            as a number does that is not formatted, and a date as ISO 8601 has it.
    """
    if value is None:
        return ""
    if len(number_format) > LONGEST_FORMAT:
        number_format = "General"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return _number(value, number_format)
    if isinstance(value, (datetime, date, time)):
        return _moment(value, number_format)
    if isinstance(value, timedelta):
        return _duration(value)
    return str(value)


def _number(value: float, number_format: str) -> str:
    if number_format in ("", "General", "@"):
        return _general(value)
    sections = _sections(number_format)
    code, negative = sections[0], value < 0
    if negative and len(sections) > 1 and sections[1].strip():
        code, value, negative = sections[1], -value, False
    elif value == 0 and len(sections) > 2 and sections[2].strip():
        code = sections[2]
    plain = LITERAL.sub(lambda found: "\0" * len(found[0]), code)
    digits = DIGITS.search(plain)
    if float(value).is_integer() and MASK.search(plain) and not NO_MASK.search(plain):
        return f"{'-' if negative else ''}{_masked(value, code, plain)}".strip()
    if digits is None:
        text = _literals(code).strip()
        return text if text and "general" not in text.lower() else _general(value)
    pattern = digits[0].rstrip()
    if "/" in plain or "E" in plain.upper():
        return (
            f"{value:.{_decimals(pattern)}e}".upper() if "E" in plain.upper() else _general(value)
        )
    if "%" in plain:
        value *= 100
    while pattern.endswith(","):
        pattern, value = pattern[:-1], value / 1000
    grouped = "," if "," in pattern.partition(".")[0] else ""
    written = f"{abs(value):{grouped}.{_decimals(pattern)}f}"
    zeros = pattern.partition(".")[0].count("0")
    if not grouped and len(written.partition(".")[0]) < zeros <= MOST_DECIMALS:
        written = written.zfill(zeros + len(written) - len(written.partition(".")[0]))
    before, behind = code[: digits.start()], code[digits.start() + len(digits[0].rstrip()) :]
    return f"{'-' if negative else ''}{_literals(before)}{written}{_literals(behind)}".strip()


def _masked(value: float, code: str, plain: str) -> str:
    """A whole number whose digits have their places among literals; the first place takes what is
    left of them."""
    rest = str(abs(int(value)))
    places = [at for at, char in enumerate(plain) if char in "#0?"]
    parts: list[str] = []
    end = len(code)
    for at in reversed(places):
        parts.append(_literals(code[at + 1 : end]))
        first = at == places[0]
        taken = rest if first else rest[-1:]
        rest = "" if first else rest[:-1]
        parts.append(taken or ("0" if plain[at] == "0" else ""))
        end = at
    parts.append(_literals(code[:end]))
    return "".join(reversed(parts))


@lru_cache(maxsize=512)
def _sections(number_format: str) -> tuple[str, ...]:
    """The parts for positive and negative numbers and for zero."""
    code = BRACKETS.sub("", number_format)
    return tuple(re.findall(r'((?:"[^"]*"|\\.|[^;"\\])*)(?:;|$)', code, re.DOTALL)) or (code,)


def _literals(code: str) -> str:
    def spelt(found: re.Match[str]) -> str:
        if found[4] or found[5]:
            return " " if found[4] else ""  # a gap as wide as a character, and what fills a cell
        return found[1] or found[2] or found[3] or ""

    return LITERAL.sub(spelt, code)


def _decimals(pattern: str) -> int:
    """How many decimals a pattern shows; those that it need not show are shown."""
    return min(sum(char in "0#?" for char in pattern.partition(".")[2]), MOST_DECIMALS)


def _general(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    text = f"{value:.{GENERAL_DIGITS}g}"
    if "e+" in text and abs(value) < 10**15:
        return f"{value:.0f}"
    return text


def _moment(value: date | time, number_format: str) -> str:
    code = _sections(number_format)[0]
    if code.strip().lower() in LOCAL_DATES or not re.search(r"[ymdhs]", code, re.IGNORECASE):
        return _iso(value)
    tokens = [found[0] for found in DATE_TOKEN.finditer(code)]
    halves = any(token.upper() in ("AM/PM", "A/P") for token in tokens)
    written = []
    for at, token in enumerate(tokens):
        text = _field(value, token, _is_minutes(tokens, at), halves)
        if text is None:
            return _iso(value)
        written.append(text)
    return "".join(written).strip()


def _is_minutes(tokens: list[str], at: int) -> bool:
    """Whether `m` is minutes: it is beside hours or seconds."""
    if tokens[at][:1].lower() != "m":
        return False
    fields = [
        (place, token[:2].lower()) for place, token in enumerate(tokens) if token[0].isalpha()
    ]
    places = [place for place, _ in fields]
    mine = places.index(at)
    before = fields[mine - 1][1] if mine else ""
    behind = fields[mine + 1][1] if mine + 1 < len(fields) else ""
    return before.startswith("h") or behind.startswith("s") or tokens[at - 1 : at] == ["[h]"]


def _field(value: date | time, token: str, minutes: bool, halves: bool) -> str | None:
    """A token of a date's format; None where the value has no such part."""
    kind, width = token[0].lower(), len(token)
    if not token[0].isalpha():
        return _literals(token)
    if token.upper() in ("AM/PM", "A/P"):
        return "PM" if getattr(value, "hour", 0) >= 12 else "AM"
    if kind in "hs" or minutes:
        if not isinstance(value, (datetime, time)):
            return "00"
        hour = (value.hour - 1) % 12 + 1 if halves else value.hour
        number = {"h": hour, "m": value.minute, "s": value.second}[kind]
        return f"{number:02}" if width > 1 else str(number)
    if isinstance(value, time) or kind not in "ymd":
        return None if isinstance(value, time) else token
    if kind == "y":
        return f"{value.year:04}" if width > 2 else f"{value.year % 100:02}"
    number = value.month if kind == "m" else value.day
    if width < 3:
        return f"{number:02}" if width == 2 else str(number)
    name = MONTHS[value.month - 1] if kind == "m" else DAYS[value.weekday()]
    if width == 5:
        return name[0]
    return name[:3] if width == 3 else name


def _iso(value: date | time) -> str:
    if isinstance(value, time):
        return value.isoformat("minutes" if not value.second else "seconds")
    if isinstance(value, datetime):
        if value.time() == time():
            return value.date().isoformat()
        return value.isoformat(" ", "minutes" if not value.second else "seconds")
    return value.isoformat()


def _duration(value: timedelta) -> str:
    seconds = round(value.total_seconds())
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
