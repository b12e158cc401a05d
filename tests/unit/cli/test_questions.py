"""`flotilla ask` and `flotilla search` as people and programs read them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import JSONResponse, StreamingResponse

from tests.doubles.gateway import GatewayDouble, a_problem
from tests.unit.cli.conftest import Run

PASSAGE: dict[str, Any] = {
    "chunk_id": "c1",
    "document_id": "d1",
    "document_name": "faq.docx",
    "version_id": "v1",
    "collection": "default",
    "position": 0,
    "text": "Opening hours are 9 to 17. " * 30,
    "start": 0,
    "end": 810,
    "page_start": None,
    "page_end": None,
    "heading_path": ["Visits", "Hours"],
    "score": 0.8125,
}

ANSWER: dict[str, Any] = {
    "question": "How long is the warranty?",
    "text": "It is twelve months [1]. [bold]Claims[/bold] go to the workshop [2].",
    "answerable": True,
    "citations": [
        {
            "number": 1,
            "document_id": "d2",
            "document_name": "terms.pdf",
            "chunk_id": "c2",
            "page_start": 3,
            "page_end": 4,
            "quote": "The warranty lasts\ntwelve months.",
            "start": 0,
            "end": 33,
        },
        {
            "number": 2,
            "document_id": "d1",
            "document_name": "faq.docx",
            "chunk_id": "c1",
            "page_start": None,
            "page_end": None,
            "heading_path": ["Warranty", "Claims"],
            "quote": "Claims go to the workshop.",
            "start": 0,
            "end": 26,
        },
    ],
    "passages": [PASSAGE],
    "model": "extractive",
    "timings": {"retrieve": 10.0, "generate": 20.0},
    "task_id": "t1",
}


@pytest.fixture
def answering(gateway: GatewayDouble) -> dict[str, Any]:
    reply = json.loads(json.dumps(ANSWER))
    gateway.scripted["POST", "/rag/query/sync"] = [JSONResponse(reply)]
    return reply


@pytest.mark.usefixtures("answering")
def test_an_answer_with_its_citations(run: Run, gateway: GatewayDouble) -> None:
    result = run(
        "ask", "How long?", "-c", "a", "-c", "b", "--top-k", 7, "--filter", '{"year": {"gte": 1}}'
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "It is twelve months [1]. [bold]Claims[/bold] go to the workshop [2].",
        "",
        "[1] terms.pdf, pages 3–4",
        "    “The warranty lasts twelve months.”",
        "[2] faq.docx, Warranty › Claims",
        "    “Claims go to the workshop.”",
        "",
        "extractive, 30 ms",
    ]
    [request] = gateway.seen("POST", "/rag/query/sync")
    assert request.json == {
        "question": "How long?",
        "collections": ["a", "b"],
        "top_k": 7,
        "filter": {"year": {"gte": 1}},
    }


@pytest.mark.usefixtures("answering")
def test_steps_of_the_search_are_sent_as_they_are_named(run: Run, gateway: GatewayDouble) -> None:
    result = run(
        "ask", "How long?", "--retrieval", "fusion=linear, dense_weight=0.6,prefetch=100,mmr=nan"
    )
    assert result.exit_code == 0, result.stderr
    [request] = gateway.seen("POST", "/rag/query/sync")
    # What they may be is the gateway's affair, which says what is wrong with one.
    assert request.json["retrieval"] == {
        "fusion": "linear",
        "dense_weight": 0.6,
        "prefetch": 100,
        "mmr": "nan",
    }


@pytest.mark.parametrize("steps", ["linear", "fusion=", "mmr=0.1,mmr=0.2"])
def test_steps_that_are_not_named_are_a_mistake(run: Run, steps: str) -> None:
    result = run("search", "How long?", "--retrieval", steps)
    assert result.exit_code == 2
    assert "--retrieval" in result.stderr


def test_a_search_says_what_is_to_be_known_of_it(run: Run, gateway: GatewayDouble) -> None:
    note = "No language model is configured."
    found = {"question": "How long?", "passages": [PASSAGE], "task_id": "t1", "notes": [note]}
    gateway.scripted["POST", "/rag/search"] = [JSONResponse(found)]
    result = run("search", "How long?", "--retrieval", "queries=3")
    assert note in result.stdout + result.stderr


def test_a_trace_shows_each_step_with_what_it_saw_and_cost(
    run: Run, gateway: GatewayDouble
) -> None:
    call = {
        "role": "grade",
        "model": "openai:small",
        "attempts": 2,
        "took": 45.6,
        "prompt_tokens": 300,
        "completion_tokens": 7,
    }
    answer = ANSWER | {
        "mode": "react",
        "trace": [
            {"name": "classify", "started": 0.0, "took": 1.2, "saw": {"kind": "question"}},
            {
                "name": "grade",
                "started": 12.0,
                "took": 46.0,
                "saw": {"kept": 1, "listed": [1, 2], "searched_for": "x" * 100},
                "calls": [call],
            },
        ],
        "usage": {"calls": 1, "prompt_tokens": 300, "completion_tokens": 7, "cost": 0.00012},
    }
    gateway.scripted["POST", "/rag/query/sync"] = [JSONResponse(answer)] * 2
    shown = run("ask", "How long?", "--trace").stdout
    assert "kind: question" in shown
    assert "kept: 1, listed: 1 2, searched_for: " + "x" * 60 + "…" in shown
    assert "openai:small as grade, 300 + 7 tokens, 46 ms, 2 attempts" in shown
    assert "1 calls of models, 300 + 7 tokens, cost 0.000120" in shown
    assert "classify" not in run("ask", "How long?").stdout


def test_json_is_the_gateways_answer(run: Run, answering: dict[str, Any]) -> None:
    result = run("ask", "How long?", "--json")
    reply = json.loads(result.stdout)
    assert reply["citations"][0]["quote"] == answering["citations"][0]["quote"]
    assert result.stderr == ""


def test_no_answer_looks_different_and_shows_what_is_near(run: Run, gateway: GatewayDouble) -> None:
    reply = ANSWER | {"answerable": False, "text": "The documents do not say.", "citations": []}
    gateway.scripted["POST", "/rag/query/sync"] = [JSONResponse(reply)]
    result = run("ask", "Who won?")
    assert result.exit_code == 0
    assert "No answer: The documents do not say." in result.stdout
    assert "1. faq.docx, Visits › Hours  score 0.812" in result.stdout
    assert "extractive" not in result.stdout


def test_an_answer_that_takes_too_long_names_its_task(run: Run, gateway: GatewayDouble) -> None:
    gateway.scripted["POST", "/rag/query/sync"] = [
        a_problem(504, "answer_timeout", "The answer is not ready.", task_id="t9")
    ]
    result = run("ask", "Why?")
    assert result.exit_code == 1
    assert "flotilla tasks wait t9" in result.stderr


def test_search_shows_blocks_with_excerpts(run: Run, gateway: GatewayDouble) -> None:
    reply = {"question": "hours", "passages": [PASSAGE], "task_id": "t1"}
    gateway.scripted["POST", "/rag/search"] = [JSONResponse(reply)] * 2
    result = run("search", "hours")
    assert "1. faq.docx, Visits › Hours  score 0.812" in result.stdout
    assert len(result.stdout) < len(PASSAGE["text"])
    as_json = run("search", "hours", "--json")
    assert json.loads(as_json.stdout)["passages"][0]["text"] == PASSAGE["text"]


def test_a_filter_has_to_be_an_object(run: Run, gateway: GatewayDouble) -> None:
    assert run("ask", "Why?", "--filter", "year=1").exit_code == 2
    assert not gateway.requests


def a_stream(*events: tuple[str, dict[str, Any]]) -> StreamingResponse:
    async def told() -> AsyncIterator[bytes]:
        for number, (name, data) in enumerate(events, 1):
            yield f"id: t1:{number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()

    return StreamingResponse(told(), media_type="text/event-stream")


TEXT = ANSWER["text"]


def test_a_streamed_answer_is_printed_once_with_its_citations(
    gateway: GatewayDouble, run: Run
) -> None:
    gateway.scripted["POST", "/rag/query/stream"] = [
        a_stream(
            ("token", {"text": TEXT[:20], "start": 0}),
            ("token", {"text": TEXT[20:], "start": 20}),
            ("citation", ANSWER["citations"][0]),
            ("done", ANSWER),
        )
    ]
    done = run("ask", "How long?", "--stream")
    assert done.exit_code == 0
    assert done.stdout.startswith(TEXT + "\n")
    assert done.stdout.count("twelve months [1]") == 1
    assert "terms.pdf, pages 3–4" in done.stdout


def test_a_streamed_answer_that_was_taken_back_ends_right(gateway: GatewayDouble, run: Run) -> None:
    gateway.scripted["POST", "/rag/query/stream"] = [
        a_stream(
            ("token", {"text": "It is ten years.", "start": 0}),
            ("token", {"text": TEXT[6:], "start": 6}),
            ("done", ANSWER),
        )
    ]
    done = run("ask", "How long?", "--stream")
    assert TEXT in done.stdout.removeprefix("It is ten years.")


def test_a_streamed_answer_as_lines_of_json(gateway: GatewayDouble, run: Run) -> None:
    gateway.scripted["POST", "/rag/query/stream"] = [
        a_stream(("token", {"text": TEXT, "start": 0}), ("done", ANSWER))
    ]
    lines = [json.loads(line) for line in run("ask", "?", "--stream", "--json").stdout.splitlines()]
    assert [line["event"] for line in lines] == ["token", "done"]
    assert lines[1]["answer"]["text"] == TEXT
