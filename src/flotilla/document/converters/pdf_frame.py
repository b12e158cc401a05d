"""The direction in which a PDF's page is read, and places in it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flotilla.models import Box

Word = tuple[str, int, int, float, float, float, float]
"""A word, the places of its first and last character in the page's text, and its box."""


class Frame(NamedTuple):
    """How a page is held to be read: quarter turns of its text against the file's axes, quarter
    turns of the page as it is shown, and its edges in the file's coordinates."""

    turns: int
    shown: int
    edges: Box

    def read(self, left: float, bottom: float, right: float, top: float) -> Box:
        """From the file's coordinates to left, top, right and bottom as the text is read."""
        return _turned(self.turns, self.edges, left, bottom, right, top)

    def spans(self, words: Iterable[Word]) -> Sequence[tuple[float, float]]:
        """Where words begin and end, in the direction in which they are read."""
        if not self.turns:
            left = self.edges[0]
            if not left:
                return [(word[3], word[5]) for word in words]
            return [(word[3] - left, word[5] - left) for word in words]
        boxes = [self.read(word[3], word[4], word[5], word[6]) for word in words]
        return [(box[0], box[2]) for box in boxes]

    def show(self, box: Box) -> Box:
        """From the frame in which the text is read to the page as it is shown."""
        page_left, page_bottom, page_right, page_top = self.edges
        left, top, right, bottom = box
        if self.turns == 0:
            found = (page_left + left, page_top - bottom, page_left + right, page_top - top)
        elif self.turns == 1:
            found = (page_left + top, page_bottom + left, page_left + bottom, page_bottom + right)
        elif self.turns == 2:
            found = (page_right - right, page_bottom + top, page_right - left, page_bottom + bottom)
        else:
            found = (page_right - bottom, page_top - right, page_right - top, page_top - left)
        shown = _turned(self.shown, self.edges, *found)
        return (round(shown[0], 1), round(shown[1], 1), round(shown[2], 1), round(shown[3], 1))

    @property
    def height(self) -> float:
        """Points from the top to the foot, as the text is read."""
        left, bottom, right, top = self.edges
        return right - left if self.turns % 2 else top - bottom


def _turned(turns: int, edges: Box, left: float, bottom: float, right: float, top: float) -> Box:
    page_left, page_bottom, page_right, page_top = edges
    match turns:
        case 0:
            return left - page_left, page_top - top, right - page_left, page_top - bottom
        case 1:
            return bottom - page_bottom, left - page_left, top - page_bottom, right - page_left
        case 2:
            return page_right - right, bottom - page_bottom, page_right - left, top - page_bottom
        case _:
            return page_top - top, page_right - right, page_top - bottom, page_right - left
