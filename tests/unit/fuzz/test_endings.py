"""What is concluded from how files ended."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.fuzz.endings import COMPLETED, Endings
from tests.fuzz.files import mutated_file
from tests.fuzz.ledger import LostProcesses
from tests.fuzz.originals import FORMATS
from tests.fuzz.submission import Ended, Findings

CALM: Any = SimpleNamespace(replaced=[], growing=list)


def findings(*codes: str) -> Findings:
    ended = [Ended(mutated_file(1, number), code) for number, code in enumerate(codes)]
    return Findings(ended, CALM, 1.0, LostProcesses())


@pytest.mark.parametrize("status", [404, 413, 422, 503])
def test_a_file_that_is_refused_is_a_fault(status: int) -> None:
    assert len(findings(*[f"refused {status}"] * 28).faults()) == 28


def test_a_damaged_file_is_none() -> None:
    assert findings("completed", "file_corrupt", "quarantined", "duplicate").faults() == []


def test_a_format_of_which_next_to_nothing_is_read_is_a_fault() -> None:
    ends = [("file_corrupt", "docx")] * 90 + [(COMPLETED, "docx")] * 10
    ends += [("file_corrupt", "pdf")] * 70 + [(COMPLETED, "pdf")] * 30
    assert Endings(ends).unread() == ["only 10 of 100 DOCX files were read"]


def test_of_few_files_all_may_be_damaged() -> None:
    assert Endings([("file_corrupt", "docx")] * 20).unread() == []


def test_the_table_names_what_must_not_be_also_where_it_is_not() -> None:
    table = Endings([(COMPLETED, "pdf"), (COMPLETED, "txt"), ("no_text", "pdf")])
    lines = table.table(("internal_error",)).lines
    nowhere = ("0",) * (len(FORMATS) - 2)
    assert (FORMATS[0], FORMATS[-1]) == ("pdf", "txt")
    assert lines == [
        ("`completed`", "1", *nowhere, "1", "2"),
        ("`no_text`", "1", *nowhere, "0", "1"),
        ("`internal_error`", "0", *nowhere, "0", "0"),
        ("**all**", "2", *nowhere, "1", "**3**"),
    ]
