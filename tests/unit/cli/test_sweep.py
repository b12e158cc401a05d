"""`flotilla sweep`: what is asked of the gateway, and how the report reads."""

import pytest

from flotilla.cli.sweep import print_report
from flotilla.client.maintenance import sweep
from flotilla.schemas.sweeps import (
    BlobFindings,
    DocumentFindings,
    IncompleteDocument,
    PointFindings,
    SweepReport,
)

REPORT = SweepReport(
    dry_run=False,
    points=PointFindings(looked_at=1200, orphaned=3, orphaned_versions=1),
    documents=DocumentFindings(
        looked_at=40,
        incomplete=1,
        listed=[IncompleteDocument(document_id="d1", chunks=9, points=7, task_id="t1")],
    ),
    blobs=BlobFindings(versions_looked_at=41, orphaned=2, orphaned_bytes=2048),
)


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_gateway_is_told_whether_to_change_anything(dry_run: bool) -> None:
    operation = sweep(dry_run=dry_run)
    assert (operation.method, operation.path) == ("POST", "/admin/sweep")
    assert operation.body == {"dry_run": dry_run}


def test_a_report_says_what_was_removed_and_what_is_mended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_report(REPORT)
    captured = capsys.readouterr()
    shown = " ".join((captured.out + captured.err).split())
    assert "1,200 looked at, 3 orphaned ones removed" in shown
    assert "1 incomplete ones being indexed anew" in shown
    assert "Document d1 has 7 points for 9 chunks, task t1." in shown


def test_a_dry_run_says_that_nothing_was_changed(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(REPORT.model_copy(update={"dry_run": True}))
    captured = capsys.readouterr()
    shown = captured.out + captured.err
    assert "Nothing was changed" in shown
    assert "removed" not in shown
