"""Text recognition: a drawn page or a picture to lines, by RapidOCR's models on this machine.

The models come in the package: nothing is downloaded, and nothing leaves the machine. They read
languages in Latin letters, with their accents, and Chinese and Japanese; what is written in other
letters is told apart by its look and left out.
"""

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flotilla.document.converters.ocr_lines import Piece, read_in_order
from flotilla.models import Page

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]

SHORT_SIDE = 736
"""Pixels to which the detecting model enlarges the shorter side, which makes a strip huge."""
SMALL = 640
"""Pixels of the longer side below which a picture is read at twice its size."""
CONTRAST = 40
"""Of 255: what differs less from a picture's ground is no letter."""
MARGIN = 40
"""Pixels of ground that stay around what is on a picture."""
MIN_SCORE = 0.6
"""Of a line, by the model's own measure: below it lie stains, lines and other letters."""
TALL = 1.5
"""Height by width of a line that runs up or down."""
SIDEWAYS_SHARE = 0.6
"""Share of such lines from which on the page lies on its side."""
MIN_SIDEWAYS = 4
MONOTONOUS = 0.7
"""Share of one and the same letter or digit in a line of letters that the model does not know."""


class TextReader:
    """Reads pictures of text; one a process, since its models take some hundred megabytes.

    Args:
        threads: that read one picture.
    """

    def __init__(self, *, threads: int) -> None:
        from rapidocr import RapidOCR

        self._engine: Any = RapidOCR(
            params={
                "Global.log_level": "critical",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def page(self, pixels: "Pixels", number: int | None) -> Page:
        """What is written in the picture, in reading order; without text where there is none.

        Args:
            pixels: shape (height, width, 3), blue first.
            number: of the page.
        """
        return read_in_order(self.pieces(pixels), number)

    def pieces(self, pixels: "Pixels") -> list[Piece]:
        """The lines of text with their places, upright whichever way the picture lies."""
        import numpy as np

        found = self._read(pixels)
        tall = sum(piece.height > TALL * piece.width for piece in found)
        if len(found) < MIN_SIDEWAYS or tall < SIDEWAYS_SHARE * len(found):
            return found
        turned = [self._read(np.ascontiguousarray(np.rot90(pixels, turns))) for turns in (1, 3)]
        return max([found, *turned], key=_weight)

    def _read(self, pixels: "Pixels") -> list[Piece]:
        result = self._engine(_padded(_cropped(pixels)))
        if getattr(result, "txts", None) is None or getattr(result, "boxes", None) is None:
            return []
        pieces = []
        for corners, text, score in zip(result.boxes, result.txts, result.scores, strict=True):
            text = " ".join(text.split())
            if text and score >= MIN_SCORE and not _is_monotonous(text):
                left, top = corners.min(axis=0)
                right, bottom = corners.max(axis=0)
                pieces.append(
                    Piece(text, float(left), float(top), float(right), float(bottom), float(score))
                )
        return pieces


def _cropped(pixels: "Pixels") -> "Pixels":
    """What is on a picture, without the empty ground around it: on a large page, the detecting
    model overlooks a single line."""
    import numpy as np

    ground = np.median(pixels[::8, ::8].reshape(-1, 3), axis=0)
    low = np.clip(ground - CONTRAST, 0, 255).astype(np.uint8)
    high = np.clip(ground + CONTRAST, 0, 255).astype(np.uint8)
    marked = ((pixels < low) | (pixels > high)).any(axis=2)
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    if not len(rows):
        return pixels
    return np.ascontiguousarray(
        pixels[
            max(0, rows[0] - MARGIN) : rows[-1] + MARGIN + 1,
            max(0, columns[0] - MARGIN) : columns[-1] + MARGIN + 1,
        ]
    )


def _padded(pixels: "Pixels") -> "Pixels":
    """A picture that is small or narrow, on ground of the colour of its edge."""
    import numpy as np

    if max(pixels.shape[:2]) < SMALL:
        pixels = pixels.repeat(2, axis=0).repeat(2, axis=1)
    height, width = pixels.shape[:2]
    if min(height, width) >= SHORT_SIDE:
        return pixels
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    colour = np.median(np.concatenate(edges), axis=0).astype(np.uint8)
    padded = np.empty((max(height, SHORT_SIDE), max(width, SHORT_SIDE), 3), np.uint8)
    padded[:] = colour
    padded[:height, :width] = pixels
    return padded


def _weight(pieces: list[Piece]) -> float:
    """How much of the text was made out: letters by the certainty of their line, of lines that
    run from left to right."""
    return sum(len(p.text) * p.score for p in pieces if p.width > p.height)


def _is_monotonous(text: str) -> bool:
    letters = [char for char in text.casefold() if char.isalnum()]
    if len(letters) < 6:
        return False
    return max(letters.count(char) for char in set(letters)) > MONOTONOUS * len(letters)


@lru_cache(maxsize=1)
def _reader(_pid: int, threads: int) -> TextReader:
    return TextReader(threads=threads)


def text_reader(threads: int) -> TextReader:
    """The process's reader. Its engine has threads, which no forked child would inherit."""
    return _reader(os.getpid(), threads)
