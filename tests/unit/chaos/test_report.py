"""The table tells what was done, and says nothing of recoveries where nobody's work was hit."""

from collections import Counter
from pathlib import Path

from tests.chaos.report import cells, write_docs
from tests.chaos.verdict import Verdict


def line(tmp_path: Path, verdict: Verdict) -> list[str]:
    path = tmp_path / "reliability.md"
    write_docs(path, [verdict], {verdict.row: "a title"}, "make chaos", {})
    found = next(each for each in path.read_text().splitlines() if each.startswith("| a title"))
    return [cell.strip() for cell in found.split("|")[1:-1]]


def test_it_says_how_many_of_the_disturbances_hit_work(tmp_path: Path) -> None:
    done = Counter({"SIGKILL rag-1 at work": 2, "SIGKILL rag-2": 1, "SIGKILL beat": 4})
    cell = line(tmp_path, Verdict("rag", 1, disturbances=done))[-3]
    assert cell == "4 × SIGKILL beat; 3 × SIGKILL rag (2 at work)"


def test_questions_are_told_in_one_cell(tmp_path: Path) -> None:
    verdict = Verdict("rag", 1, questions=9, answered=7, refused=1, judged=5, unanswered=["why"])
    assert "9/7/1/5/1" in line(tmp_path, verdict)
    assert "9/7/1/5/1" in cells(verdict)


def test_a_row_that_disturbed_nobodys_work_has_no_recovery(tmp_path: Path) -> None:
    assert "0.4 s" not in line(tmp_path, Verdict("blobs", 1, recovery=0.4))
    assert "18.5 s" in line(tmp_path, Verdict("blobs", 1, recovery=18.5, disturbed=2))


def test_rows_that_were_not_run_again_stay_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "reliability.md"
    titles = {"rag": "kills of rag", "beat": "kills of beat", "blobs": "no blobs"}
    for date, rows in (("Monday", ["blobs", "rag"]), ("Tuesday", ["beat", "rag"])):
        verdicts = [Verdict(row, 7) for row in rows]
        write_docs(path, verdicts, titles, "make chaos", {"date": date, "system": "Linux"})
    lines = [line for line in path.read_text().splitlines() if "day |" in line]
    found = [(line.split("|")[1].strip(), line.split("|")[-2].strip()) for line in lines]
    assert found == [
        ("kills of rag", "Tuesday"),
        ("kills of beat", "Tuesday"),
        ("no blobs", "Monday"),
    ]
