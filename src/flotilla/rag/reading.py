"""A model's reply as its reader gets it, piece by piece."""

import re
from collections.abc import Sequence

from flotilla.models import Citation, Passage
from flotilla.rag.inactive import Deactivation
from flotilla.rag.resolver import Resolver
from flotilla.rag.untrusted import Visible

REFUSAL = "NOT_IN_PASSAGES"
"""What the prompt asks a model to begin with where the passages hold no answer."""

# However a model decorates it, but not without end: it is held back until it is decided.
_DECORATION = re.compile(r"[\s*_`\"'#>]{0,200}")
_REFUSED = re.compile(
    rf"{_DECORATION.pattern}(?a:{REFUSAL})[\s*_`\"'.:\-–—]{{0,200}}",
    re.IGNORECASE,
)


class Reading:
    """Takes a reply as it comes and gives what is to be read of it: without the refusal's word,
    with numbers that stand for citations in place of references to passages, and without anything
    active or invisible.

    What a refusal says rests on no passage, so that its references and addresses are removed.

    Args:
        passages: what the reply refers to.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.refused = False
        """Whether the reply says that the passages hold no answer."""
        self._visible = Visible()
        self._resolver = Resolver(passages)
        self._deactivation = Deactivation(passage.text for passage in passages)
        self._beginning: str | None = ""  # None once it is known whether it is a refusal

    @property
    def citations(self) -> Sequence[Citation]:
        """What the numbers stand for that were given so far, by their number."""
        return self._resolver.citations

    def feed(self, piece: str) -> str:
        """What of the reply up to here can be read, and was not given before."""
        piece = self._visible.feed(piece)
        if self._beginning is None:
            return self._deactivation.feed(self._resolver.feed(piece))
        self._beginning += piece
        if _may_refuse(self._beginning):
            return ""
        begun = self._begin()
        return self._deactivation.feed(self._resolver.feed(begun))

    def finish(self) -> str:
        """What was held back, now that the reply has ended."""
        begun = "" if self._beginning is None else self._begin()
        rest = self._resolver.feed(begun) + self._resolver.finish()
        return self._deactivation.feed(rest) + self._deactivation.finish()

    def _begin(self) -> str:
        text, self._beginning = self._beginning or "", None
        refused = _REFUSED.match(text)
        if refused is None:
            return text
        self.refused = True
        self._resolver = Resolver(())
        self._deactivation = Deactivation()
        return text[refused.end() :]


def _may_refuse(text: str) -> bool:
    """Whether it is still open where a refusal's word ends, or whether it is one."""
    refused = _REFUSED.match(text)
    if refused is not None:
        return refused.end() == len(text)
    decoration = _DECORATION.match(text)
    assert decoration is not None  # noqa: S101 - it may be empty
    return REFUSAL.startswith(text[decoration.end() :].upper())
