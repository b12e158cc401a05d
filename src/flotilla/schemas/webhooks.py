"""Webhooks: who is told of ended tasks, what is sent, and what came of it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from flotilla.schemas.base import Request, Response
from flotilla.schemas.tasks import Task

LONGEST_CALLBACK_URL = 2048  # characters as sent, and bytes as kept, percent-encoded

CallbackURL = Annotated[
    str | None,
    Field(
        max_length=LONGEST_CALLBACK_URL,
        description="Address that is told by POST when the task has ended.",
    ),
]


class WebhookEvent(StrEnum):
    """What a webhook may be told of."""

    COMPLETED = "task.completed"
    FAILED = "task.failed"
    CANCELLED = "task.cancelled"
    PARTIAL = "task.partial"


PING = "ping"
"""The event of a test; no webhook has to ask for it."""


class WebhookRequest(Request):
    """A new webhook."""

    url: str = Field(
        max_length=LONGEST_CALLBACK_URL,
        description="http or https address that takes POST.",
        examples=["https://example.com/flotilla"],
    )
    events: list[WebhookEvent] | None = Field(
        None, min_length=1, description="All of them when not given."
    )
    secret: str | None = Field(
        None,
        min_length=16,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="What its deliveries are signed with; one is made when not given.",
    )


class Webhook(Response):
    """An address that is told of ended tasks."""

    webhook_id: str
    url: str
    events: list[WebhookEvent] | None = Field(None, description="All of them when null.")
    created_at: datetime
    disabled_at: datetime | None = Field(
        None, description="Set when the receiver answered 410: nothing is sent any more."
    )
    disabled_reason: str | None = None


class WebhookCreated(Webhook):
    """A new webhook with its secret, which is not shown again."""

    secret: str


class SigningSecret(Response):
    """What the deliveries to a `callback_url` are signed with."""

    source: str = Field(
        description="`ledger`, or `setting` where FLOTILLA_WEBHOOK_SECRET is set.",
        examples=["ledger"],
    )
    secret: str | None = Field(
        None, description="Null where it is set by the operator, who alone hands it out."
    )
    created_at: datetime | None = None
    previous_until: datetime | None = Field(
        None, description="After a rotation: until then the secret before signs as well."
    )


class DeliveryState(StrEnum):
    """Where a delivery stands. The last two are final."""

    PENDING = "pending"  # waits for its first or its next attempt
    SENDING = "sending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # given up


class DeliveryAttempt(Response):
    """What came of one attempt."""

    attempt: int = Field(description="From 1.")
    started_at: datetime
    status: int | None = Field(None, description="HTTP status, where there was an answer.")
    message: str = Field(examples=["The receiver answered 204."])
    duration_ms: float | None = None


class Delivery(Response):
    """One event on its way to one address."""

    delivery_id: str
    webhook_id: str | None = Field(None, description="Null for a task's own `callback_url`.")
    task_id: str | None = Field(None, description="Null for a ping.")
    url: str
    event: str = Field(examples=["task.completed"])
    state: DeliveryState
    attempts: list[DeliveryAttempt] = Field(description="The newest hundred, oldest first.")
    created_at: datetime
    next_attempt_at: datetime | None = Field(None, description="While it is pending.")
    finished_at: datetime | None = None


class Callback(Response):
    """The body that a receiver gets."""

    event: str = Field(examples=["task.completed"])
    delivery_id: str = Field(description="The same at each attempt: what is known may be dropped.")
    attempt: int = Field(description="From 1.")
    created_at: datetime = Field(description="When the event happened.")
    task: Task | None = Field(
        None,
        description="The task as it was then, null in a ping. The `result` of questions, and any "
        "that is longer than 64 KiB, is left out: GET /tasks/{task_id} has it.",
    )
