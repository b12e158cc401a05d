"""Follow-up questions that a language model makes to stand alone: what it is told, and what its
reply is worth. Without a model, and where its reply is worth nothing, `followups` has the rule."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flotilla.models import Turn
from flotilla.rag.followups import Standalone, standalone
from flotilla.rag.prompts import prompt
from flotilla.rag.untrusted import as_data, visible

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

PROMPT = "rewrite_followup.v1"

LONGEST_ANSWER = 600
"""Characters of an earlier answer that the model is shown: what a question refers to was named
early on."""

LONGEST_REWRITE = 4
"""Times the length of the question, and 200 characters, beyond which a reply is no rewriting."""

_MARK = re.compile(r"(?:(?<!\s)\s+)?\[\d+\]")
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_LABEL = re.compile(r"\A(?:rewritten |standalone |newest )?question:\s*", re.IGNORECASE)


def instructions() -> str:
    """The system prompt."""
    return prompt(PROMPT)


def messages(history: Sequence[Turn], question: str) -> "list[BaseMessage]":
    """What the model is told: the instructions, the conversation marked as data, and the question.

    No turn can close the mark: see `untrusted.as_data`.
    """
    from langchain_core.messages import HumanMessage, SystemMessage

    parts = ["<conversation>"]
    for turn in history:
        answer = " ".join(_MARK.sub("", turn.answer).split())
        if len(answer) > LONGEST_ANSWER:
            answer = answer[:LONGEST_ANSWER].rsplit(" ", 1)[0] + " …"
        parts += [f"User: {_data(turn.question)}", f"Assistant: {_data(answer)}"]
    parts += ["</conversation>", "", f"Newest question: {_data(question)}"]
    return [SystemMessage(instructions()), HumanMessage("\n".join(parts))]


def _data(text: str) -> str:
    return " ".join(as_data(text).split())


def rewritten(history: Sequence[Turn], question: str, reply: str) -> Standalone:
    """What the model has made of a question; by the rule where its reply is no question's length,
    or nothing at all."""
    lines = [line.strip() for line in _THOUGHT.sub("", visible(reply)).splitlines() if line.strip()]
    text = _LABEL.sub("", lines[-1]).strip('"“”„ ') if len(lines) == 1 else ""
    if not text or len(text) > LONGEST_REWRITE * len(question) + 200:
        return standalone(history, question)
    if text.casefold() == " ".join(question.split()).casefold():
        return Standalone(question, changed=False, why="it stands alone, by the model's word")
    return Standalone(text, changed=True, why="the model made it stand alone")
