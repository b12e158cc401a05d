"""The API describes itself."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from flotilla import models, schemas
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
    page = http.get("/docs").text
    # Nothing of the page comes from elsewhere: a machine without the web shows it too.
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    assert all(http.get(source).status_code == 200 for source in sources)
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


def schema_of(name: str) -> TypeAdapter[Any]:
    """The model of a component: `Listing_Task_` is `Listing[Task]`."""
    if name.startswith("Listing_"):
        item = getattr(schemas, name.removeprefix("Listing_").removesuffix("_"))
        return TypeAdapter(schemas.Listing[item])
    return TypeAdapter(getattr(schemas, name, None) or getattr(models, name))


def assert_fits(name: str, example: Any) -> None:
    """An example holds what its schema demands, and no field that the schema does not know."""
    adapter = schema_of(name)
    value = adapter.validate_python(example)
    assert adapter.dump_python(value, mode="json", exclude_unset=True) == example, name


def test_each_body_and_each_success_has_an_example_that_fits(document: dict[str, Any]) -> None:
    seen = 0
    for name, operation in operations(document):
        successes = [r for status, r in operation["responses"].items() if status.startswith("2")]
        assert successes, name
        for part in (*successes, operation.get("requestBody")):
            media = (part or {}).get("content", {}).get("application/json")
            if media is None:
                continue
            assert "example" in media, name
            assert_fits(media["schema"]["$ref"].rpartition("/")[2], media["example"])
            seen += 1
    assert seen >= 30


def test_each_component_has_an_example_that_fits(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        if "enum" not in schema:
            assert schema.get("examples"), name
            for example in schema["examples"]:
                assert_fits(name, example)


def test_an_upload_has_an_example_of_its_parts(document: dict[str, Any]) -> None:
    content = document["paths"]["/documents"]["post"]["requestBody"]["content"]
    media = content["multipart/form-data"]
    schema = media["schema"]
    assert set(schema["required"]) <= set(media["example"]) <= set(schema["properties"])
    assert isinstance(json.loads(media["example"]["metadata"]), dict)


def test_each_parameter_has_an_example(document: dict[str, Any]) -> None:
    missing = [
        f"{name} {parameter['name']}"
        for name, operation in operations(document)
        for parameter in operation.get("parameters", ())
        if "example" not in parameter
    ]
    assert missing == []


def test_problems_are_named_where_they_occur(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        expected = set()
        if "{" in name:
            expected.add("404")
        if "requestBody" in operation:
            expected |= {"413", "422"}
        if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
            expected.add("422")
        if any(parameter["name"] == "timeout" for parameter in operation.get("parameters", ())):
            expected |= {"503", "504"}
        assert expected <= set(operation["responses"]), name


def test_the_problems_shown_are_problems(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            media = response["content"].get("application/problem+json", {})
            for code, example in media.get("examples", {}).items():
                assert_fits("Problem", example["value"])
                assert (example["value"]["code"], example["value"]["status"]) == (
                    code,
                    int(status),
                ), name
            if status == "503" and media and not name.startswith("DELETE"):
                assert "Retry-After" in response["headers"], name


@pytest.mark.parametrize(
    ("address", "body", "field"),
    [
        ("/collections", {"name": "-no"}, "name"),
        ("/rag/query", {"question": "Who?", "collection": "a b"}, "collection"),
        ("/rag/query", {"question": "Who?", "collections": ["a", "/"]}, "collections.1"),
        ("/rag/pipeline", {"text": "x", "collection": "x" * 64}, "collection"),
    ],
)
def test_a_collection_name_is_refused_in_words(
    http: httpx.Client, address: str, body: dict[str, object], field: str
) -> None:
    problem = http.post(address, json=body).json()
    assert problem["errors"][0]["field"] == field
    assert "begins with a letter or digit" in problem["detail"]
    assert "^" not in problem["detail"]


@pytest.mark.parametrize(
    ("content", "media_type", "advice"),
    [
        (b'{"data": ', "application/json", "not valid JSON"),
        (b'{"data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "application/json", "nested"),
        (b'{"data": ' + b"[" * 300 + b"]" * 300 + b"}", "application/json", "nested"),
        (b'{"data": "\xff"}', "application/json", "UTF-8"),
        (b'{"data": 1}', "text/plain", "content-type: application/json"),
        (b'{"data": 1}', None, "content-type: application/json"),
        (b"", "application/json", "There is no body"),
        (b"[1]", "application/json", "no JSON object"),
    ],
)
def test_a_body_that_cannot_be_read_says_what_to_do(
    http: httpx.Client, content: bytes, media_type: str | None, advice: str
) -> None:
    headers = {"content-type": media_type} if media_type else {}
    reply = http.post("/tasks/process", content=content, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request"), reply.text
    assert advice in reply.json()["detail"]


def test_tasks_are_listed_by_a_kind_that_there_is(http: httpx.Client) -> None:
    task_id = http.post("/tasks/process", json={"data": "x"}).json()["task_id"]
    items = http.get("/tasks", params={"kind": "demo", "limit": 1}).json()["items"]
    assert [item["task_id"] for item in items] == [task_id]
    assert http.get("/tasks", params={"kind": "nonsense"}).status_code == 422


@pytest.mark.parametrize("question", ["\u200b", "\u2060\ufeff \u00ad", "\u202e\u0301"])
def test_a_question_that_nobody_can_see_is_empty(http: httpx.Client, question: str) -> None:
    assert http.post("/rag/query", json={"question": question}).json()["code"] == "question_empty"


def test_a_key_of_metadata_has_a_bound(http: httpx.Client) -> None:
    for length, status in ((200, 202), (201, 422)):
        metadata = {"k" * length: 1}
        body = {"text": f"A key of {length}", "metadata": metadata}
        assert http.post("/rag/pipeline", json=body).status_code == status
        files = {"files": (f"key-{length}.txt", f"A file with a key of {length}".encode())}
        form = {"metadata": json.dumps(metadata)}
        assert http.post("/documents", files=files, data=form).status_code == status
