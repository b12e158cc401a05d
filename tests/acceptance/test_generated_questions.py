"""Questions made from the sample documents, through the gateway and the rag fleet."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from flotilla.client import Flotilla
from flotilla.schemas import Document
from tests.acceptance.stack import PATIENCE, Stack

ADDRESS = "/api/chat/generate-questions"
GAP = "_____"


def exercises(text: str) -> list[tuple[str, str, str]]:
    """Question, answer and source of each exercise of a practice sheet."""
    return re.findall(r"^\d+\. (.+)\n   Answer: (.+)\n   Source: (.+)$", text, re.MULTILINE)


def test_practice_questions_stand_in_the_documents(
    raw: httpx.Client, client: Flotilla, samples: dict[str, Document]
) -> None:
    reply = raw.post(ADDRESS, json={"topic": "test drives", "count": 4, "collection": "samples"})
    assert reply.status_code == 200, reply.text
    assert set(reply.json()) == {"response", "timestamp"}
    moment = datetime.fromisoformat(reply.json()["timestamp"])
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=5)
    found = exercises(reply.json()["response"])
    assert 1 <= len(found) <= 4
    for question, answer, source in found:
        name, place = (*source.split(", "), "")[:2]
        number = int(place.removeprefix("page ")) if place.startswith("page ") else 1
        page = client.page(samples[name].document_id, number)
        text = " ".join(page.text.replace("**", "").split())
        assert question.replace(GAP, answer) in text or "; " in question


def test_without_a_topic_they_are_about_many_documents(
    raw: httpx.Client, samples: dict[str, Document]
) -> None:
    text = raw.post(ADDRESS, json={"collections": ["samples"]}).json()["response"]
    assert "No language model was used" in text
    found = exercises(text)
    assert len(found) == 25
    assert len({question for question, _, _ in found}) == 25
    assert len({source.split(",")[0] for _, _, source in found}) >= 4


def test_a_quiz_has_four_choices_and_a_key(client: Flotilla, samples: dict[str, Document]) -> None:
    made = client.generate_questions(count=5, mode="quiz", collections=["samples"])
    questions, _, key = made.response.partition("\nAnswers\n")
    assert len(re.findall(r"^\d+\. ", questions, re.MULTILINE)) == 5
    assert len(re.findall(r"^   [A-D]\) ", questions, re.MULTILINE)) == 20
    assert len(key.splitlines()) == 5


def test_null_means_the_same_as_left_out(raw: httpx.Client, samples: dict[str, Document]) -> None:
    body = {"topic": None, "count": None, "mode": None, "collection": "samples"}
    text = raw.post(ADDRESS, json=body).json()["response"]
    assert text.startswith("Practice questions: 25 questions")


@pytest.mark.parametrize(
    ("body", "field"),
    [({"mode": "exam"}, "mode"), ({"count": 0}, "count"), ({"count": 101}, "count")],
)
def test_what_cannot_be_made_names_its_field(
    raw: httpx.Client, body: dict[str, object], field: str
) -> None:
    reply = raw.post(ADDRESS, json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert reply.json()["errors"][0]["field"] == field


def test_a_collection_without_documents_says_so(raw: httpx.Client, client: Flotilla) -> None:
    client.create_collection("bare")
    text = raw.post(ADDRESS, json={"collection": "bare", "count": 3}).json()["response"]
    assert "Of 3 questions asked for, the documents gave none" in text
    assert raw.post(ADDRESS, json={"collection": "nowhere"}).json()["code"] == (
        "collection_not_found"
    )


def test_what_is_late_is_found_under_its_task(
    stack: Stack, raw: httpx.Client, client: Flotilla, samples: dict[str, Document]
) -> None:
    with stack.halted("rag-1"):
        reply = raw.post(
            ADDRESS, params={"timeout": 0.5}, json={"collection": "samples", "count": 2}
        )
        assert (reply.status_code, reply.json()["code"]) == (504, "answer_timeout")
    task = client.wait(reply.json()["task_id"], timeout=PATIENCE)
    assert (task.kind, task.status) == ("questions", "completed")
    assert len(exercises(task.result["response"])) == 2
