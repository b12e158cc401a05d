"""Joining the second half of a text to the first, where the model may not have begun there."""

import re
from collections.abc import Callable

_WORD = re.compile(r"\w+")
_LAST_WORD = re.compile(r"\w+\Z")

FEWEST = 3
"""Characters from which a repeated end is taken for one: fewer are often the same by chance."""

FEWEST_SPACED = 16
"""The same where the new text begins with white space, as a text does that goes on."""


class Continuation:
    """Trims from a model's further text what it repeats of the text so far.

    A model that is asked to go on may begin from the very start again, or repeat the last words
    first. Both are recognised whatever the white space between words, and text is held back only
    as long as it may be one of the two. A repetition begins where a word does, and is at least
    `FEWEST` characters long, white space not counted, unless it is all of the text so far.

    Where the text so far ends within or behind a word and the new one begins with another or the
    rest of it, words that are known from elsewhere tell which: "war" and "ranty" are joined, "get"
    and "three" are not.

    Args:
        so_far: the text that was already shown.
        around: gives a text that has many of the words which the reply may use; without it, what
            is no repetition is joined as it comes.
    """

    def __init__(self, so_far: str, around: Callable[[], str] | None = None) -> None:
        self._so_far = so_far
        self._around = around
        # The first new word, as far as it has come; None once it was written.
        self._joint: str | None = "" if around is not None else None
        self._solid, self._starts = _solid(so_far)
        self._ends_spaced = so_far[-1:].isspace()
        self._held = ""
        self._decided = not self._solid

    def feed(self, delta: str) -> str:
        """What of the text up to here is new and can be shown; each character comes once."""
        return self._joined(self._feed(delta))

    def finish(self) -> str:
        """What was held back and is no repetition, now that the text has ended."""
        return self._joined(self._finish(), ended=True)

    def _joined(self, text: str, *, ended: bool = False) -> str:
        """The text, with a blank ahead of it where it begins another word."""
        if self._joint is None:
            return text
        self._joint += text
        if not self._joint:
            return ""
        word = _WORD.match(self._joint)
        before = _LAST_WORD.search(self._so_far)
        if word is not None and before is not None:
            if word.end() == len(self._joint) and not ended:
                return ""
            if self._are_two(before.group(), word.group()):
                self._joint = f" {self._joint}"
        joined, self._joint = self._joint, None
        return joined

    def _are_two(self, before: str, word: str) -> bool:
        assert self._around is not None  # noqa: S101 - it is joined as it comes otherwise
        known = {each.casefold() for each in _WORD.findall(self._around())}
        if (before + word).casefold() in known or (before[-1].isdigit() and word[0].isdigit()):
            return False
        if before.casefold() in known or word.casefold() in known:
            return True
        return before[-1].islower() and word[0].isupper()

    def _feed(self, delta: str) -> str:
        if self._decided:
            return delta
        self._held += delta
        new, _ = _solid(self._held)
        if not new or any(
            # It may still become all that follows there.
            len(self._solid) - start >= len(new) and self._solid.startswith(new, start)
            for start in self._starts
        ):
            return ""
        return self._decide(new, ended=False)

    def _finish(self) -> str:
        if self._decided:
            return ""
        new, _ = _solid(self._held)
        return self._decide(new, ended=True)

    def _decide(self, new: str, *, ended: bool) -> str:
        self._decided = True
        held, self._held = self._held, ""
        repeated = self._repeated(new, held)
        # A beginning that is repeated and then left off says nothing new.
        if ended and not repeated and len(new) >= FEWEST_SPACED and self._solid.startswith(new):
            return ""
        if not repeated:
            return held
        self._joint = None  # the model has written what stands between the words
        rest = held[_end_of(held, repeated) :]
        return rest.lstrip() if self._ends_spaced else rest

    def _repeated(self, new: str, held: str) -> int:
        """How many characters, white space not counted, the new text repeats at its beginning."""
        goes_on = held[:1].isspace() and not self._ends_spaced
        fewest = FEWEST_SPACED if goes_on else FEWEST
        for start in self._starts:  # the longest first
            length = len(self._solid) - start
            if new.startswith(self._solid[start:]) and (
                length >= fewest or (start == 0 and not goes_on)
            ):
                return length
        return 0


def _solid(text: str) -> tuple[str, list[int]]:
    """The text without white space, and where in it words begin."""
    words = text.split()
    starts, place = [], 0
    for word in words:
        starts.append(place)
        place += len(word)
    return "".join(words), starts


def _end_of(text: str, count: int) -> int:
    """The index behind so many characters that are not white space."""
    for index, character in enumerate(text):
        if not character.isspace():
            count -= 1
            if count == 0:
                return index + 1
    return len(text)
