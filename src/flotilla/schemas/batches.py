"""Batches: many submissions as one task."""

from pydantic import Field

from flotilla.schemas.base import Integer, Request, Response
from flotilla.schemas.webhooks import CallbackURL

MOST_REFUSALS = 1000
CODE = r"^[a-z][a-z0-9_]{0,63}$"


class BatchRequest(Request):
    """A batch that is to be filled by further requests."""

    name: str | None = Field(
        None, max_length=255, description="What it is called.", examples=["contracts/2026"]
    )
    total: Integer | None = Field(
        None, ge=1, le=10_000_000, description="How many documents will come, where it is known."
    )
    callback_url: CallbackURL = None


class Refusal(Request):
    """A file that could not be submitted, and why."""

    name: str = Field(min_length=1, max_length=1024, examples=["plans/harbour.pdf"])
    code: str = Field("refused", pattern=CODE, examples=["file_too_large"])
    message: str = Field(
        min_length=1,
        max_length=4000,
        examples=["plans/harbour.pdf is larger than the 209,715,200 bytes that are allowed."],
    )


class RefusalsRequest(Request):
    """Files that belong to a batch and never became documents."""

    refusals: list[Refusal] = Field(
        min_length=1,
        max_length=MOST_REFUSALS,
        examples=[[{"name": "a.pdf", "code": "file_too_large", "message": "It is too large."}]],
    )


class FailedMember(Response):
    """A document of a batch that failed, by its name."""

    name: str | None = None
    task_id: str
    document_id: str | None = None
    code: str
    message: str


class DuplicateMember(Response):
    """A file of a batch whose bytes were in the collection already."""

    name: str | None = None
    task_id: str = Field(description="The batch's own record of it; it had nothing to do.")
    duplicate_of: str = Field(description="The document that has these bytes.")


class BatchResult(Response):
    """The result of a batch's task."""

    documents: int = Field(description="Members of the batch.")
    completed: int = Field(description="Members that are completed, duplicates included.")
    failed: int
    cancelled: int
    duplicates: int = Field(0, description="Members whose bytes were there already.")
    failures: list[FailedMember] = Field(
        default_factory=list,
        description="The first hundred that failed; GET /tasks?parent=…&status=failed lists all.",
    )
    duplicate_documents: list[DuplicateMember] = Field(
        default_factory=list, description="The first hundred of the duplicates."
    )
