"""Who is told of an answer while it is being written."""

from collections.abc import Sequence
from typing import Final, Protocol

from flotilla.answer_streams.entries import Written
from flotilla.models import Citation, ModelCall, Step


class Listener(Protocol):
    """Is told of a run's steps, its text piece by piece and its citations.

    Any of its methods may raise what ends the run: LeaseLost where another worker has taken it
    over, Cancelled where nobody wants it any more.
    """

    @property
    def written(self) -> Written:
        """What has been told so far, by earlier attempts too: this one goes on from there."""
        ...

    def trace(self, step: Step) -> None:
        """A step is finished."""
        ...

    def sources(self, chunk_ids: Sequence[str]) -> None:
        """The chunks that the text is written from, in the order in which it was given them; for
        whoever goes on with it, and not for readers."""
        ...

    def token(self, text: str, raw: str) -> None:
        """The text goes on with `text`, for which the model wrote `raw`; either may be empty."""
        ...

    def reply(self, raw: str, call: ModelCall) -> None:
        """The model's reply has ended, and is `raw`; for whoever goes on with it, and not for
        readers."""
        ...

    def citation(self, citation: Citation) -> None:
        """What a number in the text stands for: told beside the token that has the number."""
        ...

    def take_back(self, text: int, raw: int) -> None:
        """Only the first `text` characters of what was told stand, and `raw` of what the model
        wrote: the next token goes on from there."""
        ...


class Unheard:
    """A listener for runs that nobody listens to."""

    written: Final = Written()

    def trace(self, step: Step) -> None:
        """Nobody is told."""

    def sources(self, chunk_ids: Sequence[str]) -> None:
        """Nobody goes on with it."""

    def token(self, text: str, raw: str) -> None:
        """Nobody is told."""

    def reply(self, raw: str, call: ModelCall) -> None:
        """Nobody goes on with it."""

    def citation(self, citation: Citation) -> None:
        """Nobody is told."""

    def take_back(self, text: int, raw: int) -> None:
        """Nobody was told."""


UNHEARD: Final[Listener] = Unheard()
