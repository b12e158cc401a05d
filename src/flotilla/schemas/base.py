"""What all bodies share: how requests and responses treat fields, and what JSON may be stored."""

import math
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from flotilla.models import Metadata

COLLECTION_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
DEFAULT_COLLECTION = "default"
DEEPEST_JSON = 100  # levels; the writers of JSON give up at 255
LONGEST_METADATA_KEY = 200  # characters

Item = TypeVar("Item")


def check_text(value: Any, *, nul: bool = False) -> Any:
    """The JSON value, once all of it can be stored: JSON allows a half of a surrogate pair in a
    string, which no encoding takes, a NUL, which PostgreSQL does not, and Python's reader allows
    NaN.

    Args:
        value: as it was read.
        nul: whether NUL is allowed, since whoever reads it removes it.

    Raises:
        ValueError: saying which it is, or that it is nested too deeply.
    """
    waiting = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > DEEPEST_JSON:
            raise ValueError(f"it is nested too deeply: send at most {DEEPEST_JSON} levels")
        if isinstance(each, str):
            try:
                each.encode()
            except UnicodeEncodeError:
                raise ValueError("a text holds half a surrogate pair: send valid Unicode") from None
            if "\0" in each and not nul:
                raise ValueError("a text holds a NUL character: remove it")
        elif isinstance(each, float) and not math.isfinite(each):
            raise ValueError(f"{each} is not a number that JSON knows: send a finite one")
        elif isinstance(each, dict):
            waiting.extend((inner, depth + 1) for inner in (*each.keys(), *each.values()))
        elif isinstance(each, list):
            waiting.extend((inner, depth + 1) for inner in each)
    return value


def check_metadata(value: Metadata) -> Metadata:
    """A document's metadata, once its keys are short enough. Raises ValueError."""
    for key in value:
        if len(key) > LONGEST_METADATA_KEY:
            raise ValueError(
                f"the key {key[:40]!r} … is longer than {LONGEST_METADATA_KEY} characters: "
                "shorten it"
            )
    return value


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers: send a number")
    return value


Integer = Annotated[int, BeforeValidator(_no_boolean)]
"""An integer of a request's body. Python takes true for 1, and a client that sends it is wrong."""

Number = Annotated[float, BeforeValidator(_no_boolean)]
"""The same of any number."""


def at_field(name: str, reason: str) -> PydanticCustomError:
    """What is wrong with one field, for a validator of the whole body to raise: errors name it."""
    # The reason goes in as a value: braces in it are none of the template's.
    return PydanticCustomError("field", "{reason}", {"reason": reason, "field": name})


class Request(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid")

    prose: ClassVar[frozenset[str]] = frozenset()
    """Fields that people paste from anywhere, and that are cleaned before they are stored."""

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for name, each in value.items():
                check_text(name)
                try:
                    check_text(each, nul=name in cls.prose)
                except ValueError as error:
                    raise at_field(name, str(error)) from None
            return value
        return check_text(value)


class Response(BaseModel):
    """A response's body."""

    model_config = ConfigDict(extra="ignore")


class Listing(Response, Generic[Item]):
    """One part of a list; `next_cursor` is null at its end."""

    items: list[Item]
    next_cursor: str | None = None
