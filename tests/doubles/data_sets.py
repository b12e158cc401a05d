"""Small data sets in each of the forms that `flotilla eval` reads: a harbour's rules and prices."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PASSAGES = (
    (
        "berths",
        "Berths",
        "Berths are twelve metres long. The harbour master gives them out at six.",
    ),
    ("fuel", "Fuel", "Diesel is sold at the north quay, petrol beside the chandler."),
    ("cats", "Cats", "The lighthouse keeper feeds the harbour cats at half past six."),
    ("showers", "Showers", "Showers cost two coins and are open from seven to ten."),
    ("storms", "Storms", "In a storm the red lamp burns, and no boat leaves the harbour."),
    ("ice", "Ice", "Ice for the catch is crushed in the old ice house behind the market."),
)

QUESTIONS: tuple[dict[str, Any], ...] = (
    {
        "_id": "q1",
        "text": "Where can I buy diesel?",
        "answer": "At the north quay.",
        "answerability": "ANSWERABLE",
        "history": [],
    },
    {
        "_id": "q2",
        "text": "What do they cost?",
        "rewrite": "What do the showers cost?",
        "answer": "Two coins.",
        "answerability": "ANSWERABLE",
        "history": [
            {"role": "user", "text": "When are the showers open?"},
            {"role": "assistant", "text": "From seven to ten."},
        ],
    },
    {
        "_id": "q3",
        "text": "Who feeds the cats?",
        "answer": "The lighthouse keeper.",
        "user_turns": ["Who feeds the cats?"],
    },
    {"_id": "q4", "text": "How old is the mayor's horse?", "answerability": "UNANSWERABLE"},
)

GRADES = (("q1", "fuel", 1), ("q2", "showers", 2), ("q2", "berths", 0), ("q3", "cats", 1))

LOG = """# The log of the harbour

## Winter

The first ice came on the **ninth of December**. Boats stayed in until the [pilot](https://a.test/p)
gave leave.

## Spring

- Nets were mended in *March*.
- The crane was painted yellow in April.
"""

PRICES = "The crane costs forty an hour.\nA pilot costs ninety.\n\nMooring is free in January."


def write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """A file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(each)}\n" for each in records), encoding="utf-8")


def lay_beir(folder: Path) -> Path:
    """Six passages, three questions with a right passage, one without an answer."""
    write_lines(
        folder / "corpus.jsonl",
        ({"_id": key, "title": title, "text": text} for key, title, text in PASSAGES),
    )
    write_lines(folder / "queries.jsonl", QUESTIONS)
    rows = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in GRADES)]
    (folder / "qrels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def lay_pages(folder: Path) -> Path:
    """A PDF with a passage a page, and a text without pages."""
    from reportlab.pdfgen.canvas import Canvas

    (folder / "files").mkdir(parents=True, exist_ok=True)
    canvas = Canvas(str(folder / "files" / "rules.pdf"), invariant=1)
    for _, title, text in PASSAGES:
        canvas.drawString(72, 760, title)
        canvas.drawString(72, 730, text)
        canvas.showPage()
    canvas.save()
    (folder / "files" / "prices.txt").write_text(PRICES, encoding="utf-8")
    write_lines(
        folder / "docs.jsonl",
        (
            {"_id": "rules.pdf", "file": "files/rules.pdf"},
            {"_id": "prices", "file": "files/prices.txt"},
        ),
    )
    write_lines(
        folder / "queries.jsonl",
        (
            {"_id": "p1", "text": "Who feeds the cats?", "answer": "The lighthouse keeper."},
            {"_id": "p2", "text": "What does a pilot cost?", "answer": "Ninety."},
        ),
    )
    (folder / "qrels_pages.tsv").write_text(
        "query-id\tcorpus-id\tscore\np1\trules.pdf#3\t1\np2\tprices#1\t1\n", encoding="utf-8"
    )
    return folder


def lay_spans(folder: Path) -> Path:
    """Two texts, one of them Markdown whose signs are no part of what is ingested."""
    (folder / "corpora").mkdir(parents=True, exist_ok=True)
    for name, text in (("log.md", LOG), ("prices.txt", PRICES)):
        (folder / "corpora" / name).write_text(text, encoding="utf-8")

    def question(key: str, text: str, corpus: str, content: str) -> dict[str, Any]:
        start = {"log": LOG, "prices": PRICES}[corpus].index(content)
        reference = {"content": content, "start_index": start, "end_index": start + len(content)}
        return {"_id": key, "text": text, "corpus_id": corpus, "references": [reference]}

    write_lines(
        folder / "queries.jsonl",
        (
            question(
                "s1",
                "Which colour was the crane painted?",
                "log",
                "The crane was painted yellow in April.",
            ),
            question("s2", "What does a pilot cost?", "prices", "A pilot costs ninety."),
        ),
    )
    return folder
