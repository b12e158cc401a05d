"""The graphs on a stack whose language model is a server on localhost."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flotilla.client import AnswerEvent, DoneEvent, Flotilla, TokenEvent, TraceEvent
from flotilla.models import Mode
from flotilla.schemas import ChatResponse
from tests.acceptance.stack import PATIENCE, Stack, running_stack, wait_until
from tests.doubles.counted_words import counted, lost_and_repeated, question
from tests.doubles.openai_replies import Request, content_of
from tests.doubles.openai_server import OpenAIServer, Reply, error, structured, text

WARRANTY = "Used cars have a warranty of twelve months. Vans have one of six months."
HOURS = "The yard opens at nine o'clock. On Sundays it is closed."


def model(request: Request) -> Reply:
    """Judges and writes by what is asked, or counts words."""
    if (words := counted(request)) is not None:
        return words
    asked = content_of(request.messages[-1])
    if request.schema is None:
        if "Newest question:" in asked:
            return text("How long is the warranty on vans?")
        number = 1 if asked.index(WARRANTY) < asked.find(HOURS) or HOURS not in asked else 2
        return text(f"Six months [{number}]. It may be prolonged.")
    fields = request.schema["properties"]
    if "relevant" in fields:
        first = HOURS not in asked or asked.index(WARRANTY) < asked.index(HOURS)
        return structured({"relevant": [1 if first else 2]})
    if "verdicts" in fields:
        return structured({"verdicts": [{"statement": 1, "supported": True, "reason": ""}]})
    return structured({"small_talk": False, "reply": ""})


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        server.responder = model
        yield server


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("modelled")
    with running_stack(
        folder / "data",
        folder,
        LLM_MODEL="openai:local",
        LLM_BASE_URL=server.base_url,
        FLOTILLA_LLM_FALLBACKS="extractive",
        FLOTILLA_LLM_ATTEMPTS="1",
        FLOTILLA_JOB_LEASE_SECONDS="3",
        FLOTILLA_JOB_GRACE_SECONDS="2",
        FLOTILLA_GATEWAY_STREAM_GRACE="120",  # longer than a busy machine takes for a gateway
        FLOTILLA_LLM_PRICES='{"openai:local": {"input": 1, "output": 2}}',
    ) as stack:
        with Flotilla(stack.url) as client:
            for name, body in (("warranty.txt", WARRANTY), ("hours.txt", HOURS)):
                task = client.ingest_text(body, name=name).task_id
                assert client.wait(task, timeout=PATIENCE).status == "completed"
        yield stack


@pytest.fixture
def asking(modelled: Stack) -> Iterator[Flotilla]:
    with Flotilla(modelled.url) as client:
        yield client


def test_crag_grades_writes_verifies_and_says_what_it_cost(asking: Flotilla) -> None:
    answer = asking.ask("How long is the warranty on vans?", mode=Mode.CRAG)
    assert [step.name for step in answer.trace] == [
        "classify",
        "retrieve",
        "grade",
        "generate",
        "verify",
    ]
    assert [passage.document_name for passage in answer.passages] == ["warranty.txt"]
    assert answer.citations[0].quote in WARRANTY
    (flagged,) = answer.unsupported
    assert answer.text[flagged.start : flagged.end] == "It may be prolonged."
    assert answer.usage.calls == 4
    assert answer.usage.cost


def test_a_follow_up_is_rewritten_by_the_model(modelled: Stack) -> None:
    with httpx.Client(base_url=modelled.url, timeout=PATIENCE) as http:
        first = http.post("/chat", json={"question": "How long is the warranty on used cars?"})
        assert first.status_code == 200, first.text
        conversation = first.json()["conversation_id"]
        turn = http.post(
            "/chat", json={"message": "And on vans?", "conversation_id": conversation}
        ).json()
        assert turn["standalone_question"] == "How long is the warranty on vans?"
        assert turn["trace"][0]["name"] == "follow_up"
        kept = http.get(f"/conversations/{conversation}").json()["messages"]
        assert [message["role"] for message in kept] == ["user", "assistant"] * 2


def test_a_model_that_is_down_leaves_sentences_of_the_documents(
    asking: Flotilla, server: OpenAIServer
) -> None:
    server.responder = lambda _request: error(503)
    try:
        answer = asking.ask("When does the yard open?")
    finally:
        server.responder = model
    assert answer.answerable
    assert answer.fallback_used == answer.model == "extractive"
    assert answer.citations[0].document_name == "hours.txt"
    assert answer.notes


def text_of(events: list[AnswerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TokenEvent))


def test_a_streamed_turn_is_read_while_the_model_writes_it(asking: Flotilla) -> None:
    events = list(asking.chat_stream(question(40, 30)))
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert isinstance(done.answer, ChatResponse)
    assert text_of(events) == done.answer.text
    assert lost_and_repeated(done.answer.text, 40) == (0, 0)
    assert sum(isinstance(event, TokenEvent) for event in events) > 5
    traced = [event.step for event in events if isinstance(event, TraceEvent)]
    assert traced == list(done.answer.trace)
    kept = asking.conversation(done.answer.conversation_id).messages
    assert [message.text for message in kept] == [question(40, 30), done.answer.text]


def test_no_token_is_lost_or_repeated_when_worker_and_gateway_are_killed(
    modelled: Stack, asking: Flotilla
) -> None:
    events: list[AnswerEvent] = []

    def read() -> None:
        events.extend(asking.stream(question(150, 40)))

    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: len(text_of(events).split()) > 10, "the answer has begun")
    for program in ("rag-1", "gateway"):
        processes = modelled.processes(program)
        assert processes
        for process in processes:
            process.kill()
    assert "word150" not in text_of(events)
    reader.join(3 * PATIENCE)
    assert not reader.is_alive(), text_of(events)
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert text_of(events) == done.answer.text
    assert lost_and_repeated(done.answer.text, 150) == (0, 0)
