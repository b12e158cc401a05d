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
# The same within a reply, with what stands close around it.
_WITHIN = re.compile(
    rf"(?<![^\W_])(?:\((?a:{REFUSAL})\)|[*_`\"']{{0,9}}(?a:{REFUSAL})(?![^\W_])"
    r"[*_`\"'.:\-–—]{0,9}+)[ \t]{0,9}+",
    re.IGNORECASE,
)
_BEGUN = "|".join(re.escape(REFUSAL[:length]) for length in range(len(REFUSAL), 0, -1))
_OPEN = re.compile(
    rf"(?<![^\W_])(?:\((?a:{_BEGUN})?|[*_`\"']{{0,9}}(?a:{_BEGUN})?)\Z",
    re.IGNORECASE,
)
_LONGEST = len(REFUSAL) + 30  # characters of what either matches


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
        self._unrefused = _Unrefused()
        self._beginning: str | None = ""  # None once it is known whether it is a refusal

    @property
    def citations(self) -> Sequence[Citation]:
        """What the numbers stand for that were given so far, by their number."""
        return self._resolver.citations

    def feed(self, piece: str) -> str:
        """What of the reply up to here can be read, and was not given before."""
        piece = self._visible.feed(piece)
        if self._beginning is None:
            return self._read(piece)
        self._beginning += piece
        if _may_refuse(self._beginning):
            return ""
        return self._read(self._begin())

    def finish(self) -> str:
        """What was held back, now that the reply has ended."""
        begun = "" if self._beginning is None else self._begin()
        begun = self._unrefused.feed(begun) + self._unrefused.finish()
        rest = self._resolver.feed(begun) + self._resolver.finish()
        return self._deactivation.feed(rest) + self._deactivation.finish()

    def _read(self, piece: str) -> str:
        return self._deactivation.feed(self._resolver.feed(self._unrefused.feed(piece)))

    def _begin(self) -> str:
        text, self._beginning = self._beginning or "", None
        refused = _REFUSED.match(text)
        if refused is None:
            return text
        self.refused = True
        self._resolver = Resolver(())
        self._deactivation = Deactivation()
        return text[refused.end() :]


class _Unrefused:
    """Takes a text as it comes and gives it without the refusal's word, which a model may also
    write behind what it has answered; the sentence that follows it stays."""

    def __init__(self) -> None:
        self._before = ""  # the character before what is held
        self._held = ""

    def feed(self, piece: str) -> str:
        return self._go_on(piece, final=False)

    def finish(self) -> str:
        return self._go_on("", final=True)

    def _go_on(self, piece: str, *, final: bool) -> str:
        text = self._before + self._held + piece
        place = len(self._before)
        given: list[str] = []
        while (word := _WITHIN.search(text, place)) is not None:
            if word.end() == len(text) and not final:
                break  # what stands around it may go on
            given.append(text[place : word.start()])
            place = word.end()
        end = len(text) if word is None else word.start()
        if not final and (opened := _OPEN.search(text, max(place, len(text) - _LONGEST))):
            end = min(end, opened.start())
        given.append(text[place:end])
        self._before, self._held = text[max(0, end - 1) : end], text[end:]
        return "".join(given)


def _may_refuse(text: str) -> bool:
    """Whether it is still open where a refusal's word ends, or whether it is one."""
    refused = _REFUSED.match(text)
    if refused is not None:
        return refused.end() == len(text)
    decoration = _DECORATION.match(text)
    assert decoration is not None  # noqa: S101 - it may be empty
    return REFUSAL.startswith(text[decoration.end() :].upper())
