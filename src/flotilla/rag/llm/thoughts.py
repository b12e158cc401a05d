"""The thoughts of reasoning models, which are no part of what they say."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

OPEN, CLOSE = "<think>", "</think>"


class ThoughtFilter:
    """Lets a stream's text through, except what stands between `<think>` and `</think>`.

    The tags may be split over pieces. White space around thoughts at the beginning goes with
    them. Thoughts that are never closed run to the end.

    Args:
        goes_on: whether the text goes on with another, so that white space at its beginning
            counts, unless thoughts come before it.
    """

    def __init__(self, *, goes_on: bool = False) -> None:
        self._held = ""
        self._thinking = False
        self._leading = not goes_on  # nothing was let through yet
        self._shown = False

    def feed(self, piece: str) -> str:
        """What of the text up to here may be shown, and was not before."""
        self._held += piece
        shown: list[str] = []
        while True:
            tag = CLOSE if self._thinking else OPEN
            before, found, after = self._held.partition(tag)
            if found:
                if not self._thinking:
                    shown.append(before)
                self._held, self._thinking = after, not self._thinking
                self._leading = self._leading or not (self._shown or before.strip())
                continue
            kept = _begun(self._held, tag)
            if not self._thinking:
                shown.append(self._held[: len(self._held) - kept])
            self._held = self._held[len(self._held) - kept :]
            return self._trimmed("".join(shown))

    def finish(self) -> str:
        """What was held back in case that it was a tag's beginning."""
        held, self._held = self._held, ""
        return "" if self._thinking else self._trimmed(held)

    def _trimmed(self, text: str) -> str:
        if self._leading:
            text = text.lstrip()
            self._leading = not text
        self._shown = self._shown or bool(text)
        return text


def _begun(text: str, tag: str) -> int:
    """How many characters at the end of a text may be the beginning of a tag."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)


def without(text: str) -> str:
    """A whole text without thoughts; those whose opening tag was in the prompt included."""
    opened, closed = text.find(OPEN), text.find(CLOSE)
    if closed >= 0 and not 0 <= opened < closed:
        text = text[closed + len(CLOSE) :]
    if OPEN not in text and closed < 0:
        return text
    thoughts = ThoughtFilter()
    return thoughts.feed(text) + thoughts.finish()


def without_thoughts(reply: "AIMessage") -> "AIMessage":
    """The reply with its text alone; blocks of other kinds are left as they are."""
    if isinstance(reply.content, str):
        text = without(reply.content)
        if text != reply.content:
            return reply.model_copy(update={"content": text})
    return reply
