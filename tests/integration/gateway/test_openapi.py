"""The API describes itself."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from flotilla.gateway.app import create_app
from flotilla.settings import Settings


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_the_documentation_is_served(http: httpx.Client) -> None:
    assert "swagger" in http.get("/docs").text.lower()
    assert http.get("/openapi.json").json()["info"]["title"] == "Flotilla"


def test_each_operation_has_a_summary_and_an_id_of_its_own(document: dict[str, Any]) -> None:
    found = dict(operations(document))
    assert len(found) >= 25
    assert [name for name, operation in found.items() if not operation.get("summary")] == []
    ids = [operation["operationId"] for operation in found.values()]
    assert len(ids) == len(set(ids))


def test_each_operation_answers_errors_with_problems(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status in ("4XX", "5XX"):
            content = operation["responses"][status]["content"]
            schema = content["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}, name


def test_each_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    missing = {ref for ref in references(document) if ref.rpartition("/")[2] not in schemas}
    assert missing == set()


def test_what_a_request_must_hold_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = [
        schemas[reference.rpartition("/")[2]]
        for _, operation in operations(document)
        for reference in references(operation.get("requestBody", {}))
    ]
    assert len(bodies) >= 8
    for body in bodies:
        for field in body.get("required", ()):
            assert body["properties"][field].get("examples"), f"{body['title']}.{field}"
