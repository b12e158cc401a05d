"""Sweeps: what does not fit together between the ledger, the points and the blobs."""

from pydantic import Field

from flotilla.schemas.base import Request, Response

LISTED_DOCUMENTS = 100
"""Incomplete documents that a report names; the others are counted."""


class SweepRequest(Request):
    """A sweep."""

    dry_run: bool = Field(False, description="Report, and change nothing.")


class PointFindings(Response):
    """Points that nobody can need any more: their document or version is gone."""

    looked_at: int = 0
    orphaned: int = 0
    orphaned_versions: int = Field(0, description="Versions that the orphaned points belong to.")
    foreign: int = Field(0, description="Points older than this ledger, which are left alone.")


class BlobFindings(Response):
    """Blobs that nobody can need any more: their document or version is gone."""

    versions_looked_at: int = 0
    orphaned: int = 0
    orphaned_bytes: int = 0
    orphaned_versions: int = Field(0, description="Versions that the orphaned blobs belong to.")
    foreign_versions: int = Field(
        0, description="Versions older than this ledger, whose blobs are left alone."
    )
    deleted_documents: int = Field(
        0, description="Deleted documents whose rows were left, since their deletion had failed."
    )


class IncompleteDocument(Response):
    """A document that answers with fewer points than it has chunks."""

    document_id: str
    chunks: int
    points: int
    task_id: str | None = Field(
        None, description="The task that indexes it again; null in a dry run."
    )


class DocumentFindings(Response):
    """Documents that are ready, compared with their points."""

    looked_at: int = 0
    incomplete: int = 0
    listed: list[IncompleteDocument] = Field(
        default_factory=list, description=f"The first {LISTED_DOCUMENTS} of the incomplete ones."
    )


class TurnFindings(Response):
    """Points of conversations' turns that nobody can need any more: their conversation is gone."""

    looked_at: int = 0
    orphaned: int = 0
    deleted_conversations: int = Field(
        0,
        description="Deleted conversations whose rows were left, since their deletion had failed.",
    )


class SweepReport(Response):
    """What a sweep found, and removed or mended unless it was a dry run."""

    dry_run: bool
    points: PointFindings = Field(default_factory=PointFindings)
    documents: DocumentFindings = Field(default_factory=DocumentFindings)
    turns: TurnFindings = Field(default_factory=TurnFindings)
    blobs: BlobFindings = Field(default_factory=BlobFindings)
