"""Follow-up questions: what the rule that makes them stand alone is worth to retrieval.

Takes a folder with `corpus.jsonl`, `queries.jsonl` and `qrels.tsv` of real conversations in the
form of MTRAG (`text` the last turn, `user_turns`, `history`, `rewrite` by a human):

    python -m tests.benchmarks.followups FOLDER

The rule was developed on one half of the conversations; the other was only ever counted.
"""

import hashlib
import json
import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flotilla.models import Turn
from flotilla.rag.followups import standalone
from flotilla.settings import Settings, cores
from flotilla.vectorstore.embedders import load_embedder
from tests.benchmarks.report import Outcome, Row, Table, render
from tests.benchmarks.stack import progress
from tests.doubles.exact_search import ExactSearch

DEPTH = 10
K1, B = 1.5, 0.75
HALVES = ("development", "held out")
LEAST_GAIN = 0.02
"""nDCG that the rule has to gain over the last turn, in each half and with either retrieval."""

Scores = NDArray[np.float64]
Retrieval = Callable[[str], Scores]
"""The score of every passage of the corpus for a question."""


class Conversations:
    """The questions of a folder, with the passages that answer them."""

    def __init__(self, folder: Path) -> None:
        self.passages = _read(folder / "corpus.jsonl")
        self.questions = _read(folder / "queries.jsonl")
        self.right: dict[str, dict[str, int]] = defaultdict(dict)
        for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
            question_id, passage_id, score = line.split("\t")
            self.right[question_id][passage_id] = int(score)

    def gain(self, question: Mapping[str, Any], scores: Scores) -> float:
        """nDCG@10 of one question (Järvelin and Kekäläinen, 2002)."""
        right = self.right[question["_id"]]
        best = sorted(right.values(), reverse=True)[:DEPTH]
        found = [at for at in np.argsort(-scores, kind="stable")[:DEPTH] if scores[at] > 0]
        return _discounted([right.get(self.passages[at]["_id"], 0) for at in found]) / _discounted(
            best
        )


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))


def half(question: Mapping[str, Any]) -> int:
    """Which half the question's conversation is of: 0 development, 1 held out."""
    conversation = question["_id"].partition("<::>")[0]
    return int(hashlib.sha256(conversation.encode()).hexdigest(), 16) % 2


# --- what is asked -------------------------------------------------------------------------


def by_rule(question: Mapping[str, Any]) -> str:
    """The last turn as the rule makes it stand alone, each turn before it as it did then."""
    answers = [said["text"] for said in question["history"] if said["role"] != "user"]
    history: list[Turn] = []
    for number, asked in enumerate(question["user_turns"], 1):
        text = standalone(history, asked.strip()).text
        answer = answers[number - 1] if number <= len(answers) else ""
        history.append(
            Turn(
                id=str(number),
                question_id=str(-number),
                conversation_id="",
                number=number,
                question=asked,
                standalone=text,
                answer=answer,
                answerable=True,
                tokens=0,
            )
        )
    return history[-1].standalone


FORMS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "last turn": lambda question: str(question["text"]),
    "the rule": by_rule,
    "all turns": lambda question: str(question["all_turns"]),
    "rewritten by a human": lambda question: str(question["rewrite"]),
}


# --- how it is searched --------------------------------------------------------------------


def plain_bm25(texts: Sequence[str]) -> Retrieval:
    """BM25 over whole words, without stems and without a list of words to leave out."""
    word = re.compile(r"\w+")
    counts = [Counter(word.findall(text.casefold())) for text in texts]
    lengths = np.array([sum(count.values()) for count in counts], float)
    norm = K1 * (1 - B + B * lengths / lengths.mean())
    where: dict[str, list[int]] = defaultdict(list)
    for at, count in enumerate(counts):
        for term in count:
            where[term].append(at)

    def search(question: str) -> Scores:
        scores = np.zeros(len(texts))
        for term in word.findall(question.casefold()):
            found = where.get(term, [])
            weight = math.log(1 + (len(texts) - len(found) + 0.5) / (len(found) + 0.5))
            for at in found:
                scores[at] += weight * counts[at][term] * (K1 + 1) / (counts[at][term] + norm[at])
        return scores

    return search


def hybrid(texts: Sequence[str], settings: Settings) -> Retrieval:
    """What the fleet does, over all passages: the same vectors, weights and fusion."""
    embedder = load_embedder(settings, threads=1, lanes=cores())
    found = ExactSearch(texts, embedder.embed_passages(texts), settings.retrieval)

    def search(question: str) -> Scores:
        scores = np.zeros(len(texts))
        for at, score in found.search(question, embedder.embed_query(question)):
            scores[at] = score
        return scores

    return search


# --- the table -----------------------------------------------------------------------------


def run(folder: Path | None) -> Outcome:
    """Measure each form of the questions with each retrieval; nothing where there is no folder."""
    if folder is None or not (folder / "queries.jsonl").is_file():
        return Outcome(notes=["skipped: --conversations names no folder with real conversations"])
    data = Conversations(folder)
    texts = [passage["text"] for passage in data.passages]
    retrievals = {"BM25": plain_bm25(texts), "hybrid": hybrid(texts, Settings())}
    values: dict[str, dict[str, list[float]]] = {}
    for form, text_of in FORMS.items():
        progress(f"followups: {form}")
        asked = [(half(each), each, text_of(each)) for each in data.questions]
        values[form] = {
            name: [
                float(np.mean([data.gain(q, search(text)) for part, q, text in asked if part == n]))
                for n in range(2)
            ]
            for name, search in retrievals.items()
        }
    sizes = Counter(half(each) for each in data.questions)
    head = ["nDCG@10", *(f"{name}, {part}" for name in retrievals for part in HALVES)]
    lines = [
        [form, *(f"{value:.3f}" for name in retrievals for value in of[name])]
        for form, of in values.items()
    ]
    title = f"Follow-up questions, {sizes[0]} to develop the rule and {sizes[1]} held out"
    rows = []
    for name in retrievals:
        before, after = values["last turn"][name], values["the rule"][name]
        gains = [now - then for then, now in zip(before, after, strict=True)]
        rows.append(
            Row(
                f"follow-ups, {name}: nDCG@10 that the rule gains, at least",
                f"{min(gains):+.3f}",
                goal=f"≥ {LEAST_GAIN:+.3f}",
                met=min(gains) >= LEAST_GAIN,
            )
        )
    return Outcome(rows, tables=[Table(title, head, lines)], values=values)


if __name__ == "__main__":
    print(render({}, {"followups": run(Path(sys.argv[1]) if sys.argv[1:] else None)}))
