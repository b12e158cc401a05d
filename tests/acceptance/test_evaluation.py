"""`flotilla eval` as a user runs it, on small data sets through the real fleets."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flotilla.client import Flotilla
from flotilla.settings import child_environment
from tests.acceptance.stack import PATIENCE, ROOT, Stack, flotilla
from tests.doubles.data_sets import PASSAGES, lay_beir, lay_pages, lay_spans, write_lines

KILLED_AFTER_ONE_UPLOAD = """
import os, signal, sys
from flotilla.cli import main
from flotilla.client import Flotilla

upload = Flotilla.upload_batch

def upload_and_die(self, *sources, **options):
    upload(self, *sources, **options)
    os.kill(os.getpid(), signal.SIGKILL)

Flotilla.upload_batch = upload_and_die
sys.argv = ["flotilla", *sys.argv[1:]]
main()
"""


def evaluate(stack: Stack, *arguments: str) -> dict[str, Any]:
    done = stack.run(*flotilla("eval", *arguments, "--json"), check=False, seconds=3 * PATIENCE)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout) | {"told": done.stderr}
    return report


def mean(report: dict[str, Any], setting: str, measure: str) -> float:
    figures = next(each for each in report["figures"] if each["name"] == setting)
    return float(figures["estimates"][measure]["mean"])


def test_passages_with_baseline_answers_and_plot(stack: Stack, tmp_path: Path) -> None:
    folder, plot = lay_beir(tmp_path / "harbour"), tmp_path / "plot.png"
    details = tmp_path / "details.jsonl"
    options = ("--compare", "both=", "--compare", "words=search=bm25,question=text")

    report = evaluate(
        stack,
        str(folder),
        *options,
        "--baseline",
        "--answers",
        "--plot",
        str(plot),
        "--details",
        str(details),
    )

    assert (report["documents"], report["questions"], report["failed"]) == (len(PASSAGES), 3, [])
    assert f"{len(PASSAGES)} of {len(PASSAGES)} documents were ingested now" in report["told"]
    assert report["collection"].startswith("eval-harbour-")
    names = [each["name"] for each in report["figures"]]
    assert names == ["both", "words", "LangChain 1,000/200, dense"]
    for name in names:
        assert mean(report, name, "Recall@10") == 1.0
        assert mean(report, name, "MRR") > 0.5
    assert report["figures"][0]["server"]["p50"] <= report["figures"][0]["client"]["p50"]
    assert report["figures"][1]["against"]["MRR"]["p_holm"] <= 1.0
    rows = [json.loads(line) for line in details.read_text().splitlines()]
    assert len(rows) == 3 * len(names)
    assert [row["right"] for row in rows if row["question"] == "q2"] == [{"showers": 2}] * 3
    assert plot.read_bytes().startswith(b"\x89PNG")
    measures = report["answers"]["measures"]
    assert {each["judged_by"] for each in measures.values()} == {"strings and quotes"}
    assert measures["answered, where there is an answer"]["questions"] == 3
    assert measures["refused, where there is no answer"]["estimate"]["mean"] == 1.0
    assert measures["quotes that stand in the passages"]["estimate"]["mean"] == 1.0

    again = evaluate(stack, str(folder), "--compare", "both=")

    assert again["collection"] == report["collection"]
    assert f"0 of {len(PASSAGES)} documents were ingested now" in again["told"]


def test_follow_up_questions_are_asked_in_a_conversation(
    stack: Stack, client: Flotilla, tmp_path: Path
) -> None:
    folder, details = lay_beir(tmp_path / "harbour"), tmp_path / "details.jsonl"
    options = ("--compare", "last turn=", "--compare", "turns=question=conversation")

    report = evaluate(stack, str(folder), *options, "--details", str(details))

    assert [each["form"] for each in report["figures"]] == ["text", "conversation"]
    rows = [json.loads(line) for line in details.read_text().splitlines()]
    [follow_up] = [row for row in rows if row["question"] == "q2" and row["setting"] == "turns"]
    assert "shower" in follow_up["standalone"]
    assert follow_up["measures"]["Recall@1"] == 1.0


def test_another_text_is_another_collection(stack: Stack, tmp_path: Path) -> None:
    folder = lay_beir(tmp_path / "one")
    one = evaluate(stack, str(folder), "--compare", "both=", "--questions", "1")
    with (folder / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "more", "text": "The ferry leaves at noon."}\n')

    other = evaluate(stack, str(folder), "--compare", "both=", "--questions", "1")

    assert other["collection"] != one["collection"]


def test_pages_and_spans(stack: Stack, tmp_path: Path) -> None:
    pages = evaluate(stack, str(lay_pages(tmp_path / "rules")), "--compare", "both=", "--baseline")
    spans = evaluate(stack, str(lay_spans(tmp_path / "log")), "--compare", "both=", "--baseline")

    for name in ("both", "LangChain 1,000/200, dense"):
        assert mean(pages, name, "Recall@10") == 1.0
        assert mean(pages, name, "Document recall@3") == 1.0
        assert mean(spans, name, "Recall@3") == 1.0
    assert spans["notes"] == []


def test_what_was_killed_half_way_goes_on(stack: Stack, client: Flotilla, tmp_path: Path) -> None:
    folder = lay_beir(tmp_path / "many")
    passages = [
        {"_id": f"berth-{number}", "text": f"Berth {number} is {number + 3} metres deep."}
        for number in range(60)
    ]
    write_lines(folder / "corpus.jsonl", passages)
    (folder / "qrels.tsv").write_text("q1\tberth-7\n")
    arguments = ("eval", str(folder), "--collection", "eval-many")

    killed = subprocess.run(
        (sys.executable, "-c", KILLED_AFTER_ONE_UPLOAD, *arguments),
        cwd=ROOT,
        env=child_environment(stack.environment),
        capture_output=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert client.collection("eval-many").documents < len(passages)

    report = evaluate(stack, *arguments[1:], "--compare", "both=")

    assert report["documents"] == len(passages)
    assert client.collection("eval-many").documents == len(passages)
    assert "10 of 60 documents were ingested now" in report["told"]


def test_a_document_that_cannot_be_read_is_told_and_counted(stack: Stack, tmp_path: Path) -> None:
    folder = lay_pages(tmp_path / "broken")
    (folder / "files" / "prices.txt").write_bytes(b"%PDF-1.7\n" + bytes(500))

    report = evaluate(stack, str(folder), "--compare", "both=")

    [failed] = report["failed"]
    assert failed["name"] == "files/prices.txt"
    assert failed["message"].endswith(".")
    assert "1 documents could not be ingested" in report["notes"][0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--compare", "dense"), "is not of the form NAME=KEY=VALUE"),
        (("--question-field", "rewrite"), "has no field 'rewrite'"),
        (("--compare", "a=search=nonsense"), "search"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    stack: Stack, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    command = flotilla("eval", str(lay_beir(tmp_path / "harbour")), *options)

    refused = stack.run(*command, check=False, seconds=2 * PATIENCE)

    assert refused.returncode != 0
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_setting_that_the_gateway_refuses_is_told_before_anything_is_ingested(
    stack: Stack, tmp_path: Path
) -> None:
    folder = lay_beir(tmp_path / "typing")
    options = ("--collection", "eval-typing", "--compare", "one=", "--compare", "two=serch=dense")

    done = stack.run(*flotilla("eval", str(folder), *options), check=False, seconds=PATIENCE)

    assert done.returncode == 1
    assert "two: retrieval.serch" in done.stderr
    with Flotilla(stack.url) as client:
        assert list(client.documents(collection="eval-typing")) == []


def test_a_step_that_was_not_taken_is_told(stack: Stack, tmp_path: Path) -> None:
    folder = lay_beir(tmp_path / "wordings")

    report = evaluate(stack, str(folder), "--compare", "one=", "--compare", "many=queries=2")

    (note,) = report["notes"]
    assert note.startswith("many: No language model is configured")
    assert note.endswith("(3 of 3 questions)")
