"""Models for the double that need no script: they answer by what is asked."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.doubles.openai_replies import Reply, Request, content_of, structured, text

Responder = Callable[[Request], Reply | None]
"""What answers a request; None leaves it to the script."""

_PASSAGE = re.compile(
    r'<passage number="(\d+)">\n(?:Source:[^\n]*\n)?(.*?)\n?</passage>', re.DOTALL
)


def passages(request: Request) -> Reply:
    """The first sentence of each of the first two passages, with its number; objects by their
    schema; small words else. What is asked to be continued goes on exactly where it stops."""
    if request.schema is not None:
        return structured(example_of(request.schema))
    found = [
        match
        for m in request.messages
        if m["role"] == "user"
        for match in _PASSAGE.findall(content_of(m))
    ]
    sentences = [
        f"{_first_sentence(body)} [{number}]." for number, body in found[:2] if body.strip()
    ]
    return rest_of(" ".join(sentences) or "NOT_IN_PASSAGES: The documents do not say.", request)


def numbers(request: Request) -> Reply:
    """A hundred numbered words: what is missing or comes twice is seen at once."""
    if request.schema is not None:
        return structured(example_of(request.schema))
    return rest_of(" ".join(f"word{number}" for number in range(100)) + " [1].", request)


def echo(request: Request) -> Reply:
    """The newest message."""
    return text(request.last)


RESPONDERS: dict[str, Responder] = {"passages": passages, "numbers": numbers, "echo": echo}


def rest_of(whole: str, request: Request) -> Reply:
    """The answer, or what is left of it after the part that the request holds."""
    partial = request.partial
    if partial and whole.startswith(partial):
        return text(whole[len(partial) :])
    return text(whole)


def paced(responder: Responder, pause: float, delay: float = 0.0) -> Responder:
    """The same with `pause` seconds between chunks and `delay` before the first."""

    def answer(request: Request) -> Reply | None:
        reply = responder(request)
        return reply and replace(reply, pause=pause, delay=delay)

    return answer


def example_of(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """A value that fits a JSON schema: true, 1, the first of an enumeration, one of a list."""
    root = root or schema
    if "$ref" in schema:
        target: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return example_of(target, root)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example_of(schema[choice][0], root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        return {
            name: example_of(inner, root) for name, inner in schema.get("properties", {}).items()
        }
    if kind == "array":
        return [example_of(schema.get("items", {}), root)] * max(1, schema.get("minItems", 1))
    simple = {"string": "text", "integer": 1, "number": 1.0, "boolean": True, "null": None}
    return simple[kind]


def _first_sentence(body: str) -> str:
    return re.split(r"(?<=[.!?])\s", body.strip(), maxsplit=1)[0].rstrip(".!?")
