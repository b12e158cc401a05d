"""Conversations over HTTP while no fleet runs: begun, listed, renamed, deleted."""

from typing import Any

import httpx
import pytest

SOON = {"timeout": 0.05}


def ask(http: httpx.Client, user: str, question: str = "Who pays?", **body: object) -> Any:
    """Ask a question that nobody answers; the problem's document."""
    given = {"question": question, "user": user} | body
    reply = http.post("/chat", json=given, params=SOON)
    assert reply.status_code == 504, reply.text
    return reply.json()


def listed(http: httpx.Client, user: str, **params: object) -> Any:
    reply = http.get("/conversations", params={"user": user} | params)
    reply.raise_for_status()
    return reply.json()


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """A user of the test's own."""
    return str(request.node.name)


def test_a_turn_that_takes_too_long_tells_its_conversation(http: httpx.Client, user: str) -> None:
    problem = ask(http, user)

    assert problem["code"] == "answer_timeout"
    task = http.get(f"/tasks/{problem['task_id']}").json()
    assert (task["kind"], task["status"]) == ("query", "pending")
    found = http.get(f"/conversations/{problem['conversation_id']}", params={"user": user}).json()
    assert found["title"] == "Who pays?"
    assert (found["message_count"], found["messages"], found["next_cursor"]) == (0, [], None)


def test_a_question_may_be_called_message(http: httpx.Client, user: str) -> None:
    reply = http.post("/chat", json={"message": "Who pays?", "user": user}, params=SOON)

    assert reply.status_code == 504
    assert [each["title"] for each in listed(http, user)["items"]] == ["Who pays?"]


@pytest.mark.parametrize("field", ["question", "message"])
@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
def test_a_refusal_names_the_field_that_the_question_was_sent_in(
    http: httpx.Client, path: str, field: str
) -> None:
    for text in (" ", "a" * 100_000, 5):
        (error,) = http.post(path, json={field: text}, params=SOON).json()["errors"]
        assert error["field"] == field


def test_an_empty_id_is_of_no_conversation(http: httpx.Client, user: str) -> None:
    body = {"question": "How long?", "user": user, "conversation_id": ""}
    refused = http.post("/chat", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "conversation_id"


def test_a_question_that_is_refused_begins_no_conversation(http: httpx.Client, user: str) -> None:
    for body, code in (
        ({"question": " "}, "question_empty"),
        ({"question": "Who?", "collection": "nowhere"}, "collection_not_found"),
        ({"question": "Who?", "conversation_id": "none"}, "conversation_not_found"),
        ({"question": "Who?", "mode": "psychic"}, "invalid_request"),
    ):
        reply = http.post("/chat", json=body | {"user": user}, params=SOON)
        assert reply.json()["code"] == code

    assert listed(http, user)["items"] == []


def test_users_know_nothing_of_one_another(http: httpx.Client, user: str) -> None:
    conversation_id = ask(http, user)["conversation_id"]
    other = {"user": "somebody else"}

    replies = [
        http.get(f"/conversations/{conversation_id}", params=other),
        http.patch(f"/conversations/{conversation_id}", params=other, json={"title": "mine"}),
        http.delete(f"/conversations/{conversation_id}", params=other),
        http.post("/chat", json={"question": "?!a", "conversation_id": conversation_id} | other),
        http.get(f"/conversations/{conversation_id}"),  # of the user `default`
    ]

    for reply in replies:
        assert (reply.status_code, reply.json()["code"]) == (404, "conversation_not_found")
    assert listed(http, "somebody else")["items"] == []
    assert [each["title"] for each in listed(http, user)["items"]] == ["Who pays?"]


def test_the_list_is_read_in_parts(http: httpx.Client, user: str) -> None:
    for number in range(3):
        ask(http, user, f"Question {number}?")

    first = listed(http, user, limit=2)
    rest = listed(http, user, limit=2, cursor=first["next_cursor"])

    assert [each["title"] for each in first["items"]] == ["Question 2?", "Question 1?"]
    assert [each["title"] for each in rest["items"]] == ["Question 0?"]
    assert rest["next_cursor"] is None
    bad = http.get("/conversations", params={"cursor": "bm9uc2Vuc2U"})
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid_request")


def test_a_conversation_is_renamed(http: httpx.Client, user: str) -> None:
    address = f"/conversations/{ask(http, user)['conversation_id']}"

    renamed = http.patch(address, params={"user": user}, json={"title": "Payments"})

    assert renamed.json()["title"] == "Payments"
    assert http.get(address, params={"user": user}).json()["title"] == "Payments"
    refused = http.patch(address, params={"user": user}, json={"title": ""})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_deleting_a_conversation_cancels_its_turn_and_leaves_it_nowhere(
    http: httpx.Client, user: str
) -> None:
    problem = ask(http, user)
    address = f"/conversations/{problem['conversation_id']}"

    deleted = http.delete(address, params={"user": user})

    assert deleted.status_code == 202
    task = http.get(f"/tasks/{deleted.json()['task_id']}").json()
    assert (task["kind"], task["queue"]) == ("forget", "vectorstore")
    assert http.get(f"/tasks/{problem['task_id']}").json()["status"] == "cancelled"
    assert http.get(address, params={"user": user}).status_code == 404
    assert http.delete(address, params={"user": user}).status_code == 404
    assert listed(http, user)["items"] == []
    again = {"question": "And?", "user": user, "conversation_id": problem["conversation_id"]}
    assert http.post("/chat", json=again).json()["code"] == "conversation_not_found"
    refused = http.delete(f"/tasks/{task['task_id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
