"""`flotilla eval`: how well documents are found, on a set of data whose right answers are known."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flotilla.cli.connection import DataOption, JsonOption, UrlOption, connect, settings_for
from flotilla.models import Mode

if TYPE_CHECKING:
    from flotilla.evaluation.answers import AnswersReport
    from flotilla.evaluation.report import Report

USUAL_TOP_K = 50
"""Chunks a question: enough for 20 passages of which some are split."""

GAP = 2
"""Blanks between two columns."""

SHOWN_ERRORS = 5
"""Questions without an answer that are told of."""


def evaluate(
    data_set: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Folder with queries.jsonl, and so on.")
    ],
    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            metavar="NAME=SETTINGS",
            help="A way of retrieving, such as dense=search=dense; may be repeated. The others are "
            "compared with the first.",
        ),
    ] = None,
    baseline: Annotated[
        bool,
        typer.Option(
            "--baseline",
            help="Add a plain LangChain pipeline over the same documents, with the same embedding "
            "model.",
        ),
    ] = False,
    question_field: Annotated[
        str,
        typer.Option(
            "--question-field", metavar="FIELD", help="Which form of the questions is asked."
        ),
    ] = "text",
    answers: Annotated[
        bool, typer.Option("--answers", help="Ask for answers as well, and judge them.")
    ] = False,
    mode: Annotated[
        Mode | None, typer.Option("--mode", help="How answers are made; the fleet's own if left.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge",
            metavar="MODEL",
            help="Judges answers, such as openai:gpt-4o-mini; LLM_MODEL if left, and strings alone "
            "where that is no model.",
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", min=1, max=100, help="Chunks that each question is given.")
    ] = USUAL_TOP_K,
    questions: Annotated[
        int | None,
        typer.Option("--questions", min=1, metavar="N", help="Ask the first N questions alone."),
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option(
            "--collection", "-c", metavar="NAME", help="In place of one named after the data."
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Empty the collection first, and ingest all anew.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw recall against latency, as PNG."),
    ] = None,
    details: Annotated[
        Path | None,
        typer.Option(
            "--details",
            metavar="FILE",
            help="Write what each question found under each setting, as JSON lines.",
        ),
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown.")
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Ingest a data set, ask its questions, and measure what is found.

    The folder is in BEIR's form (corpus.jsonl, queries.jsonl, qrels.tsv), or has documents with
    qrels_pages.tsv, or texts with gold spans. What was ingested is not ingested again.
    """
    from flotilla.cli.evaluation_run import Request, check_extra, run
    from flotilla.cli.ingest import INTERRUPTED
    from flotilla.cli.terminal import print_json, print_note
    from flotilla.evaluation.data_sets import read_data_set
    from flotilla.evaluation.variants import parse_variants

    check_extra()
    for file in (plot, details):
        if file is not None:
            _check_writable(file)
    variants = parse_variants(compare or [])
    read = read_data_set(data_set.expanduser())
    request = Request(
        data_set=read,
        variants=variants,
        baseline=baseline,
        form=question_field,
        top_k=top_k,
        questions=questions,
        collection=collection,
        fresh=fresh,
        answers=answers,
        mode=mode,
        judge=judge,
        details=details,
    )
    try:
        # Closing the client ends what its thread still waits for.
        with connect(url, data) as flotilla:
            report = run(flotilla, settings_for(data), request)
    except KeyboardInterrupt:
        print_note("Interrupted. What was sent is ingested, and the same command goes on from it.")
        raise typer.Exit(INTERRUPTED) from None
    if plot is not None:
        from flotilla.evaluation.plot import draw

        draw(report, plot)
    if as_json:
        from flotilla.evaluation import report as reports

        print_json(reports.as_json(report))
    else:
        _print(report, as_markdown)


def _check_writable(path: Path) -> None:
    """See to it that a file can be written once all is measured; what it holds stays.

    Raises:
        OSError: it cannot.
    """
    is_new = not path.exists()
    path.open("ab").close()
    if is_new:
        path.unlink()


def _print(report: "Report", as_markdown: bool) -> None:
    from flotilla.cli.terminal import print_note
    from flotilla.evaluation.report import READING, markdown, summary

    if as_markdown:
        typer.echo(markdown(report), nl=False)
        return
    print_note(f"{report.data_set}: {summary(report)}")
    _print_table(report)
    print_note(READING)
    if report.answers is not None:
        _print_answers(report.answers)
    for note in report.notes:
        print_note(note)


def _print_answers(answers: "AnswersReport") -> None:
    from flotilla.cli.terminal import print_note, print_table
    from flotilla.evaluation.report import ANSWER_HEADERS, answer_rows, answers_summary

    print_note(f"\n{answers_summary(answers)}")
    print_table(ANSWER_HEADERS, answer_rows(answers), empty="No question was answered.")
    for note in (*answers.notes, *answers.errors[:SHOWN_ERRORS]):
        print_note(note)


def _print_table(report: "Report") -> None:
    """A row a setting; where the terminal is too narrow for all measures, a column a setting."""
    from rich.table import Table
    from rich.text import Text

    from flotilla.cli.terminal import out
    from flotilla.evaluation.report import BETTER, WORSE, headers, rows

    console = out()
    lines = [[(header, "") for header in headers(report)], *rows(report)]
    widths = [
        max(len(part) for cell in column for part in cell) for column in zip(*lines, strict=True)
    ]
    if sum(widths) + GAP * (len(widths) - 1) > console.width:
        lines = [list(line) for line in zip(*lines, strict=True)]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for place, (header, _) in enumerate(lines[0]):
        table.add_column(header, justify="right" if place else "left", overflow="fold")
    for line in lines[1:]:
        cells = []
        for figure, below in line:
            style = {BETTER: "green", WORSE: "red"}.get(figure[-1:], "")
            cells.append(Text.assemble((figure, style), "\n" if below else "", (below, "dim")))
        table.add_row(*cells)
    console.print(table)
