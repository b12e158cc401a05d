"""Errors as they go over the wire."""

from pydantic import ConfigDict, Field

from flotilla.schemas.base import Response


class FieldError(Response):
    """One field at fault."""

    field: str = Field(examples=["question"])
    message: str = Field(examples=["The question is empty: send the text to be answered."])


class Problem(Response):
    """An error as application/problem+json (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field("about:blank", description="URI of the kind of problem.")
    title: str = Field(description="The kind of problem.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What is wrong here, and what to do.")
    instance: str | None = Field(None, description="Path of the request.")
    code: str = Field(description="Stable name of the kind of problem, for programs.")
    request_id: str | None = Field(None, description="Id of the request, as in X-Request-ID.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    retry_after: float | None = Field(
        None, description="Seconds after which another try makes sense, as in Retry-After."
    )
    errors: list[FieldError] | None = Field(None, description="The fields at fault.")
    task_id: str | None = Field(None, description="The task that goes on, if there is one.")
    closed_as_idle: bool | None = Field(
        None, description="Whether the batch was closed since nothing came for it for too long."
    )
