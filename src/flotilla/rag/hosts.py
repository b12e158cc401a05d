"""Web addresses without a scheme that is known: `name.example/x`, `//name.example/x`, `1.2.3.4/x`.

Many programs make links of these when they show a text. Names of files, of products and of methods
look alike, so that more is asked of a name without a path than of one with it. A mere mail address
is none.

Every pattern is bounded, since each is looked for again with every piece that comes.
"""

import re
from collections.abc import Iterable
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
_BEGINS = r"(?<![^\W_])"
# Where a word begins; the marks before its first letter may be those of bold words.
_EDGE = rf"(?<![{_WORD}])[._+%-]{{0,9}}+"
_SLASHED = r"(?<![:/\w\\])/"

BARE = (
    rf"{_BEGINS}(?:[a-z][a-z\d]{{0,15}})?://{_REST}{_TAIL}|"
    rf"{_SLASHED}/(?=[\w-]{{1,63}}[.:/]){_TAIL}|"
    rf"{_EDGE}(?P<at>{_USER}(?:{_NAMED}|{_NUMBERED})|{_ALONE})"
)
"""Such an address; `at` is where it begins, unless it begins with the match."""

BARE_BEGUN = (
    rf"{_BEGINS}(?:[a-z][a-z\d]{{0,15}}:?|:)(?:(?<=:)/(?:/{_TAIL})?)?|"
    rf"{_SLASHED}(?:/(?:[\w-]{{0,63}}(?:[.:/]{_TAIL})?)?)?|"
    rf"(?<![{_WORD}])[{_WORD}]{{1,800}}+(?::\d{{0,5}})?|"
    rf"{_EDGE}{_USER}(?:{_LABELS}(?:{_TELLS})|{_FOUR}){_PORT}[/\\?#]{_TAIL}"
)
"""What may still become one with what comes next, up to the end of the text."""

OPENING = rf"(?<![{_WORD}])[{_WORD}]|{_BEGINS}(?:[a-z]|:)|{_SLASHED}"
"""Where one may begin."""

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
    found = re.compile(rf"(?<![\w-]){re.escape(address)}", flags)
    return any(found.search(text) for text in texts)
