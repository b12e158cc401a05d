"""Conversations over the sample documents, through the gateway and the fleets."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

from flotilla.client import Flotilla, FlotillaAPIError
from flotilla.schemas import ChatResponse, Document
from tests.acceptance.stack import PATIENCE, Stack, wait_until

WARRANTY = "How long is the warranty on a used car?"
HOURS = "When does the showroom close on Saturdays?"

Ask = Callable[..., ChatResponse]


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """A user of the test's own."""
    return str(request.node.name)


@pytest.fixture
def ask(client: Flotilla, samples: dict[str, Document], user: str) -> Ask:
    """Asks a question in a conversation over the samples."""

    def chat(question: str, conversation_id: str | None = None) -> ChatResponse:
        return client.chat(
            question, conversation_id=conversation_id, user=user, collections=["samples"]
        )

    return chat


def rows(stack: Stack, query: str, *given: str) -> list[tuple[object, ...]]:
    ledger = stack.addresses.data / "ledger.sqlite"
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=15)) as connection:
        return connection.execute(query, given).fetchall()


def points(stack: Stack, conversation_id: str) -> int:
    """How many points of the conversation all collections of turns hold."""
    found = 0
    with httpx.Client(base_url=stack.addresses.qdrant, timeout=PATIENCE) as qdrant:
        for each in qdrant.get("/collections").json()["result"]["collections"]:
            of = {"key": "conversation_id", "match": {"value": conversation_id}}
            body = {"filter": {"must": [of]}, "exact": True}
            reply = qdrant.post(f"/collections/{each['name']}/points/count", json=body)
            found += reply.json()["result"]["count"]
    return found


def test_thanks_are_replied_to_and_do_not_end_a_topic(ask: Ask) -> None:
    first = ask(WARRANTY)
    second = ask("Thanks!", first.conversation_id)
    third = ask("And on a van?", first.conversation_id)
    fourth = ask("Are dogs allowed?", first.conversation_id)

    assert (second.answerable, second.model, second.text) == (True, "rule", "You are welcome.")
    assert [step.name for step in second.trace] == ["classify"]
    assert third.standalone_question == "How long is the warranty on a van?"
    assert (fourth.answerable, fourth.standalone_question) == (False, "Are dogs allowed?")


def test_a_follow_up_is_answered_from_the_right_document(ask: Ask) -> None:
    first = ask(WARRANTY)
    second = ask("And on a van?", first.conversation_id)
    third = ask("What is not covered?", first.conversation_id)

    assert first.standalone_question == WARRANTY
    assert first.chat_context_used.rewritten is None
    assert second.question == "And on a van?"
    assert second.standalone_question == "How long is the warranty on a van?"
    assert second.chat_context_used.rewritten is not None
    assert "three months" in second.text
    for answer in (first, second, third):
        assert answer.conversation_id == first.conversation_id
        assert answer.answerable, answer.standalone_question
        assert answer.citations[0].document_name == "delivery-and-warranty.html"
        assert answer.chat_context_used.passages == len(answer.passages) > 0
        # Without a model an answer quotes documents alone.
        assert answer.chat_context_used.turns == 0


def test_the_same_question_without_its_conversation_is_another_one(ask: Ask) -> None:
    ask(WARRANTY)

    alone = ask("And on a van?")

    assert alone.standalone_question == "And on a van?"


def test_a_conversation_is_read_as_it_was_said(client: Flotilla, ask: Ask, user: str) -> None:
    first = ask(WARRANTY)
    second = ask("And on a van?", first.conversation_id)

    read = client.conversation(first.conversation_id, user=user)
    part = client.conversation(first.conversation_id, user=user, limit=3)
    rest = client.conversation(first.conversation_id, user=user, limit=3, cursor=part.next_cursor)

    assert read.title == WARRANTY
    assert [(m.number, m.role, m.text) for m in read.messages] == [
        (1, "user", WARRANTY),
        (2, "assistant", first.text),
        (3, "user", "And on a van?"),
        (4, "assistant", second.text),
    ]
    assert read.messages[3].citations == list(second.citations)
    assert read.messages[2].standalone_question == second.standalone_question
    assert [m.task_id for m in read.messages[2:]] == [second.task_id] * 2
    assert [m.number for m in part.messages + rest.messages] == [1, 2, 3, 4]
    assert rest.next_cursor is None
    listed = list(client.conversations(user=user))
    assert [(c.conversation_id, c.message_count) for c in listed] == [(first.conversation_id, 4)]


def test_turns_that_are_asked_at_once_are_all_written(
    client: Flotilla, ask: Ask, user: str
) -> None:
    conversation_id = ask(WARRANTY).conversation_id
    asked = [f"{HOURS} ({number})" for number in range(6)]
    threads = [threading.Thread(target=ask, args=(each, conversation_id)) for each in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    read = client.conversation(conversation_id, user=user)

    assert [m.number for m in read.messages] == list(range(1, 15))
    assert sorted(m.text for m in read.messages if m.role == "user") == sorted([WARRANTY, *asked])
    for question, answer in zip(read.messages[::2], read.messages[1::2], strict=True):
        assert question.task_id == answer.task_id


def test_deleting_leaves_nothing(stack: Stack, client: Flotilla, ask: Ask, user: str) -> None:
    gone, kept = ask(WARRANTY), ask(HOURS)
    conversation_id = gone.conversation_id
    wait_until(lambda: points(stack, conversation_id) == 1, "the turn is remembered")
    wait_until(lambda: points(stack, kept.conversation_id) == 1, "the other one, too")

    accepted = client.delete_conversation(conversation_id, user=user)
    task = client.wait(accepted.task_id, timeout=PATIENCE)

    assert task.status == "completed", task.error
    assert task.result == {"conversation_id": conversation_id, "messages": 2, "points": 1}
    assert points(stack, conversation_id) == 0
    assert points(stack, kept.conversation_id) == 1
    for query in (
        "SELECT id FROM conversations WHERE id = ?",
        "SELECT id FROM messages WHERE conversation_id = ?",
        "SELECT id FROM jobs WHERE conversation_id = ?",
    ):
        assert rows(stack, query, conversation_id) == []
    with pytest.raises(FlotillaAPIError) as caught:
        client.task(gone.task_id)
    assert caught.value.status == 404
    assert [c.conversation_id for c in client.conversations(user=user)] == [kept.conversation_id]


def test_a_point_that_was_lost_is_written_again(stack: Stack, ask: Ask) -> None:
    conversation_id = ask(WARRANTY).conversation_id
    wait_until(lambda: points(stack, conversation_id) == 1, "the turn is remembered")
    forgotten = "UPDATE messages SET remembered_in = NULL, created_at = '2026-01-01' WHERE "
    ledger = stack.addresses.data / "ledger.sqlite"
    with closing(sqlite3.connect(ledger, timeout=15)) as connection, connection:
        connection.execute(f"{forgotten} conversation_id = ?", (conversation_id,))

    wait_until(
        lambda: (
            not rows(
                stack,
                "SELECT id FROM messages WHERE conversation_id = ? AND role = 'assistant' "
                "AND remembered_in IS NULL",
                conversation_id,
            )
        ),
        "the reaper had it remembered",
    )
    assert points(stack, conversation_id) == 1
