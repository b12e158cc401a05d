"""A row's jobs and replies: each source is ingested once, and ends as it must."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from flotilla.schemas import DocumentAccepted
from tests.chaos.documents import Planned
from tests.chaos.expected import Expected, Fate
from tests.chaos.ingestions import MEMBER_STAGE, Job, judge_jobs, judge_replies, read_jobs
from tests.chaos.ledger import LedgerView
from tests.chaos.submission import Submitted
from tests.chaos.verdict import Verdict

GOOD = Planned(7, Path("paper-007.md"), ("one", "two"))
BAD = Planned(8, Path("paper-008.pdf"), (), frozenset({"file_corrupt"}))


def job(planned: Planned = GOOD, id_: str = "j1", status: str = "completed") -> Job:
    return Job(id_, "ingest", status, "upkeep.finish", None, None, None, {"name": planned.name}, {})


def failed(planned: Planned, code: str, id_: str = "j1") -> Job:
    return replace(job(planned, id_, "failed"), code=code)


def test_jobs_are_read_without_the_questions(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        CREATE TABLE jobs (id, kind, status, stage, error_code, error_message, parent_id, payload,
            result, collection);
        INSERT INTO jobs VALUES ('j1', 'ingest', 'completed', 'upkeep.finish', NULL, NULL, 'b',
            '{"name": "paper-007.md"}', NULL, 'c');
        INSERT INTO jobs VALUES ('j2', 'query', 'completed', 'rag.answer', NULL, NULL, NULL, '{}',
            '"text"', 'c');
        INSERT INTO jobs VALUES ('j3', 'ingest', 'failed', 'document.convert', 'x', 'y', NULL, '{}',
            '{"duplicate_of": "d"}', 'c');
        INSERT INTO jobs VALUES ('j4', 'ingest', 'failed', 's', 'x', 'y', NULL, '{}', NULL, 'd');
        """
    )
    connection.close()
    first, second = read_jobs(LedgerView(f"sqlite:///{path}"), "c")
    assert (first.id, first.name, first.parent_id, first.is_duplicate) == (
        "j1",
        GOOD.name,
        "b",
        False,
    )
    assert (second.id, second.name, second.code, second.is_duplicate) == ("j3", None, "x", True)


def judged(source: Expected, *jobs: Job) -> Verdict:
    verdict = Verdict("rag", 1)
    judge_jobs(verdict, jobs, {source.planned.name: source})
    return verdict


def is_right(verdict: Verdict) -> bool:
    return not (verdict.lost or verdict.duplicates or verdict.duplicated or verdict.broken)


@pytest.mark.parametrize(
    ("source", "jobs"),
    [
        (Expected(GOOD), [job()]),
        (Expected(GOOD, states=2), [job(), job(id_="j2")]),
        (Expected(GOOD, states=2), [job(status="cancelled"), job(id_="j2")]),
        (Expected(BAD, Fate.FAILS), [failed(BAD, "file_corrupt")]),
        (
            Expected(BAD, Fate.FAILS, cut=1),
            [failed(BAD, "file_corrupt"), failed(BAD, "file_corrupt", "j2")],
        ),
        (Expected(GOOD, Fate.CANCELLED), [job(status="cancelled")]),
        (Expected(GOOD, Fate.DELETED), [job(status="cancelled")]),
        (Expected(GOOD, Fate.DELETED), [job()]),
        # An address that was sent once more gives the same bytes, and so does a batch.
        (Expected(GOOD, cut=1), [job(), replace(job(id_="j2"), result={"duplicate_of": "d"})]),
        (Expected(GOOD, cut=1), [job(), replace(job(id_="j2"), stage=MEMBER_STAGE)]),
        (Expected(GOOD), [job(), Job("r", "reindex", "completed", "s", None, None, None, {}, {})]),
    ],
)
def test_jobs_that_are_as_they_must_be(source: Expected, jobs: list[Job]) -> None:
    assert is_right(judged(source, *jobs))


@pytest.mark.parametrize(
    ("source", "jobs"),
    [
        (Expected(GOOD), [failed(GOOD, "internal_error")]),
        (Expected(GOOD), [job(), failed(GOOD, "internal_error", "j2")]),
        (Expected(GOOD), [job(status="cancelled")]),
        (Expected(GOOD), []),
        (Expected(GOOD), [job(), job(id_="j2")]),
        (Expected(GOOD, cut=1), [job(), job(id_="j2")]),
        (Expected(GOOD, states=2), [job()]),
        (Expected(BAD, Fate.FAILS), [failed(BAD, "internal_error")]),
        (Expected(BAD, Fate.FAILS), [job(BAD)]),
        (
            Expected(BAD, Fate.FAILS),
            [failed(BAD, "file_corrupt"), failed(BAD, "file_corrupt", "j2")],
        ),
        (Expected(GOOD, Fate.CANCELLED), [job()]),
        (Expected(GOOD, Fate.DELETED), [failed(GOOD, "internal_error")]),
        (Expected(GOOD), [job(), Job("r", "reindex", "failed", "s", "x", "y", None, {}, {})]),
        (Expected(GOOD), [job(), job(BAD, "j2")]),
    ],
)
def test_jobs_that_are_not(source: Expected, jobs: list[Job]) -> None:
    assert not is_right(judged(source, *jobs))


def test_what_is_told_already_is_not_told_again() -> None:
    verdict = Verdict("rag", 1)
    jobs = [failed(GOOD, "internal_error")]
    judge_jobs(verdict, jobs, {GOOD.name: Expected(GOOD)}, frozenset({"j1"}))
    assert is_right(verdict)


def reply(
    task: str = "t1", document: str = "d", duplicate_of: str | None = None
) -> DocumentAccepted:
    return DocumentAccepted(
        document_id=document, task_id=task, name=GOOD.name, duplicate_of=duplicate_of
    )


def replied(entry: Submitted) -> Verdict:
    verdict = Verdict("rag", 1)
    judge_replies(verdict, entry)
    return verdict


TWICE = replace(GOOD, twice=True)


@pytest.mark.parametrize(
    "entry",
    [
        Submitted(GOOD, [reply()]),
        Submitted(GOOD, [reply(duplicate_of="d")], cut=["ConnectError"]),
        Submitted(TWICE, [reply(), reply(duplicate_of="d")]),
        Submitted(TWICE, [reply(duplicate_of="d")] * 2, cut=["ConnectError"]),
        Submitted(BAD, refused=["file_corrupt"]),
    ],
)
def test_replies_that_are_right(entry: Submitted) -> None:
    assert is_right(replied(entry))


@pytest.mark.parametrize(
    "entry",
    [
        Submitted(GOOD, [reply(duplicate_of="d")]),
        Submitted(GOOD, [reply(duplicate_of="another")], cut=["ConnectError"]),
        Submitted(TWICE, [reply(), reply("t2")]),
        Submitted(TWICE, [reply(), reply("t2")], cut=["ConnectError"]),
        Submitted(TWICE, [reply(), reply("t2", "d2", duplicate_of="d2")]),
        Submitted(TWICE, [reply()]),
        Submitted(TWICE, [reply()], refused=["file_corrupt"]),
        Submitted(TWICE, [reply()], trouble=["KeyError()"]),
    ],
)
def test_replies_that_are_not(entry: Submitted) -> None:
    assert not is_right(replied(entry))
