"""What models are called for, and which models a role's calls go to, in order."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flotilla.settings import AFTER_MODELS, EXTRACTIVE, LLMSettings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from flotilla.settings import Price


class Role(StrEnum):
    """What a model is called for."""

    ANSWER = "answer"
    """Write the answer."""
    GRADE = "grade"
    """Judge passages and questions."""
    REWRITE = "rewrite"
    """Put a question in other words."""
    VISION = "vision"
    """Read images."""


@dataclass(frozen=True)
class Candidate:
    """A model that may be asked.

    `name` is its model string; `address` the server's, None for the provider's own; `bounded`
    says whether its network traffic ends by itself at a deadline.
    """

    name: str
    address: str | None
    chat: "BaseChatModel"
    bounded: bool
    price: "Price | None" = None

    @property
    def provider(self) -> str:
        """Who serves it: what limits are kept for."""
        if self.address is not None:
            return urlsplit(self.address).netloc.rpartition("@")[2]
        return self.name.partition(":")[0]

    @property
    def key(self) -> str:
        """The provider and the model: what a breaker is kept for."""
        return f"{self.provider}/{self.name}"


def first_model(settings: LLMSettings, role: Role) -> str:
    """The model string that a role's calls go to first."""
    own = {
        Role.ANSWER: None,
        Role.GRADE: settings.grade_model,
        Role.REWRITE: settings.rewrite_model,
        Role.VISION: settings.vision_model,
    }[role]
    return own or settings.model


def is_model(name: str) -> bool:
    """Whether a model string names a language model, and not what stands in for one."""
    return name != EXTRACTIVE and name not in AFTER_MODELS
