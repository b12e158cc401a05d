"""The settings of retrieval that are compared, as they are written at the command line."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flotilla.errors import InvalidRequest

FORM = "question"
"""The key by which a variant asks another form of the questions; it is none of retrieval's."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of retrieving: `settings` go into each request; `form` is that of the questions, the
    one of all where None."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    form: str | None = None


USUAL = (
    Variant("configured"),
    Variant("dense", {"search": "dense"}),
    Variant("bm25", {"search": "bm25"}),
)
"""What is compared where nothing else is asked for: hybrid as it is configured, and its halves."""


def parse_variant(text: str) -> Variant:
    """Read `NAME=KEY=VALUE,KEY=VALUE`, or `NAME=` for the settings as they are configured.

    Values are numbers, true, false and null as JSON has them, else text.

    Raises:
        InvalidRequest: it is not of this form.
    """
    name, sign, rest = text.partition("=")
    name = name.strip()
    if not sign or not name:
        raise InvalidRequest(
            f"{text!r} is not of the form NAME=KEY=VALUE,KEY=VALUE: write "
            "hybrid=search=hybrid,fusion=rrf, for instance.",
            field="--compare",
        )
    settings: dict[str, Any] = {}
    for part in filter(None, (each.strip() for each in rest.split(","))):
        key, is_pair, value = part.partition("=")
        if not is_pair or not key.strip() or not value.strip():
            raise InvalidRequest(
                f"{part!r} in {text!r} is not of the form KEY=VALUE: write search=dense, for "
                "instance.",
                field="--compare",
            )
        settings[key.strip().replace("-", "_")] = _value(value.strip())
    form = settings.pop(FORM, None)
    return Variant(name, settings, None if form is None else str(form))


def parse_variants(texts: Sequence[str]) -> list[Variant]:
    """All of them, in their order; `USUAL` where there are none.

    Raises:
        InvalidRequest: one is wrong, or two have the same name.
    """
    variants = [parse_variant(text) for text in texts] or list(USUAL)
    names = [each.name for each in variants]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(
                f"Two settings are called {name!r}: give each a name of its own.", field="--compare"
            )
    return variants


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text
    return text if isinstance(value, (dict, list)) else value
