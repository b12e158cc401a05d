"""Code within a text, between backticks, in which numbers in square brackets are no citations."""

import re
from collections.abc import Iterator

FENCE = 3
"""Backticks from which on code goes on over the end of a line."""


class CodeSpans:
    """Follows a text as it comes and tells whether its next character stands in code.

    Code begins with backticks that no letter or digit stands before and no white space behind, so
    that "It`s" begins none, and ends with as many, or with its line where they are fewer than
    three.
    """

    def __init__(self) -> None:
        self._opened = 0  # backticks that the code began with; none outside of it
        self._run = 0  # backticks that the text ends with
        self._before = ""  # the character before them

    def feed(self, text: str) -> None:
        """The text goes on."""
        for character in text:
            if character == "`":
                self._run += 1
                continue
            if self._holds(character):
                self._opened = self._opened or self._run
            else:
                self._opened = 0
            self._run, self._before = 0, character

    def holds(self, following: str) -> bool:
        """Whether a text that follows begins in code."""
        return self._holds(following[:1])

    def _holds(self, following: str) -> bool:
        if self._opened >= FENCE:
            return self._run < FENCE
        if following == "\n" and self._run < FENCE:
            return False
        if self._opened:
            return self._run != self._opened
        if not self._run or self._before.isalnum():
            return False
        return self._run >= FENCE or not following.isspace()


def outside_code(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The matches of a pattern in a whole text that do not begin in code; none of them has
    backticks."""
    code, end = CodeSpans(), 0
    for match in pattern.finditer(text):
        code.feed(text[end : match.start()])
        if not code.holds(match.group()):
            yield match
        code.feed(match.group())
        end = match.end()
