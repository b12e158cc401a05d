"""Tokens of requests and replies, and what they cost."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from flotilla.settings import Price

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

CHARACTERS_PER_TOKEN = 4
"""About what a token of English is; used only where nobody counted."""

MILLION = 1_000_000


class Tokens(NamedTuple):
    """Tokens of a prompt and of a completion."""

    prompt: int
    completion: int

    @property
    def total(self) -> int:
        return self.prompt + self.completion


def estimated(text: str) -> int:
    """About the tokens of a text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def estimated_prompt(messages: Sequence["BaseMessage"]) -> int:
    """About the tokens of a conversation; images are not counted."""
    return sum(estimated(str(message.text)) + CHARACTERS_PER_TOKEN for message in messages)


def tokens_of(reply: "AIMessage", prompt_estimate: int) -> Tokens:
    """The tokens that the server counted, or an estimate where it did not."""
    counted = reply.usage_metadata
    if counted is not None and counted["input_tokens"] + counted["output_tokens"] > 0:
        return Tokens(counted["input_tokens"], counted["output_tokens"])
    return Tokens(prompt_estimate, estimated(str(reply.text)))


def cost(price: Price | None, tokens: Tokens) -> float | None:
    """What tokens cost, None where there is no price."""
    if price is None:
        return None
    return (tokens.prompt * price.input + tokens.completion * price.output) / MILLION
