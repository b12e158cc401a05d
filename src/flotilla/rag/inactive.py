"""Answers on their way out: nothing in them is loaded or followed when they are shown as Markdown.

Images become their descriptions, also those that are links. Tags of HTML go that load or lead
somewhere by their name, and all that have attributes, which may load or run anything; a bare
`<pod>` stays. A web address stays, as plain text, where it stands word for word in a text that is
vouched for: a passage that the answer rests on. Any other was made up, and may carry what was read
away with it: an ellipsis takes its place, so that no empty brackets are left. An address needs no
scheme for that (`hosts`).

Every pattern is bounded, since each is looked for again with every piece that comes.
"""

import re
from collections.abc import Iterable

from flotilla.rag.hosts import (
    BARE,
    BARE_BEGUN,
    BEFORE,
    OPENING,
    Name,
    PlainCharacters,
    is_told,
    name_at,
)
from flotilla.rag.untrusted import visible

LABEL, DESTINATION = 300, 2000
"""Characters of a label and of an address; what is longer is no link, and is held back no longer
while it is being written."""

_SCHEME = r"(?:(?:https?|ftp|file)://|data:\w{1,20}/|javascript:|vbscript:|www\.(?=\w))"
_NAMES = (
    "(?:img|image|a|iframe|script|style|link|object|embed|svg|video|audio|source|picture|form|"
    "input|button|meta|base|area|map|frame|frameset|track|body|textarea|title|plaintext|applet)"
)
# Within a tag; a tag that an empty line ends is none.
_BLANK_LINE = r"\n[ \t]{0,99}\n"
_TO_VALUE = rf"(?:[^<>=\n]|(?!{_BLANK_LINE})\n){{0,{DESTINATION}}}+"
_FROM_VALUE = rf"=(?:[^>\n]|(?!{_BLANK_LINE})\n){{0,{DESTINATION}}}+"
# What a line may begin with before a definition: the marks of quotes and lists.
_MARGIN = r"^[ \t>*+\-\d.)]{0,20}"
_LABEL = rf"[^\]\n]{{0,{LABEL}}}+"
_INSIDE = rf"[^)\n]{{0,{DESTINATION}}}+"
# With a pair of round brackets in it, as some addresses have one.
_BEFORE_PAIR = rf"[^()\n]{{0,{DESTINATION}}}+\([^()\n]{{0,{LABEL}}}+"
_PAIRED = rf"{_BEFORE_PAIR}\)[^()\s]{{0,{LABEL}}}+"
_NO_NUMBER = r"(?!\d{1,3}\])"  # a citation, which is given at once
_BEGINS = r"(?<![^\W_])"
_LEADS = re.compile(r"(?:(?:https?|ftp)://|mailto:|www\.)\S", re.IGNORECASE)

# The foremost that matches at a place counts; nothing that is made of one is looked at again.
_TOKEN = re.compile(
    rf"(?P<definition>{_MARGIN}\[{_NO_NUMBER}{_LABEL}\]:"
    rf"(?=[ \t]{{0,99}}<?(?:\w{{2,10}}:|//|/|www\.)\S)[^\n]{{0,{DESTINATION}}}\n?)|"
    rf"(?P<linked_image>\[!\[(?P<linked_alt>{_LABEL})\]\({_INSIDE}\)\]\({_INSIDE}\))|"
    rf"(?P<image>!\[(?P<alt>{_LABEL})\](?:\((?:{_PAIRED}(?=\))|{_INSIDE})\)|\[{_LABEL}\]))|"
    rf"(?P<link>\[{_NO_NUMBER}(?P<label>{_LABEL})\]\((?P<target>{_PAIRED}(?=\))|{_INSIDE})\))|"
    rf"(?P<aside>\([ \t]{{0,99}}<?(?P<inner>{_SCHEME}{_INSIDE})\))|"
    rf"(?P<autolink><(?P<linked>(?:https?|mailto):[^\s>]{{1,{DESTINATION}}}+)>)|"
    rf"(?P<tag></?[a-z]{_TO_VALUE}{_FROM_VALUE}>|</?{_NAMES}\b[^>\n]{{0,{DESTINATION}}}+>?)|"
    rf"(?P<bare><(?=/?[a-z][^<>=:(!\[\n]{{0,{DESTINATION}}}+>))|(?P<bracket><(?=/?[a-z]))|"
    rf"(?P<address>{_BEGINS}{_SCHEME}[^\s<>\"'`]{{0,{DESTINATION}}}+)|"
    rf"(?P<host>{BARE})",
    re.IGNORECASE | re.MULTILINE,
)


def _beginnings(*words: str) -> str:
    """A pattern for all that the words begin with."""
    starts = {word[:length] for word in words for length in range(1, len(word) + 1)}
    return "|".join(sorted(map(re.escape, starts), key=lambda start: (-len(start), start)))


_SCHEMES = _beginnings(
    "https://", "http://", "ftp://", "file://", "javascript:", "vbscript:", "www."
)
_SCHEME_BEGUN = rf"(?:{_SCHEMES}|d|da|dat|data|data:\w{{0,20}}/?)"

# What may still become one of them with what comes next.
_OPEN = re.compile(
    rf"(?:{_MARGIN}(?:\[{_NO_NUMBER}{_LABEL}(?:\](?::[^\n]{{0,{DESTINATION}}})?)?)?|"
    rf"!(?:\[{_LABEL}(?:\](?:\((?:{_INSIDE}|{_PAIRED})|\[{_LABEL})?)?)?|"
    rf"\[!\[{_LABEL}\]\({_INSIDE}\)(?:\](?:\({_INSIDE})?)?|"
    rf"\[{_NO_NUMBER}{_LABEL}(?:\](?:\((?:{_INSIDE}|{_PAIRED}))?)?|"
    rf"\([ \t]{{0,99}}<?(?:{_SCHEME_BEGUN}|{_SCHEME}{_INSIDE})?|"
    rf"<(?:/|/?[a-z]{_TO_VALUE}(?:{_FROM_VALUE})?|(?:https?|mailto):[^\s>]{{0,{DESTINATION}}}+|"
    rf"/?{_NAMES}\b[^>\n]{{0,{DESTINATION}}}+)?|"
    rf"{_BEGINS}(?:{_SCHEME_BEGUN}|{_SCHEME}[^\s<>\"'`]{{0,{DESTINATION}}}+)|{BARE_BEGUN})\Z",
    re.IGNORECASE | re.MULTILINE,
)
_LONGEST = 2 * DESTINATION + LABEL + 200  # characters of what `_OPEN` matches
# Where a token may begin.
_START = re.compile(rf"^|[!\[(<]|(?<![^\W_])[hfdjvw]|{OPENING}", re.IGNORECASE | re.MULTILINE)
_ENDS = ".,;:!?)]}*_`"
_OMITTED = "…"
_MARKS, _NOTHING = " \t>*+-.)0123456789", " \t>"
_OPENING, _CLOSING = "(“„\"'{", ".,;!?)}”\"'"


class Deactivation:
    """Takes a text as it comes and gives it without anything active.

    What is given depends on the text so far alone, and not on the pieces in which it came. It is
    held back only as long as it may become a link, an image, a tag or an address.

    Args:
        vouched: texts whose addresses may stay.
    """

    def __init__(self, vouched: Iterable[str] = ()) -> None:
        self._vouched = tuple(vouched)
        self._plain = PlainCharacters()
        self._before = ""  # the characters before what is held
        self._held = ""
        self._last = ""  # the character given last
        self._seam = False  # whether something was left out behind it
        self._hole = False  # and nothing given in its place
        self._begins = True  # whether its line has nothing but marks so far
        self._empty = True  # whether not even those of lists
        self._names = False  # whether a line of the paragraph begins as a link's name does

    def feed(self, piece: str) -> str:
        """What of the text up to here can be given, and was not before."""
        return self._go_on(self._plain.feed(piece), final=False)

    def finish(self) -> str:
        """What was held back, now that the text has ended."""
        return self._go_on(self._plain.finish(), final=True)

    def _go_on(self, piece: str, *, final: bool) -> str:
        text = self._before + self._held + piece
        place = len(self._before)
        given: list[str] = []
        undecided = len(text) if final else _undecided(text, place)
        while (token := _token(text, place, undecided)) is not None:
            given.append(self._given(text[place : token.start()]))
            given.append(self._replaced(token))
            place = token.end()
            if undecided < place:
                undecided = len(text) if final else _undecided(text, place)
        given.append(self._given(text[place:undecided]))
        self._before, self._held = (
            text[max(0, undecided - BEFORE - 1) : undecided],
            text[undecided:],
        )
        return "".join(given)

    def _address(self, address: str, text: str) -> str:
        """What is given in place of an address without a known scheme, or of the rest of one."""
        end = len(address.rstrip(_ENDS))
        if is_told(address[:end], self._vouched):
            return self._given(text)
        return self._given(_OMITTED + address[end:].removeprefix("."))

    def _replaced(self, token: "re.Match[str] | Name") -> str:
        """What is given in a token's place."""
        if isinstance(token, Name):
            return self._address(token.address, token.address[-(token.last - token.first) :])
        text = token.group()
        if token["address"] is not None:
            end = len(text.rstrip(_ENDS))
            if self._is_vouched(text[:end]):
                return self._given(text)
            return self._given(_OMITTED + text[end:].removeprefix("."))
        if token["host"] is not None:
            return self._address(text, text)
        if token["autolink"] is not None:
            address = token["linked"]
            return self._cut(address) if self._is_vouched(address) else self._given(_OMITTED)
        if token["aside"] is not None:
            address = token["inner"].split()[0].rstrip(">")
            if self._is_vouched(address):
                return self._given(text)
            # A citation that was made a link stays one.
            return self._cut("") if self._last == "]" else self._given(f"({_OMITTED})")
        if token["linked_image"] is not None:
            return self._cut(self._inner(token["linked_alt"]))
        if token["image"] is not None:
            return self._cut(self._inner(token["alt"]))
        if token["link"] is not None:
            return self._link(token["label"], token["target"])
        if token["bare"] is not None or token["bracket"] is not None:
            return self._given(text if token["bare"] is not None else f"{text} ")
        return self._cut("")

    def _link(self, label: str, target: str) -> str:
        words = target.split()
        address = words[0].strip("<>") if words else ""
        shown = self._inner(label.removeprefix("!["))
        if address and self._is_vouched(address):
            return self._cut(shown if label == address else f"{shown} ({address})")
        return self._given(_OMITTED) if label == address else self._cut(shown)

    def _inner(self, text: str) -> str:
        return inactive(text, self._vouched)

    def _is_vouched(self, address: str) -> bool:
        return bool(_LEADS.match(address)) and any(address in each for each in self._vouched)

    def _cut(self, text: str, rest: str = "") -> str:
        """Text in the place of something else, which must not become something with what stands
        around it."""
        self._seam = True
        given = self._given(text)
        self._seam = True
        self._hole = not given
        return given + self._given(rest)

    def _given(self, text: str) -> str:
        """The text as it is given; marks that only together are active are kept apart."""
        if not text:
            return ""
        written: list[str] = []
        if self._seam and not _apart(self._last, text[0]):
            written.append(" ")
            self._last = " "
        self._seam = False
        for character in text:
            if self._hole and character in " \t" and not self._last.strip():
                continue  # it is one of two around what was left out
            self._hole = False
            if self._last + character in ("](", "!["):
                written.append(" ")
            if self._last == "]" and character == ":" and self._names:
                continue  # it would say where a link of this name leads
            written.append(character)
            self._last = character
            if character == "\n":
                self._names = self._names and not self._empty
                self._begins = self._empty = True
                continue
            self._names = self._names or (self._begins and character == "[")
            self._begins = self._begins and character in _MARKS
            self._empty = self._empty and character in _NOTHING
        return "".join(written)


def _token(text: str, place: int, end: int) -> "re.Match[str] | Name | None":
    """The first token that begins at a place or behind it, and before an end."""
    for start in _START.finditer(text, place, max(place, end)):
        if start.start() >= end:
            break
        token = _TOKEN.match(text, start.start()) or name_at(text, start.start())
        if token is not None:
            return token
    return None


def _undecided(text: str, place: int) -> int:
    """Where from a place on begins what may still become something active."""
    opened = _OPEN.search(text, max(place, len(text) - _LONGEST))
    return len(text) if opened is None else opened.start()


def _apart(before: str, after: str) -> bool:
    """Whether two characters do not run into one another."""
    blank = not before or before.isspace() or after.isspace()
    return blank or before in _OPENING or after in _CLOSING


def inactive(text: str, vouched: Iterable[str] = ()) -> str:
    """A whole text without anything active, and without characters that nobody sees."""
    deactivation = Deactivation(vouched)
    return deactivation.feed(visible(text)) + deactivation.finish()
