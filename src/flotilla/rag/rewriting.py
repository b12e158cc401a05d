"""Follow-up questions that a language model makes to stand alone: what it is told, and what its
reply is worth. Without a model, and where its reply is worth nothing, `followups` has the rule."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flotilla.models import Turn
from flotilla.rag.followups import Standalone, standalone
from flotilla.rag.prompts import prompt
from flotilla.rag.refusals import told_tongue
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
_CLOSING = " \t\"'”’»)]*_"
_ASKS = re.compile(
    r"(?:what|how|which|who|whom|whose|when|where|why|can|could|does|do|did|is|are|was|were|has|have|"
    r"wie|wer|wem|wen|wo|wann|warum|welche[mnrs]?|kann|ist|sind|hat|haben|gibt|quelle?s?|combien|"
    r"comment|qui|où|quand|pourquoi|qué|cuáles|cuál|cuánt[oa]s?|cómo|quién|dónde|cuándo)\b",
    re.IGNORECASE,
)
_OF_ITSELF = re.compile(
    r"(?:i(?:['’](?:m|ll|ve|d))?|sorry|as an|sure|certainly|of course|ich|leider|es tut mir leid|"
    r"tut mir leid|als|natürlich|gerne?|je|désolée?|lo siento)\b",
    re.IGNORECASE,
)
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
    no question, in another language as far as that is told, or nothing at all."""
    lines = [line.strip() for line in _THOUGHT.sub("", visible(reply)).splitlines() if line.strip()]
    text = _LABEL.sub("", lines[-1]).strip('"“”„ ') if len(lines) == 1 else ""
    if not text or len(text) > LONGEST_REWRITE * len(question) + 200:
        return standalone(history, question)
    if text.casefold() == " ".join(question.split()).casefold():
        return Standalone(question, changed=False, why="it stands alone, by the model's word")
    if _is_statement(text, question) or _in_other_tongue(text, history, question):
        return standalone(history, question)
    return Standalone(text, changed=True, why="the model made it stand alone")


def _is_statement(text: str, question: str) -> bool:
    """Whether a reply says something in place of asking. Who asks without a question mark ("tell me
    of it") may be given one without as well, but no sentence of the model's own."""
    if text.rstrip(_CLOSING).endswith(("?", "？", "؟", ";")) or _ASKS.match(text):
        return False
    return question.rstrip(_CLOSING).endswith("?") or _OF_ITSELF.match(text) is not None


def _in_other_tongue(text: str, history: Sequence[Turn], question: str) -> bool:
    """Whether a reply is in a language in which the user has not asked. A fragment tells its own
    seldom; then that of the question before does."""
    theirs = told_tongue(text, fewest=2)
    asked = told_tongue(question, fewest=2) or (
        told_tongue(f"{history[-1].question} {question}", fewest=2) if history else None
    )
    return theirs is not None and asked is not None and theirs != asked
