"""`flotilla chat` and `flotilla conversations` as people and programs read them."""

import json
from typing import Any

from starlette.responses import JSONResponse

from tests.doubles.gateway import STARTED, GatewayDouble, a_problem, a_task
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_questions import ANSWER, TEXT, a_stream

CONTEXT: dict[str, Any] = {
    "budget_tokens": 3000,
    "document_share": 0.7,
    "passages": 5,
    "passage_tokens": 596,
    "turns": 0,
    "turn_tokens": 0,
    "recalled": 0,
    "messages": [],
    "rewritten": None,
}
REPLY: dict[str, Any] = ANSWER | {
    "question": "And on a van?",
    "conversation_id": "talk-1",
    "standalone_question": "How long is the warranty on a van?",
    "chat_context_used": CONTEXT | {"rewritten": "a part was replaced"},
}
TALK: dict[str, Any] = {
    "conversation_id": "talk-1",
    "user": "default",
    "title": "How long is the warranty?",
    "message_count": 4,
    "created_at": STARTED.isoformat(),
    "updated_at": STARTED.isoformat(),
}


def said(number: int, text: str, **fields: Any) -> dict[str, Any]:
    role = "user" if number % 2 else "assistant"
    message = {"message_id": f"m{number}", "number": number, "role": role, "text": text}
    rest = {"tokens": 5, "task_id": "t1", "created_at": STARTED.isoformat()}
    return message | rest | fields


def streams(gateway: GatewayDouble, reply: dict[str, Any]) -> None:
    gateway.scripted["POST", "/chat/stream"] = [
        a_stream(
            ("token", {"text": TEXT[:20], "start": 0}),
            ("token", {"text": TEXT[20:], "start": 20}),
            ("done", reply),
        )
    ]


def test_a_turn_ends_with_its_conversation_and_how_to_go_on(
    run: Run, gateway: GatewayDouble
) -> None:
    streams(gateway, REPLY)
    done = run(
        "chat", "And on a van?", "--conversation", "talk-1", "-c", "a b", "--mode", "crag",
        "--user", "anne",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == TEXT
    assert lines[2] == "[1] terms.pdf, pages 3–4"
    assert lines[-4:] == [
        "extractive, 30 ms",
        "read as: How long is the warranty on a van?",
        "conversation talk-1",
        "go on with: "
        """flotilla chat "…" --conversation talk-1 -c 'a b' --mode crag --user anne""",
    ]
    [request] = gateway.seen("POST", "/chat/stream")
    assert request.json == {
        "question": "And on a van?",
        "conversation_id": "talk-1",
        "user": "anne",
        "collections": ["a b"],
        "filter": {},
        "mode": "crag",
    }


def test_what_was_asked_as_it_is_read_is_not_repeated(run: Run, gateway: GatewayDouble) -> None:
    streams(gateway, REPLY | {"chat_context_used": CONTEXT})
    assert "read as" not in run("chat", "Why?").stdout


def test_json_is_the_gateways_answer_to_the_turn(run: Run, gateway: GatewayDouble) -> None:
    streams(gateway, REPLY)
    reply = json.loads(run("chat", "And on a van?", "--json").stdout)
    assert (reply["text"], reply["conversation_id"]) == (TEXT, "talk-1")


def test_without_a_terminal_the_message_has_to_be_given(run: Run, gateway: GatewayDouble) -> None:
    for arguments in ((), ("--json",)):
        done = run("chat", *arguments)
        assert done.exit_code == 2
        assert "MESSAGE" in done.stderr
    assert not gateway.requests


def test_an_unknown_conversation_is_one_line(run: Run, gateway: GatewayDouble) -> None:
    gateway.scripted["POST", "/chat/stream"] = [
        a_problem(404, "conversation_not_found", "There is no conversation 'x'.")
    ]
    done = run("chat", "Why?", "--conversation", "x")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: There is no conversation 'x'.")


def test_conversations_are_listed(run: Run, gateway: GatewayDouble) -> None:
    listing = {"items": [TALK], "next_cursor": None}
    gateway.scripted["GET", "/conversations"] = [JSONResponse(listing) for _ in range(2)]
    assert "talk-1" in run("conversations", "--user", "anne").stdout
    assert gateway.requests[-1].params["user"] == "anne"
    [listed] = json.loads(run("conversations", "list", "--json").stdout)
    assert listed["message_count"] == 4
    gateway.scripted["GET", "/conversations"] = [JSONResponse({"items": [], "next_cursor": None})]
    assert "flotilla chat" in run("conversations").stderr


def parts() -> list[JSONResponse]:
    answered = said(2, TEXT, citations=ANSWER["citations"], answerable=True)
    first = TALK | {"messages": [said(1, TALK["title"]), answered], "next_cursor": "2"}
    refused = said(4, "The documents do not say.", citations=[], answerable=False)
    second = TALK | {"messages": [said(3, "Who won?"), refused], "next_cursor": None}
    return [JSONResponse(first), JSONResponse(second)]


def test_all_that_was_said_is_shown(run: Run, gateway: GatewayDouble) -> None:
    gateway.scripted["GET", "/conversations/talk-1"] = parts() + parts()
    assert run("conversations", "show", "talk-1").stdout.splitlines() == [
        "How long is the warranty?",
        "",
        "> How long is the warranty?",
        TEXT,
        "[1] terms.pdf, pages 3–4",
        "[2] faq.docx, Warranty › Claims",
        "",
        "> Who won?",
        "The documents do not say.",
    ]
    read = json.loads(run("conversations", "show", "talk-1", "--json").stdout)
    assert [message["number"] for message in read["messages"]] == [1, 2, 3, 4]


def test_a_conversation_is_deleted_by_who_says_yes(run: Run, gateway: GatewayDouble) -> None:
    refused = run("conversations", "delete", "talk-1")
    assert refused.exit_code == 2
    assert not gateway.requests
    gateway.add_task("forgetting", a_task("forgetting", kind="forget"))
    gateway.scripted["DELETE", "/conversations/talk-1"] = [
        JSONResponse({"task_id": "forgetting"}, 202)
    ]
    done = run("conversations", "delete", "talk-1", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "Conversation talk-1 is deleted." in done.stderr
