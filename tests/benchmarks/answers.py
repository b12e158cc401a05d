"""The extractive answerer over the sample documents: right answers, right and wrong refusals."""

import json
from pathlib import Path

from tests.benchmarks.report import Outcome, Row
from tests.benchmarks.stack import Stack, progress

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
TYPES = {".pdf", ".docx", ".html", ".md", ".txt"}
COLLECTION = "samples"

# As tests/integration/rag/test_sample_answers.py asks of the same questions.
LEAST_RIGHT, LEAST_REFUSED = 0.95, 0.75


def run(stack: Stack, quick: bool) -> Outcome:
    """Ask every question of docs/samples/questions.json through the stack."""
    files = sorted(p for p in SAMPLES.iterdir() if p.suffix in TYPES and p.stem != "README")
    stack.ingest(files, COLLECTION)
    asked = json.loads((SAMPLES / "questions.json").read_text(encoding="utf-8"))
    missed, refused = [], []
    for entry in asked["answerable"]:
        answer = stack.client.ask(entry["question"], collections=[COLLECTION])
        cited = {citation.document_name for citation in answer.citations}
        if not answer.answerable:
            refused.append(entry["question"])
        elif _plain(entry["must_contain"]) not in _plain(answer.text) or (
            "document" in entry and entry["document"] not in cited
        ):
            missed.append(entry["question"])
    invented = [
        entry["question"]
        for entry in asked["unanswerable"]
        if stack.client.ask(entry["question"], collections=[COLLECTION]).answerable
    ]
    answerable, unanswerable = len(asked["answerable"]), len(asked["unanswerable"])
    right = 1 - (len(missed) + len(refused)) / answerable
    rightly = 1 - len(invented) / unanswerable
    progress(f"answers: {right:.0%} right, {rightly:.0%} of the unanswerable refused")
    rows = [
        Row(
            f"right answers of {answerable}",
            f"{right:.0%}",
            goal=f"≥ {LEAST_RIGHT:.0%}",
            met=right >= LEAST_RIGHT,
        ),
        Row(f"wrong refusals of {answerable}", f"{len(refused) / answerable:.0%}"),
        Row(
            f"right refusals of {unanswerable}",
            f"{rightly:.0%}",
            goal=f"≥ {LEAST_REFUSED:.0%}",
            met=rightly >= LEAST_REFUSED,
        ),
    ]
    notes = [f"wrongly refused: {question}" for question in refused]
    notes += [f"answered wrongly: {question}" for question in missed]
    notes += [f"answered though nothing tells: {question}" for question in invented]
    values = {"missed": missed, "refused": refused, "invented": invented}
    return Outcome(rows, notes, values=values)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
