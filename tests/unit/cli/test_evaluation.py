"""`flotilla eval`: what it refuses before it begins, and how a report reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from flotilla.cli import evaluation, evaluation_run, terminal
from flotilla.evaluation.answers import AnswersReport, Measured
from flotilla.evaluation.comparison import compare
from flotilla.evaluation.data_sets import Kind
from flotilla.evaluation.plot import draw
from flotilla.evaluation.report import COLUMNS, Report, as_json, markdown
from flotilla.evaluation.retrieval import Retrieved
from flotilla.evaluation.significance import Estimate
from tests.doubles.data_sets import lay_beir
from tests.unit.cli.conftest import Run

QUESTIONS = 20


def report() -> Report:
    """Two settings, of which the second finds all that the first finds half of."""
    found = {
        "configured": [Retrieved(f"q{n}", (), 20.0 + n, 10.0) for n in range(QUESTIONS)],
        "better|one": [Retrieved(f"q{n}", (), 200.0 + n) for n in range(QUESTIONS)],
    }
    half = np.array([0.0, 1.0] * (QUESTIONS // 2))
    columns = COLUMNS[Kind.PASSAGES]
    values = {
        "configured": dict.fromkeys(columns, half),
        "better|one": dict.fromkeys(columns, np.ones(QUESTIONS)),
    }
    settings = {"configured": ({}, "text"), "better|one": ({"search": "dense"}, "rewrite")}
    answers = AnswersReport(
        model="extractive",
        mode="simple",
        asked=QUESTIONS,
        p50_ms=40.0,
        p95_ms=90.0,
        measures={"correct": Measured(Estimate(0.5, 0.25, 0.75), 18, "openai:a-judge")},
        unjudged=2,
    )
    return Report(
        data_set="harbour",
        kind=Kind.PASSAGES,
        collection="eval-harbour",
        model="fastembed:a/model",
        documents=1200,
        chunks=3400,
        questions=QUESTIONS,
        top_k=50,
        figures=compare(dict(found), values, settings),
        notes=["1 documents could not be ingested, and are never found."],
        answers=answers,
    )


@pytest.mark.parametrize("library", evaluation_run.LIBRARIES)
def test_a_missing_library_is_told_before_anything_else(
    run: Run, library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = evaluation_run.find_spec
    monkeypatch.setattr(
        evaluation_run, "find_spec", lambda name: None if name == library else known(name)
    )

    refused = run("eval", tmp_path / "nowhere")

    assert refused.exit_code == 1
    assert "make install-eval" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--plot", "--details"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(
    run: Run, option: str, tmp_path: Path
) -> None:
    folder, nowhere = lay_beir(tmp_path / "harbour"), tmp_path / "nowhere" / "file"

    refused = run("eval", folder, option, nowhere)

    assert refused.exit_code == 1
    assert refused.stderr == f"error: {nowhere}: No such file or directory.\n"


def test_a_file_that_can_be_written_is_left_as_it_is(run: Run, tmp_path: Path) -> None:
    plot, details = tmp_path / "plot.png", tmp_path / "details.jsonl"
    details.write_text("{}\n")

    run("eval", tmp_path / "nowhere", "--plot", plot, "--details", details)

    assert (plot.exists(), details.read_text()) == (False, "{}\n")


def test_a_folder_that_is_none_is_told(run: Run, tmp_path: Path) -> None:
    refused = run("eval", tmp_path / "nowhere", "--json")

    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["error"]["code"] == "data_set_invalid"


def test_a_judge_without_a_key_is_told_before_anything_is_sent(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    folder = lay_beir(tmp_path / "harbour")

    refused = run("eval", folder, "--answers", "--judge", "openai:gpt-4o-mini")

    assert refused.exit_code == 1
    assert "OPENAI_API_KEY" in refused.stderr


def test_a_table_with_intervals_and_what_is_certain(capsys: pytest.CaptureFixture[str]) -> None:
    evaluation._print(report(), as_markdown=False)

    captured = capsys.readouterr()
    for part in ("0.500", ".30–.70", "1.000▲", "question: rewrite", "fleet 10", "openai:a-judge"):
        assert part in captured.out
    assert "1,200 documents, 3,400 chunks, 20 questions" in captured.err
    assert "2 verdicts are missing" in captured.err
    assert "1 documents could not be ingested" in captured.err


@pytest.mark.parametrize(("width", "columns"), [(160, 1), (80, 3)])
def test_a_narrow_terminal_has_a_column_a_setting(
    width: int, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "PIPE_WIDTH", width)

    evaluation._print_table(report())

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert sum(name in lines[0] for name in ("setting", "configured", "better|one")) == columns


def test_markdown_has_as_many_cells_in_each_row() -> None:
    rows = [line for line in markdown(report()).splitlines() if line.startswith("|")]
    first, answers = rows[:4], rows[4:]

    assert {line.count("|") for line in first} == {len(COLUMNS[Kind.PASSAGES]) + 4}
    assert "| better/one (question: rewrite) | 1.000▲ (1.00–1.00) |" in first[3]
    assert answers[-1] == "| correct | 0.500 | .25–.75 | 18 | openai:a-judge |"


def test_json_has_every_measure_and_difference() -> None:
    found = json.loads(json.dumps(as_json(report())))

    second = found["figures"][1]
    assert second["settings"] == {"search": "dense"}
    assert second["estimates"]["MRR"]["mean"] == 1.0
    assert second["against"]["MRR"]["mean"] == 0.5
    assert second["against"]["MRR"]["p_holm"] < 0.05
    assert found["figures"][0]["server"] == {"p50": 10.0, "p95": 10.0}


def test_a_plot_is_a_png(tmp_path: Path) -> None:
    draw(report(), tmp_path / "plot.png")

    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG\r\n")
