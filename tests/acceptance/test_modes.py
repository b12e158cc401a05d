"""The graphs on a stack whose models, that of embeddings too, are a server on localhost."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flotilla.client import AnswerEvent, DoneEvent, Flotilla, TokenEvent, TraceEvent
from flotilla.models import Answer, Mode
from flotilla.schemas import ChatResponse
from tests.acceptance.stack import PATIENCE, Stack, running_stack, wait_until
from tests.doubles.counted_words import counted, lost_and_repeated, question
from tests.doubles.openai_replies import Request, content_of
from tests.doubles.openai_server import OpenAIServer, Reply, calls, error, structured, text
from tests.doubles.tavily_server import KEY, TavilyServer, page

WARRANTY = "Used cars have a warranty of twelve months. Vans have one of six months."
HOURS = "The yard opens at nine o'clock. On Sundays it is closed."
BOATS = "A boat of private use needs no licence on inland waters."
BOATS_URL = "https://boats.example.com/licence"


def agent(request: Request) -> Reply | None:
    """Searches, reads the page of what was found, and names it."""
    found = [content_of(message) for message in request.messages if message["role"] == "tool"]
    if not found:
        return calls(("search_documents", {"query": "warranty on vans"}))
    document = re.search(r'document="([^"]+)">\nSource: warranty', found[0])
    assert document is not None
    if len(found) == 1:
        return calls(("read_page", {"document": document[1], "page": 1}))
    numbers = re.findall(r'<passage number="(\d+)"', found[1])
    return text(f"[{numbers[0]}]")


def model(request: Request) -> Reply | None:
    """Judges and writes by what is asked, or counts words."""
    if (words := counted(request)) is not None:
        return words
    asked = content_of(request.messages[-1])
    if "tools" in request.body or any(message["role"] == "tool" for message in request.messages):
        return agent(request)
    if "boat" in asked:
        return of_boats(request, asked)
    if request.schema is None:
        if "Newest question:" in asked:
            return text("How long is the warranty on vans?")
        number = 1 if asked.index(WARRANTY) < asked.find(HOURS) or HOURS not in asked else 2
        return text(f"Six months [{number}]. It may be prolonged.")
    fields = request.schema["properties"]
    if "relevant" in fields:
        first = HOURS not in asked or asked.index(WARRANTY) < asked.index(HOURS)
        return structured({"relevant": [1 if first else 2]})
    if "questions" in fields:
        number = 1 if HOURS not in asked or asked.index(WARRANTY) < asked.index(HOURS) else 2
        written = {"question": "How long?", "answer": "six months", "passage": number}
        return structured({"questions": [written | {"wrong_answers": []}]})
    if "verdicts" in fields:
        return structured({"verdicts": [{"statement": 1, "supported": True, "reason": ""}]})
    return structured({"small_talk": False, "reply": ""})


def of_boats(request: Request, asked: str) -> Reply:
    """Only the web says something about these."""
    if request.schema is None:
        return text("No licence is needed [1].")
    fields = request.schema["properties"]
    if "relevant" in fields:
        return structured({"relevant": [1] if BOATS in asked else []})
    if "query" in fields:
        return structured({"query": "boat licence"})
    return structured({"small_talk": False, "reply": "", "verdicts": []})


@pytest.fixture(scope="module")
def tavily() -> Iterator[TavilyServer]:
    server = TavilyServer()
    server.answer(page(BOATS_URL, BOATS))
    yield server
    server.close()


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        server.responder = model
        yield server


@pytest.fixture(scope="module")
def modelled(
    tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer, tavily: TavilyServer
) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("modelled")
    with running_stack(
        folder / "data",
        folder,
        LLM_MODEL="openai:local",
        LLM_BASE_URL=server.base_url,
        EMBEDDING_MODEL="openai:words",
        FLOTILLA_LLM_FALLBACKS="cached,extractive",
        TAVILY_API_KEY=KEY,
        FLOTILLA_WEB_BASE_URL=tavily.url,
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


def test_a_server_of_embeddings_that_is_away_for_a_while_costs_no_document(
    asking: Flotilla, server: OpenAIServer
) -> None:
    asking.create_collection("tow")
    server.script_embeddings(error(503), error(503))
    task = asking.ingest_text("A tow bar is fitted on Fridays.", name="tow.txt", collection="tow")
    ended = asking.wait(task.task_id, timeout=2 * PATIENCE)
    assert ended.status == "completed", ended.error
    failures = asking.task(task.task_id).failures or []
    assert {failure.code for failure in failures} == {"dependency_unavailable"}
    (passage,) = asking.search("When is a tow bar fitted?", collections=["tow"]).passages
    assert passage.document_name == "tow.txt"


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
        used = turn["chat_context_used"]
        assert (used["turns"], used["document_share"]) == (1, 0.7)
        assert len(used["messages"]) == 1
        kept = http.get(f"/conversations/{conversation}").json()["messages"]
        assert [message["role"] for message in kept] == ["user", "assistant"] * 2


def test_the_model_writes_questions_from_documents(asking: Flotilla, server: OpenAIServer) -> None:
    text = asking.generate_questions("warranty", count=1).response
    assert text == (
        "Practice questions on warranty: 1 question\n\n1. How long?\n   Answer: six months\n"
        "   Source: warranty.txt"
    )
    server.responder = lambda _request: error(503)
    try:
        text = asking.generate_questions("opening", count=1).response
    finally:
        server.responder = model
    assert "The language model wrote none" in text
    assert "No language model was used" in text


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


def test_where_no_model_answers_an_earlier_answer_stands_in(
    asking: Flotilla, server: OpenAIServer
) -> None:
    asked = "How long is the warranty on a van?"
    before = asking.ask(asked)
    assert before.model == "openai:local"
    server.responder = lambda _request: error(503)
    try:
        answer = asking.ask(asked, cache_control="no-cache")
    finally:
        server.responder = model
    assert answer.fallback_used == "cached"
    assert (answer.text, answer.citations) == (before.text, before.citations)


def test_an_agent_searches_reads_a_page_and_the_answer_cites_it(asking: Flotilla) -> None:
    answer = asking.ask("What is said on the warranty of vans?", mode=Mode.REACT)
    steps = [step.name for step in answer.trace]
    assert steps[1:7] == ["think", "search_documents", "think", "read_page", "think", "research"]
    (citation,) = answer.citations
    assert WARRANTY[citation.start : citation.end] == citation.quote
    page_of = asking.page(citation.document_id, 1)
    assert page_of.text[citation.start : citation.end] == citation.quote


def test_what_the_documents_do_not_hold_is_looked_for_on_the_web(
    asking: Flotilla, tavily: TavilyServer
) -> None:
    answer = asking.ask("Do I need a licence for a boat?", mode=Mode.CRAG)
    (citation,) = answer.citations
    assert (citation.url, citation.quote) == (BOATS_URL, BOATS)
    assert [each["query"] for each in tavily.searches] == ["boat licence"]


def test_a_run_whose_worker_is_killed_goes_on_behind_its_last_step(
    modelled: Stack, asking: Flotilla, server: OpenAIServer
) -> None:
    asked = "How long is the warranty on vans in all?"
    held, go_on = threading.Event(), threading.Event()

    def of_this(request: Request) -> list[str]:
        return [content_of(m) for m in request.messages if asked in content_of(m)]

    def holding(request: Request) -> Reply | None:
        if request.schema is None and of_this(request) and not held.is_set():
            held.set()
            go_on.wait(2 * PATIENCE)
        return model(request)

    server.responder = holding
    try:
        task = asking.ask_async(asked, mode=Mode.CRAG)
        assert held.wait(PATIENCE)
        for process in modelled.processes("rag-1"):
            process.kill()
        ended = asking.wait(task.task_id, timeout=2 * PATIENCE)
        answer = Answer.model_validate(ended.result)
    finally:
        go_on.set()
        server.responder = model
    assert [step.name for step in answer.trace][-2:] == ["generate", "verify"]
    judged = [each for each in server.requests if each.schema is not None and of_this(each)]
    # Classified, graded and verified once each, by two workers.
    assert len(judged) == 3
    assert answer.usage.calls == 4


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
