"""Text that nobody vouches for, on its way into a prompt.

A document may have been written to be read by a language model. What it says stays data as far as
form can make it so: it cannot leave its tags, cannot say anything that a person does not see, and
cannot write a citation. What a model makes of its meaning no form decides (docs/answers.md).
"""

import re
import unicodedata

# A tag of ours, or a look-alike of one, whatever bracket it is written with.
_TAG = re.compile(
    r"(?:[<＜﹤‹〈⟨《]|&lt;|&#0*60;|&#x0*3c;)(?=\s*[/／∕]?\s*(?:passages?|conversation)\b)",
    re.IGNORECASE,
)
# What chat templates mark turns with. A server that tokenises it would begin another turn.
_TURN = re.compile(
    r"<[|｜][\w ./▁-]{1,40}[|｜]>|<</?SYS>>|"
    r"\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS)\]|</?s>|<(?:start|end)_of_turn>",
    re.IGNORECASE,
)
_MARKER = re.compile(
    r"[\[【［]\s*((?:passages?\s+|p\.\s*)?\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)\s*[\]】］]",
    re.IGNORECASE,
)
_REFUSAL = re.compile(r"NOT_IN_PASSAGES", re.IGNORECASE)
_JOINERS = "\u200c\u200d"
# Joiners are spelling in these scripts, and invisible everywhere else.
_JOINED = re.compile(
    "(?<=[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17ff])[\u200c\u200d]"
    "(?=[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17ff])"
)


def visible(text: str) -> str:
    """The text without characters that nobody sees: zero-width ones, those that reverse the
    direction of writing, language tags (U+E0000), variation selectors, control characters and
    halves of surrogate pairs, which no encoding has.

    Line breaks and tabs stay, and so do joiners inside words of scripts that spell with them.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = {match.start() for match in _JOINED.finditer(text)}
    return "".join(
        character
        for place, character in enumerate(text)
        if place in kept or not _is_invisible(character)
    )


class Visible:
    """Takes a text as it comes and gives what of it is visible, whatever its pieces."""

    def __init__(self) -> None:
        self._before = ""  # the character before, which a joiner may join
        self._joiners = ""

    def feed(self, piece: str) -> str:
        """What of the text up to here is visible, and was not given before."""
        text = self._joiners + piece
        rest = text.rstrip(_JOINERS)
        self._joiners = text[len(rest) :][:2]  # of two or more none joins
        given = visible(self._before + rest)[len(visible(self._before)) :]
        self._before = rest[-1:] or self._before
        return given


def _is_invisible(character: str) -> bool:
    if character in "\n\t":
        return False
    return (
        unicodedata.category(character) in ("Cf", "Cc", "Co", "Cn", "Cs")
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
        or character in "\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5"
    )


def as_data(text: str) -> str:
    """A text of a document, or a question, as it may stand between the tags of a prompt.

    Invisible characters are removed. What looks like one of our tags or like the mark of another
    turn loses its bracket, numbers in square brackets get round ones, and the word for a refusal
    loses its underscores. So a passage cannot end, cite, refuse or speak as somebody else.
    """
    text = visible(text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _TAG.sub("(", text)
    text = _TURN.sub(lambda match: "(" + match.group()[1:-1].strip("<>[]|｜/ ") + ")", text)
    text = _MARKER.sub(r"(\1)", text)
    return _REFUSAL.sub("not in passages", text)
