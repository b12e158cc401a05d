"""Questions over the sample documents, through the gateway and the rag fleet."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from flotilla.client import CitationEvent, DoneEvent, Flotilla, TokenEvent, TraceEvent
from flotilla.schemas import AnswerResponse, Document
from tests.acceptance.stack import PATIENCE, SAMPLES, Stack

QUESTIONS = json.loads((SAMPLES / "questions.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def answers(
    client: Flotilla, samples: dict[str, Document]
) -> list[tuple[dict[str, Any], AnswerResponse]]:
    """Each answerable question with its answer."""
    return [
        (asked, client.ask(asked["question"], collections=["samples"]))
        for asked in QUESTIONS["answerable"]
    ]


def test_answers_cite_the_right_document_and_page(
    answers: list[tuple[dict[str, Any], AnswerResponse]],
) -> None:
    wrong = [
        asked["question"]
        for asked, answer in answers
        if not any(
            citation.document_name == asked["document"]
            and (
                asked["page"] is None
                or (citation.page_start or 0) <= asked["page"] <= (citation.page_end or 0)
            )
            for citation in answer.citations
        )
    ]
    # What extraction without a language model reaches; each miss more is a step back.
    assert len(wrong) <= 2, wrong


def test_each_quote_stands_where_it_is_said_to_stand(
    client: Flotilla,
    samples: dict[str, Document],
    answers: list[tuple[dict[str, Any], AnswerResponse]],
) -> None:
    chunks = {
        chunk.chunk_id: chunk
        for document in samples.values()
        for chunk in client.chunks(document.document_id)
    }
    quoted = 0
    for _, answer in answers:
        for citation in answer.citations:
            chunk = chunks[citation.chunk_id]
            start, end = citation.start - chunk.start, citation.end - chunk.start
            assert chunk.text[start:end] == citation.quote
            assert f"[{citation.number}]" in answer.text
            quoted += 1
    assert quoted >= len(answers) - 2


def test_each_quote_is_read_on_its_page(
    client: Flotilla,
    samples: dict[str, Document],
    answers: list[tuple[dict[str, Any], AnswerResponse]],
) -> None:
    checked, numbers = 0, set()
    for citation in (citation for _, answer in answers for citation in answer.citations):
        if citation.page_start != citation.page_end:
            continue
        page = client.page(citation.document_id, citation.page_start or 1)
        quoted = page.text[citation.start - page.start : citation.end - page.start]
        assert quoted == citation.quote
        assert page.number == citation.page_start
        checked += 1
        numbers.add((citation.document_name, page.page))
    assert checked >= len(answers) - 2
    assert len(numbers) >= 10, "pages of several blobs and documents are read"


def test_what_no_document_holds_is_not_answered(
    client: Flotilla, samples: dict[str, Document]
) -> None:
    for asked in QUESTIONS["unanswerable"][:3]:
        answer = client.ask(asked["question"], collections=["samples"])
        assert answer.answerable == bool(answer.citations)
        assert answer.passages, "what was found nearby is shown all the same"
    nothing = client.ask("zxqv wvut plokm?", collections=["samples"])
    assert not nothing.answerable
    assert nothing.citations == ()


def test_an_answer_can_be_polled(client: Flotilla, samples: dict[str, Document]) -> None:
    question = "When does the showroom close on Saturdays?"
    accepted = client.ask_async(question, collections=["samples"])
    task = client.wait(accepted.task_id, timeout=PATIENCE)
    assert task.status == "completed"
    assert task.result["question"] == question
    assert task.result["citations"][0]["document_name"] == "opening-hours.txt"


def test_search_keeps_to_collections_and_filters(
    client: Flotilla, samples: dict[str, Document]
) -> None:
    for name in ("filtered-a", "filtered-b"):
        client.create_collection(name)
    accepted = [
        client.ingest_text(
            f"The mast of boat {number} is {10 + number} metres high.",
            name=f"boat-{number}.txt",
            collection="filtered-a" if number < 3 else "filtered-b",
            metadata={"built": 2020 + number, "kind": "odd" if number % 2 else "even"},
        )
        for number in range(5)
    ]
    for each in accepted:
        assert client.wait(each.task_id, timeout=PATIENCE).status == "completed"

    def found(**conditions: Any) -> set[str]:
        passages = client.search("How high is the mast?", top_k=10, **conditions).passages
        return {passage.document_name.removesuffix(".txt") for passage in passages}

    both = ["filtered-a", "filtered-b"]
    assert found(collections=["filtered-b"]) == {"boat-3", "boat-4"}
    assert found(collections=both) == {f"boat-{number}" for number in range(5)}
    assert found(collections=both, filter={"kind": "odd"}) == {"boat-1", "boat-3"}
    assert found(collections=both, filter={"built": {"gte": 2023}}) == {"boat-3", "boat-4"}
    narrow = {"built": [2020, 2021, 2024], "kind": {"not": "odd"}}
    assert found(collections=both, filter=narrow) == {"boat-0", "boat-4"}
    assert found(collections=both, filter={"nothing": "such"}) == set()


async def test_64_clients_at_once_all_get_their_answer(
    stack: Stack, samples: dict[str, Document]
) -> None:
    questions = [asked["question"] for asked in QUESTIONS["answerable"]]
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=stack.url, timeout=PATIENCE, limits=limits) as http:

        async def ask(number: int) -> None:
            question = questions[number % len(questions)]
            body = {"question": question, "collection": "samples"}
            for _ in range(2):
                reply = await http.post("/rag/query/sync", json=body)
                assert reply.status_code == 200, reply.text
                assert reply.json()["question"] == question

        began = time.monotonic()
        await asyncio.gather(*(ask(number) for number in range(64)))
    # A wake-up that is lost costs the whole timeout of its request.
    assert time.monotonic() - began < PATIENCE


def test_an_answer_that_is_late_is_found_under_its_task(
    stack: Stack, raw: httpx.Client, client: Flotilla, samples: dict[str, Document]
) -> None:
    body = {"question": "When does the showroom close on Saturdays?", "collection": "samples"}
    with stack.halted("rag-1"):
        replies = [
            raw.post("/rag/query/sync", params={"timeout": 0.5}, json=body) for _ in range(2)
        ]
        problems = [reply.json() for reply in replies]
        assert [reply.status_code for reply in replies] == [504, 504]
        assert {problem["code"] for problem in problems} == {"answer_timeout"}
        ids = [problem["task_id"] for problem in problems]
        waiting = [client.task(task_id) for task_id in ids]
        assert [task.queue_position for task in waiting] == [1, 2]
    for task_id in ids:
        task = client.wait(task_id, timeout=PATIENCE)
        assert task.status == "completed"
        assert task.result["answerable"]


def test_a_streamed_answer_is_the_one_that_is_waited_for(
    client: Flotilla, answers: list[tuple[dict[str, Any], AnswerResponse]]
) -> None:
    unanswerable = [
        (asked, client.ask(asked["question"], collections=["samples"]))
        for asked in QUESTIONS["unanswerable"][:3]
    ]
    for asked, waited in (*answers[:8], *unanswerable):
        events = list(client.stream(asked["question"], collections=["samples"]))
        done = events[-1]
        assert isinstance(done, DoneEvent)
        told = "".join(event.text for event in events if isinstance(event, TokenEvent))
        assert told == done.answer.text == waited.text
        cited = [event.citation for event in events if isinstance(event, CitationEvent)]
        assert cited == list(done.answer.citations)
        traced = [event.step for event in events if isinstance(event, TraceEvent)]
        assert traced == list(done.answer.trace)
