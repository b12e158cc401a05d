"""Single pictures as documents: PNG, JPEG and TIFF, a page for each of a TIFF's pictures."""

import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from billiard.exceptions import SoftTimeLimitExceeded

from flotilla.document.converters import SourceInfo
from flotilla.errors import FileCorrupt, NoText
from flotilla.models import Page

if TYPE_CHECKING:
    import numpy as np

    from flotilla.document.converters.ocr import TextReader
    from flotilla.document.converters.vision import PictureDescriber

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]

MOST_PIXELS = 120_000_000
"""Of one picture: a page of A3 at 600 dots an inch has 70 million."""


class ImageConverter:
    """A Page of what is written in each picture, with a summary of it where a model is configured.

    Args:
        reader: makes what reads text; None where OCR is not installed.
        describer: the model that describes pictures; None where none is configured.
        max_side: most pixels of the longer side that is read.
        beat: called before each picture; what it raises ends the conversion.
    """

    def __init__(
        self,
        reader: "Callable[[], TextReader] | None",
        describer: "PictureDescriber | None",
        *,
        max_side: int,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._reader = reader
        self._describer = describer
        self._max_side = max_side
        self._beat = beat

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """Count the pictures. Raises FileCorrupt."""
        with opened(path) as image:
            return SourceInfo(pages=int(getattr(image, "n_frames", 1)), title=None)

    def pages(
        self, path: Path, *, first: int = 1, last: int | None = None, password: str | None = None
    ) -> Iterator[Page]:
        """The pictures `first` to `last`, counted from 1.

        Raises:
            FileCorrupt: the file is damaged, or a picture is too large to be opened.
            NoText: the whole file was asked for, and nothing in it can be read.
        """
        from flotilla.document.converters.picture_texts import with_summary

        with opened(path) as image:
            count = int(getattr(image, "n_frames", 1))
            final, shown = min(last or count, count), 0
            for number in range(first, final + 1):
                self._beat()
                pixels = pixels_of(image, self._max_side, number)
                page = Page(number=number, text="")
                if self._reader is not None:
                    page = self._reader().page(pixels, number)
                if self._describer is not None and (said := self._describer.describe(pixels)):
                    page = with_summary(page, 0, said, box=None)
                shown += bool(page.text)
                yield page
            if first == 1 and final == count and not shown:
                raise NoText("Nothing that is written can be made out in the picture.")

    def notes(self) -> list[Any]:
        """What there is to say of the pictures that were given until now."""
        return [] if self._describer is None else self._describer.notes()


def pixels_of(image: Any, max_side: int, number: int = 1) -> "Pixels":
    """One of an open file's pictures, upright and on white: shape (height, width, 3), blue first.

    Args:
        image: what `opened` gave.
        max_side: most pixels of its longer side.
        number: of a file of several, from 1.

    Raises:
        FileCorrupt: it is damaged, or too large to be opened.
    """
    import numpy as np
    from PIL import ImageOps

    try:
        image.seek(number - 1)
        _check_size(image)
        image.draft("RGB", (max_side, max_side))  # a large JPEG is read smaller
        frame = ImageOps.exif_transpose(image)
        if "A" in frame.getbands() or "transparency" in frame.info:
            frame = _on_white(frame)
        frame = frame.convert("RGB")
        frame.thumbnail((max_side, max_side))
        return np.ascontiguousarray(np.asarray(frame)[:, :, ::-1])
    except (FileCorrupt, SoftTimeLimitExceeded):
        raise
    except Exception:  # noqa: BLE001 - whatever a damaged picture leads its reader to
        raise _corrupt() from None


def _on_white(frame: Any) -> Any:
    from PIL import Image

    layered = frame.convert("RGBA")
    ground = Image.new("RGBA", layered.size, "white")
    ground.alpha_composite(layered)
    return ground


def opened(source: Path | bytes) -> Any:
    """A file of pictures, or its bytes, as Pillow reads it: a context manager.

    Raises:
        FileCorrupt: it is damaged, too large to be opened, or of another kind.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is looked at here
            image = Image.open(
                io.BytesIO(source) if isinstance(source, bytes) else source,
                formats=("PNG", "JPEG", "TIFF", "GIF", "BMP"),
            )
    except Exception:  # noqa: BLE001 - whatever a damaged picture leads its reader to
        raise _corrupt() from None
    try:
        _check_size(image)
    except FileCorrupt:
        image.close()
        raise
    return image


def _check_size(image: Any) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise FileCorrupt(
            f"The picture has {width:,} by {height:,} pixels, which is more than can be opened: "
            "save it smaller and send that."
        )


def _corrupt() -> FileCorrupt:
    return FileCorrupt("The picture is damaged or cut off: save it again and send that.")
