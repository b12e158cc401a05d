"""The list of broken requests."""

import json
from collections import Counter

import pytest

from flotilla.gateway.app import create_app
from tests.fuzz.broken import BrokenRequest, broken_requests
from tests.fuzz.broken_bodies import VALUES, with_odd_values
from tests.fuzz.raw import KINDS, WIRE

KNOWN = {"document_id": "d-1", "name": "shelf"}


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    """The gateway's own OpenAPI document."""
    return create_app().openapi()


@pytest.fixture(scope="module")
def requests(document: dict[str, object]) -> list[BrokenRequest]:
    return list(broken_requests(document, KNOWN))


def test_each_operation_that_takes_a_body_gets_every_kind_of_broken_body(
    document: dict[str, object], requests: list[BrokenRequest]
) -> None:
    kinds: dict[str, Counter[str]] = {}
    for request in requests:
        kinds.setdefault(request.label, Counter())[request.kind] += 1
    for template, operations in document["paths"].items():  # type: ignore[attr-defined]
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            wanted = {"body", "type", "header"} if content else set()
            wanted |= {"value"} if "application/json" in content else set()
            wanted |= {"upload"} if "multipart/form-data" in content else set()
            wanted |= {"path"} if "{" in template else set()
            names = {each["in"] for each in operation.get("parameters", [])}
            wanted |= {"query"} & names
            assert wanted <= set(kinds.get(f"{method.upper()} {template}", ())), template
    assert set(KINDS) == {request.kind for request in requests} | {WIRE}


def test_the_list_is_the_same_each_time(
    document: dict[str, object], requests: list[BrokenRequest]
) -> None:
    assert requests == list(broken_requests(document, KNOWN))
    assert len({str(request) for request in requests}) > 0.95 * len(requests)


def test_what_exists_is_asked_for_and_not_deleted(requests: list[BrokenRequest]) -> None:
    meant = [request for request in requests if "/d-1" in request.target]
    assert {request.template for request in meant} > {"/documents/{document_id}/reindex"}
    assert "delete" not in {request.method for request in meant}


def test_each_member_in_turn_is_each_odd_value() -> None:
    inner = {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}}
    schema = {"properties": {"a": {"type": "integer"}, "b": inner}}
    definitions = {"Inner": {"properties": {"c": {"anyOf": [{"type": "string"}, {}]}}}}
    made = list(with_odd_values(schema, {"a": 1}, definitions))
    assert len(made) == 4 * len(VALUES)  # a, b, b[0] and b[0].c
    bodies = {body for _, body in made}
    assert b'{"a": 1e400}' in bodies
    assert b'{"a": 1, "b": [{"c": "\\ud800"}]}' in bodies
    assert b'{"a": 1, "b": [null]}' in bodies
    # What is an integer to JSON may be too long for Python's own reader.
    readable = sum(_is_json(body) for body in bodies)
    assert len(bodies) // 2 < readable < len(bodies)


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True
