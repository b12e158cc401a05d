"""The figures as a table: for a terminal, for a document, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flotilla.evaluation.answers import AnswersReport
from flotilla.evaluation.comparison import Figures
from flotilla.evaluation.data_sets import Kind
from flotilla.evaluation.significance import Difference

COLUMNS = {
    Kind.PASSAGES: (
        *("nDCG@10", "Recall@1", "Recall@3", "Recall@5", "Recall@10", "Recall@20", "MRR", "MRR@3"),
    ),
    Kind.PAGES: (
        *("nDCG@10", "Recall@1", "Recall@5", "Recall@10", "Recall@5 ±1", "Hit@5 ±1", "MRR"),
        "Document recall@1",
    ),
    Kind.SPANS: (
        *("Recall@1", "Recall@5", "Precision@5", "IoU@5", "Recall@10"),
        *("Recall@500 tokens", "Recall@1000 tokens", "Recall@2000 tokens"),
    ),
}
"""What a table shows; the JSON has all."""

BETTER, WORSE = "▲", "▼"
"""Behind a figure that differs from the first setting's by more than chance."""

ANSWER_HEADERS = ("answers", "figure#", "95%#", "questions#", "judged by")

READING = (
    f"Below each figure its 95% interval. {BETTER} better, {WORSE} worse than the first line "
    "(paired permutation test, Holm's correction, p < 0.05)."
)


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation: of what, and how each setting did.

    `notes` are sentences that a reader needs in order to take the figures for what they are.
    """

    data_set: str
    kind: Kind
    collection: str
    model: str
    documents: int
    chunks: int
    questions: int
    top_k: int
    figures: Sequence[Figures]
    notes: Sequence[str] = ()
    failed: Sequence[dict[str, str]] = ()
    answers: AnswersReport | None = None


def headers(report: Report) -> list[str]:
    """The table's columns."""
    return ["setting", *COLUMNS[report.kind], "p50 ms", "p95 ms"]


def rows(report: Report) -> list[list[tuple[str, str]]]:
    """A row a setting: in each cell a figure, and what stands below it."""
    return [_row(report, each) for each in report.figures]


def _row(report: Report, figures: Figures) -> list[tuple[str, str]]:
    cells = [(figures.name, "" if figures.form == "text" else f"question: {figures.form}")]
    for name in COLUMNS[report.kind]:
        found = figures.estimates[name]
        sign = _sign(figures.against.get(name))
        cells.append((f"{found.mean:.3f}{sign}", f"{_short(found.low)}–{_short(found.high)}"))
    server = figures.server
    for own, gateways in (
        (figures.client.p50, server and server.p50),
        (figures.client.p95, server and server.p95),
    ):
        cells.append((f"{own:.0f}", "" if gateways is None else f"fleet {gateways:.0f}"))
    return cells


def _sign(difference: Difference | None) -> str:
    if difference is None or not difference.is_certain:
        return ""
    return BETTER if difference.mean > 0 else WORSE


def _short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def markdown(report: Report) -> str:
    """The table for a document, with what it is of above it."""
    head = headers(report)
    lines = [
        f"**{report.data_set}**: {summary(report)}",
        "",
        f"| {' | '.join(head)} |",
        f"| {' | '.join(['---', *(['--:'] * (len(head) - 1))])} |",
    ]
    for row in rows(report):
        cells = [f"{figure} ({below})" if below else figure for figure, below in row]
        lines.append(f"| {' | '.join(each.replace('|', '/') for each in cells)} |")
    if report.answers is not None:
        lines += ["", answers_summary(report.answers), "", *_answers_table(report.answers)]
        lines += ["", *report.answers.notes]
    if report.notes:
        lines += ["", *report.notes]
    return "\n".join(lines) + "\n"


def _answers_table(answers: AnswersReport) -> list[str]:
    head = [each.rstrip("#") for each in ANSWER_HEADERS]
    body = [f"| {' | '.join(map(str, row))} |" for row in answer_rows(answers)]
    return [f"| {' | '.join(head)} |", "| --- | --: | --: | --: | --- |", *body]


def answer_rows(answers: AnswersReport) -> list[tuple[str, str, str, int, str]]:
    """A row a measure of the answers."""
    return [
        (
            name,
            f"{each.estimate.mean:.3f}",
            f"{_short(each.estimate.low)}–{_short(each.estimate.high)}",
            each.questions,
            each.judged_by,
        )
        for name, each in answers.measures.items()
    ]


def answers_summary(answers: AnswersReport) -> str:
    """What the answers are of, in a line."""
    told = (
        f"{answers.asked:,} questions answered by {answers.model or 'nobody'}, mode "
        f"{answers.mode}; p50 {answers.p50_ms:.0f} ms, p95 {answers.p95_ms:.0f} ms."
    )
    if answers.errors:
        told += f" {len(answers.errors):,} got no answer."
    if answers.unjudged:
        told += f" {answers.unjudged:,} verdicts are missing, since the judge gave none."
    return told


def summary(report: Report) -> str:
    """What the figures are of, in a line."""
    return (
        f"{report.documents:,} documents, {report.chunks:,} chunks, {report.questions:,} "
        f"questions; {report.model or 'no model told'}; the first {report.top_k} chunks."
    )


def as_json(report: Report) -> dict[str, Any]:
    """All that is known, for programs; intervals and tests of every measure."""
    return asdict(report)
