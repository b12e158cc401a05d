"""Which versions nobody can need any more, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from flotilla.errors import SweepRefused
from flotilla.ledger import removals, sweep
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, now
from flotilla.ledger.sweep import Judge, Judgement
from tests.doubles.ledger_rows import (
    OLD,
    YEAR,
    add_document,
    add_job,
    add_version,
    aged_id,
    backdate,
    set_version,
)

YOUNG = timedelta(minutes=50)


@pytest.fixture
def old_ledger(ledger: Database) -> Database:
    backdate(ledger)
    return ledger


def judge(ledger: Database, *version_ids: str) -> Judgement:
    with ledger.reading() as connection:
        return Judge().judge(connection, version_ids)


Make = Callable[[Database, str], str]


def plain(state: str) -> Make:
    return lambda ledger, document: add_version(ledger, document, state)


def failed(status: str | None, newer: str | None = None) -> Make:
    def make(ledger: Database, document: str) -> str:
        version_id = add_version(ledger, document, "failed")
        if status is not None:
            add_job(ledger, "ingest", status, document_id=document, version_id=version_id)
        if newer is not None:
            add_version(ledger, document, newer, number=2)
        return version_id

    return make


@pytest.mark.parametrize(
    ("make", "orphaned"),
    [
        (plain("pending"), False),
        (plain("live"), False),
        (plain("retired"), True),
        (failed("failed"), False),
        (failed("cancelled"), True),
        (failed("completed"), True),
        (failed(None), True),
        (failed("failed", newer="live"), True),
        (failed("failed", newer="pending"), False),
    ],
    ids=[
        "on its way",
        "live",
        "replaced",
        "failed and may be retried",
        "cancelled",
        "ended as a duplicate",
        "failed and forgotten",
        "failed and overtaken",
        "failed and being overtaken",
    ],
)
def test_only_what_is_over_for_good_is_orphaned(
    old_ledger: Database, make: Make, orphaned: bool
) -> None:
    version_id = make(old_ledger, add_document(old_ledger))
    assert (version_id in judge(old_ledger, version_id).orphaned) is orphaned


def test_a_version_without_a_row_is_orphaned_once_it_is_old(old_ledger: Database) -> None:
    gone, uploading = aged_id(OLD), aged_id(YOUNG)
    judgement = judge(old_ledger, gone, uploading)
    assert judgement.orphaned == {gone}
    assert judgement.foreign == set()


def test_what_is_young_is_left_alone_whatever_its_state(old_ledger: Database) -> None:
    document = add_document(old_ledger)
    version_id = add_version(old_ledger, document, "retired", age=YOUNG)
    assert judge(old_ledger, version_id).orphaned == set()


def test_what_is_older_than_the_ledger_is_not_its_own(ledger: Database) -> None:
    backdate(ledger, OLD)
    older, other = aged_id(YEAR), "not-an-id"
    judgement = judge(ledger, older, other)
    assert judgement.orphaned == set()
    assert judgement.foreign == {older, other}


def test_a_ledger_that_knows_few_of_the_versions_is_refused(old_ledger: Database) -> None:
    document = add_document(old_ledger)
    known = [add_version(old_ledger, document, "retired", number=n) for n in range(25)]
    lost = [aged_id() for _ in range(25)]
    assert judge(old_ledger, *known, *lost).orphaned == {*known, *lost}
    with pytest.raises(SweepRefused, match="DATABASE_URL"):
        judge(old_ledger, *known, *lost, aged_id())


def test_the_refusal_counts_what_was_judged_before(old_ledger: Database) -> None:
    judge_of_all = Judge()
    with old_ledger.reading() as connection:
        judge_of_all.judge(connection, [aged_id() for _ in range(15)])
        with pytest.raises(SweepRefused):
            judge_of_all.judge(connection, [aged_id() for _ in range(15)])


@pytest.mark.parametrize(
    ("job", "orphaned"),
    [(None, True), ("failed", True), ("pending", False), ("processing", False)],
)
def test_a_deleted_document_is_left_to_its_deletion(
    old_ledger: Database, job: str | None, orphaned: bool
) -> None:
    document = add_document(old_ledger, deleted_at=now() - OLD)
    version_id = add_version(old_ledger, document, "retired")
    set_version(old_ledger, version_id, state="live")
    if job is not None:
        add_job(old_ledger, "delete", job, payload={"document_ids": [document]})
    assert (version_id in judge(old_ledger, version_id).orphaned) is orphaned
    with old_ledger.reading() as connection:
        assert sweep.leftover_deletions(connection) == ([document] if orphaned else [])


@pytest.mark.parametrize(("job", "orphaned"), [("failed", True), ("pending", False)])
def test_documents_deleted_with_their_collection_are_left_to_that_deletion(
    old_ledger: Database, job: str, orphaned: bool
) -> None:
    moment = now() - OLD
    theirs = sorted(add_document(old_ledger, deleted_at=moment) for _ in range(5))
    other = add_document(old_ledger, deleted_at=moment + timedelta(microseconds=1))
    version_id = add_version(old_ledger, theirs[0], "live")
    payload = removals.of_collection(DEFAULT_TENANT, moment)
    add_job(old_ledger, "delete", job, payload=payload)
    assert (version_id in judge(old_ledger, version_id).orphaned) is orphaned
    found: list[str] = []
    with old_ledger.reading() as connection:
        while page := sweep.leftover_deletions(connection, found[-1] if found else "", limit=2):
            found += page
    assert found == sorted([other, *theirs] if orphaned else [other])


def test_a_document_that_was_just_deleted_is_left_alone(old_ledger: Database) -> None:
    document = add_document(old_ledger, deleted_at=now() - YOUNG)
    version_id = add_version(old_ledger, document, "live")
    assert judge(old_ledger, version_id).orphaned == set()
    with old_ledger.reading() as connection:
        assert sweep.leftover_deletions(connection) == []


def test_live_versions_come_page_by_page_and_without_what_does_not_answer(
    old_ledger: Database,
) -> None:
    live = sorted(add_version(old_ledger, add_document(old_ledger), "live") for _ in range(5))
    add_version(old_ledger, add_document(old_ledger), "pending")
    add_version(old_ledger, add_document(old_ledger, deleted_at=now()), "live")
    seen: list[str] = []
    with old_ledger.reading() as connection:
        while page := sweep.live_versions(connection, seen[-1] if seen else "", limit=2):
            seen += [version.id for version in page]
    assert seen == live


def test_a_version_is_incomplete_only_as_long_as_it_answers_and_nobody_works_on_it(
    old_ledger: Database,
) -> None:
    documents = [add_document(old_ledger) for _ in range(4)]
    short, replaced, whole, busy = [add_version(old_ledger, d, "live") for d in documents]
    add_version(old_ledger, documents[1], "live", number=2)
    set_version(old_ledger, replaced, state="retired")
    add_job(old_ledger, "reindex", "pending", document_id=documents[3], version_id=busy)
    with old_ledger.reading() as connection:
        found = sweep.still_incomplete(connection, {short: 2, replaced: 2, whole: 3, busy: 0})
    assert [(version.id, counted) for version, counted in found] == [(short, 2)]


def test_there_is_one_sweep_at_a_time(old_ledger: Database) -> None:
    def submit(_: int) -> tuple[str, bool]:
        with old_ledger.writing() as connection:
            return sweep.submit(connection, dry_run=True)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(submit, range(4)))
    assert len({job_id for job_id, _ in answers}) == 1
    assert sorted(new for _, new in answers) == [False, False, False, True]


def test_what_one_half_finds_the_other_reads(old_ledger: Database) -> None:
    from flotilla.ledger import jobs

    with old_ledger.writing() as connection:
        job_id, _ = sweep.submit(connection, dry_run=True)
        sweep.note(connection, job_id, points={"orphaned": 3})
    with old_ledger.reading() as connection:
        job = jobs.get(connection, job_id)
    assert job is not None
    assert job.payload == {"dry_run": True, "points": {"orphaned": 3}}
