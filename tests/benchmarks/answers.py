"""Extractive answers about the samples and other documents: what is answered and refused, rightly
or not."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.report import Outcome, Row
from tests.benchmarks.stack import Stack, progress

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "docs" / "samples"
TESTS = ROOT / "tests" / "integration" / "rag"
TYPES = {".pdf", ".docx", ".html", ".md", ".txt"}
COLLECTION, TOWN_COLLECTION, OFFICE_COLLECTION = "samples", "town", "office"

FITTED = (
    SAMPLES / "questions.json",
    TESTS / "more_questions.json",
    TESTS / "unanswerable_questions.json",
)
HELD_OUT = (TESTS / "held_out_questions.json", TESTS / "held_out_refusals.json")
"""Questions that were written before anything was fitted, and fitted nothing."""

TOWN = TESTS / "town"
"""Documents of other kinds, with questions for what is not so, the most of something, hours, and
fields; half of them were set aside while the rules for these were written."""

OFFICE = TESTS / "office"
"""A handbook, a data sheet, a page on a course and a German contract, with questions as a stranger
asks them; half of them were set aside while the rules for other words and for rows were written."""

LEAST_RIGHT, LEAST_REFUSED = 0.80, 0.75
"""Of the questions that were held out: what extraction without a language model reaches."""


@dataclass
class Tally:
    """What became of some questions: those that were not right, in words."""

    answerable: int = 0
    unanswerable: int = 0
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)

    @property
    def right(self) -> float:
        """Share of the answerable questions that were answered rightly."""
        return 1 - (len(self.wrong) + len(self.refused)) / max(1, self.answerable)

    @property
    def rightly_refused(self) -> float:
        """Share of the unanswerable questions that were refused."""
        return 1 - len(self.invented) / max(1, self.unanswerable)


def run(stack: Stack, quick: bool) -> Outcome:
    """Ask every question about the samples through the stack; when quick, those of docs/samples."""
    files = sorted(p for p in SAMPLES.iterdir() if p.suffix in TYPES and p.stem != "README")
    stack.ingest(files, COLLECTION)
    tallies = {"fitted": _ask(stack, FITTED[:1] if quick else FITTED)}
    if not quick:
        tallies["held out"] = _ask(stack, HELD_OUT)
        stack.ingest(sorted(p for p in TOWN.iterdir() if p.suffix in TYPES), TOWN_COLLECTION)
        tallies["town"] = _ask(stack, [TOWN / "questions.json"], TOWN_COLLECTION)
        tallies["town, held out"] = _ask(stack, [TOWN / "held_out.json"], TOWN_COLLECTION)
        stack.ingest(sorted(p for p in OFFICE.iterdir() if p.suffix in TYPES), OFFICE_COLLECTION)
        tallies["office"] = _ask(stack, [OFFICE / "questions.json"], OFFICE_COLLECTION)
        tallies["office, held out"] = _ask(stack, [OFFICE / "held_out.json"], OFFICE_COLLECTION)
    rows, notes = [], []
    for name, tally in tallies.items():
        rows += _rows(name, tally, judged=name == "held out" or quick)
        notes += [f"wrongly refused ({name}): {question}" for question in tally.refused]
        notes += [f"answered wrongly ({name}): {question}" for question in tally.wrong]
        notes += [f"answered though nothing tells ({name}): {q}" for q in tally.invented]
        progress(
            f"answers, {name}: {tally.right:.0%} right, {tally.rightly_refused:.0%} of the "
            "unanswerable refused"
        )
    values = {
        name: {"refused": t.refused, "wrong": t.wrong, "invented": t.invented}
        for name, t in tallies.items()
    }
    return Outcome(rows, notes, values=values)


def _ask(stack: Stack, sets: Iterable[Path], collection: str = COLLECTION) -> Tally:
    tally = Tally()
    for path in sets:
        asked = json.loads(path.read_text(encoding="utf-8"))
        for entry in asked["answerable"]:
            tally.answerable += 1
            answer = stack.client.ask(entry["question"], collections=[collection])
            if not answer.answerable:
                tally.refused.append(entry["question"])
            elif not _is_right(entry, answer):
                tally.wrong.append(entry["question"])
        for entry in asked["unanswerable"]:
            tally.unanswerable += 1
            if stack.client.ask(entry["question"], collections=[collection]).answerable:
                tally.invented.append(entry["question"])
    return tally


def _is_right(entry: dict[str, Any], answer: Any) -> bool:
    cited = {citation.document_name for citation in answer.citations}
    from_right = "document" not in entry or entry["document"] in cited
    text = _plain(answer.text)
    beside = "must_not_contain" in entry and _plain(entry["must_not_contain"]) in text
    return from_right and _plain(entry["must_contain"]) in text and not beside


def _rows(name: str, tally: Tally, *, judged: bool) -> list[Row]:
    answerable = f"of {tally.answerable}, {name}"
    unanswerable = f"of {tally.unanswerable} unanswerable, {name}"
    goals: list[dict[str, Any]] = [{}, {}]
    if judged:
        goals = [
            {"goal": f"≥ {LEAST_RIGHT:.0%}", "met": tally.right >= LEAST_RIGHT},
            {"goal": f"≥ {LEAST_REFUSED:.0%}", "met": tally.rightly_refused >= LEAST_REFUSED},
        ]
    return [
        Row(f"right answers {answerable}", f"{tally.right:.0%}", **goals[0]),
        Row(f"wrong refusals {answerable}", _share(tally.refused, tally.answerable)),
        Row(f"wrong answers {answerable}", _share(tally.wrong, tally.answerable)),
        Row(f"right refusals {unanswerable}", f"{tally.rightly_refused:.0%}", **goals[1]),
        Row(f"wrong answers {unanswerable}", _share(tally.invented, tally.unanswerable)),
    ]


def _share(some: list[str], of: int) -> str:
    return f"{len(some) / max(1, of):.0%}"


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
