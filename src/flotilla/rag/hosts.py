"""Web addresses without a scheme that is known: `name.example/x`, `//name.example/x`, `1.2.3.4/x`.

Many programs make links of these when they show a text. Names of files, of products and of methods
look alike, so that more is asked of a name without a path than of one with it. A mere mail address
is none.

A word that is given cannot be taken back, and none is held back for what may follow it: so the
first label of a name that is left out stays, and what makes it an address goes.

Every pattern is bounded, since each is looked for again with every piece that comes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape

_LONGEST = 2000
"""Characters of a path, as of an address that has a scheme."""

_REST = r"[^\s<>\"'`]"
_WORD = r"\w.+%@-"
_LABELS = r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,9}"
# Endings of names of files are left out where a country has them as well.
_COUNTRY = (
    r"(?!js|ts|py|rb|rs|go|md|sh|cs|pl|kt|vb|so|ps|db|gz|cc|hs|mm|ml|tf)(?-i:[a-z]{2})(?![^\W\d_])"
)
_KNOWN = (
    r"(?:com|org|(?!(?-i:NET))net|info|biz|edu|gov|mil|int|arpa|dev|app|xyz|site|online|shop|store|"
    r"blog|cloud|tech|page|link|live|news|club|pro|top|web|website|space|world|agency|email|"
    r"example|test|invalid|local|internal|onion|museum|travel|xn--[a-z\d-]{1,59})(?![\w-])"
)
_TELLS = r"[^\W\d_]{2,24}|xn--[a-z\d-]{1,59}"
_PORT = r"\.?(?::\d{1,5})?"
_TAIL = rf"{_REST}{{0,{_LONGEST}}}+"
_PATH = rf"(?:[/\\]|[?#]\w){_TAIL}"
_QUERY = rf"(?:/[^\s<>\"'`?]{{0,500}}+)?\?[^\s<>\"'`=]{{1,200}}+={_TAIL}"
_NAMED = rf"{_LABELS}(?:(?:{_KNOWN}|{_COUNTRY}){_PORT}{_PATH}|(?:{_TELLS}){_PORT}{_QUERY})"
_FOUR = r"\d{1,3}(?:\.\d{1,3}){3}"
# 10.0.0.0/8 is a range of addresses.
_NUMBERED = rf"{_FOUR}(?!/\d{{1,2}}(?![\w/?#])){_PORT}{_PATH}"
_ALONE = (
    rf"{_LABELS}(?:(?:com|org|(?!(?-i:NET))net|biz|edu|gov)|"
    r"(?:co|com|org|net|ac|gov|edu)\.(?-i:[a-z]{2}))(?![\w@-]|\.\w)\.?"
)
_USER = rf"(?:[{_WORD}]{{1,100}}@)?"
_SLASHED = r"(?<![:/\w\\])/"
# The marks before its first letter may be those of bold words.
_NAME = re.compile(
    rf"[._+%-]{{0,9}}+(?P<at>{_USER}(?:{_NAMED}|{_NUMBERED})|{_ALONE})", re.IGNORECASE
)
_WORD_BEFORE = re.compile(rf"(?<![{_WORD}])[{_WORD}]*\Z")
_DOT = r"(?<=[\w%+-])\."

BEFORE = 100
"""Characters before the first dot of a name that are looked at."""

BARE = rf"://{_REST}{_TAIL}|{_SLASHED}/(?=[\w-]{{1,63}}[.:/]){_TAIL}"
"""Such an address from its slashes on, whatever the scheme before them."""

BARE_BEGUN = (
    rf":(?:/(?:/{_TAIL})?)?|"
    rf"{_SLASHED}(?:/(?:[\w-]{{0,63}}(?:[.:/]{_TAIL})?)?)?|"
    rf"{_DOT}[{_WORD}]{{0,800}}+(?::\d{{0,5}}|(?::\d{{1,5}})?[/\\?#]{_TAIL})?"
)
"""What may still become one, or a name from its first dot on, up to the end of the text."""

OPENING = rf"{_DOT}|:(?=//)|{_SLASHED}"
"""Where one may begin, or go on behind its first dot."""


@dataclass(frozen=True, slots=True)
class Name:
    """An address that begins with a name; what stands before its first dot has been given."""

    address: str
    first: int
    last: int

    def start(self) -> int:
        """Where its first dot stands."""
        return self.first

    def end(self) -> int:
        """Where it ends."""
        return self.last


def name_at(text: str, dot: int) -> Name | None:
    """The address of which this is the first dot; None where there is none."""
    if text[dot] != ".":
        return None
    before = _WORD_BEFORE.search(text, max(0, dot - BEFORE), dot)
    if before is None:
        return None
    found = _NAME.match(text, before.start())
    if found is None or found.start("at") >= dot:
        return None
    return Name(found["at"], dot, found.end())


_ENTITY = re.compile(
    r"&(?:#(?:x0{0,5}(?P<hex>[\da-f]{1,2})|0{0,5}(?P<number>\d{1,3}))|"
    r"(?P<name>colon|sol|period|quest|num|commat|equals|lowbar|percnt));",
    re.IGNORECASE,
)
_ENTITY_BEGUN = re.compile(r"&(?:#(?:x[\da-f]{0,7}|\d{0,8})?|[a-z]{0,6})?\Z", re.IGNORECASE)
_PLAIN = re.compile(r"[a-z\d:/.?#@=%_-]", re.IGNORECASE)


class PlainCharacters:
    """Takes a text as it comes and gives it with the characters that addresses consist of as
    themselves, where entities of HTML stand for them; what tags consist of stays as it is."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """What of the text up to here was not given before; the beginning of an entity is held."""
        text = self._held + piece
        begun = _ENTITY_BEGUN.search(text, max(0, len(text) - 20))
        end = len(text) if begun is None else begun.start()
        self._held = text[end:]
        return _ENTITY.sub(_plain, text[:end])

    def finish(self) -> str:
        """What was held back, now that the text has ended."""
        text, self._held = self._held, ""
        return text


def _plain(entity: re.Match[str]) -> str:
    if entity["name"]:
        return unescape(entity.group().lower())
    character = chr(int(entity["hex"], 16) if entity["hex"] else int(entity["number"]))
    return character if _PLAIN.fullmatch(character) and character.isascii() else entity.group()


def is_told(address: str, texts: Iterable[str]) -> bool:
    """Whether one of the texts has an address, not as the end of another name; a name alone is the
    same in capitals."""
    flags = re.NOFLAG if "/" in address else re.IGNORECASE
    begins = r"" if address[:1] in ":/" else r"(?<![\w-])"
    found = re.compile(begins + re.escape(address), flags)
    return any(found.search(text) for text in texts)
