"""What every request's body refuses, whichever it is."""

import types
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest
from pydantic import TypeAdapter, ValidationError

import flotilla.schemas
from flotilla.schemas import Request


def requests(kind: type[Request] = Request) -> Iterator[type[Request]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith(flotilla.schemas.__name__):
            yield each
        yield from requests(each)


def numeric(annotation: Any) -> bool:
    """Whether a field of this type is a number, or null."""
    if isinstance(annotation, types.UnionType):
        return any(numeric(each) for each in get_args(annotation))
    if get_origin(annotation) is not None:
        return any(numeric(each) for each in get_args(annotation)[:1])
    return annotation in (int, float)


NUMBERS = [
    (request, name)
    for request in requests()
    for name, field in request.model_fields.items()
    if numeric(field.annotation)
]


def test_the_numbers_of_all_bodies_are_looked_at() -> None:
    names = {f"{request.__name__}.{name}" for request, name in NUMBERS}
    assert {"GenerateQuestionsRequest.count", "ChatRequest.top_k", "AddRequest.x"} <= names


@pytest.mark.parametrize(("request_type", "name"), NUMBERS)
def test_true_is_no_number(request_type: type[Request], name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(request_type).validate_python({name: True})
    told = {each["loc"]: each["msg"] for each in caught.value.errors()}
    assert "true and false are no numbers" in told[(name,)]
    with pytest.raises(ValidationError) as caught:  # its other fields are missing
        request_type.model_validate({name: 1, "?": None})
    assert (name,) not in {each["loc"] for each in caught.value.errors()}
