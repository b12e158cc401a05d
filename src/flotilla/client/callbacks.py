"""The calls about webhooks and their deliveries, in the way of `operations`."""

from collections.abc import Sequence
from typing import Any

from flotilla.client.operation import Operation, delete, get, post, segment
from flotilla.schemas import (
    Delivery,
    Listing,
    SigningSecret,
    Webhook,
    WebhookCreated,
    WebhookRequest,
)


def webhooks(*, limit: int | None = None) -> Operation[Listing[Webhook]]:
    """All webhooks, newest first."""
    return get("/webhooks", Listing[Webhook], limit=limit)


def create_webhook(
    url: str, *, events: Sequence[str] | None = None, secret: str | None = None
) -> Operation[WebhookCreated]:
    """Have ended tasks told to an address; the reply alone has the secret that signs.

    `events` are of `task.completed`, `task.failed`, `task.cancelled` and `task.partial`; all of
    them when not given.
    """
    values: dict[str, Any] = {"url": url, "secret": secret}
    values["events"] = list(events) if events is not None else None
    request = WebhookRequest.model_construct(**values)
    return post("/webhooks", request, WebhookCreated)


def delete_webhook(webhook_id: str) -> Operation[Webhook]:
    """Delete a webhook, and its deliveries with it."""
    return delete(f"/webhooks/{segment(webhook_id)}", Webhook)


def ping_webhook(webhook_id: str) -> Operation[Delivery]:
    """Send a ping to a webhook; what came of it is in its deliveries."""
    return Operation("POST", f"/webhooks/{segment(webhook_id)}/test", Delivery.model_validate_json)


def webhook_deliveries(
    webhook_id: str, *, limit: int | None = None
) -> Operation[Listing[Delivery]]:
    """A webhook's deliveries, newest first."""
    return get(f"/webhooks/{segment(webhook_id)}/deliveries", Listing[Delivery], limit=limit)


def task_deliveries(task_id: str, *, limit: int | None = None) -> Operation[Listing[Delivery]]:
    """A task's deliveries, newest first."""
    return get(f"/tasks/{segment(task_id)}/deliveries", Listing[Delivery], limit=limit)


def delivery(delivery_id: str) -> Operation[Delivery]:
    """One delivery with what came of its attempts."""
    return get(f"/deliveries/{segment(delivery_id)}", Delivery)


def redeliver(delivery_id: str) -> Operation[Delivery]:
    """Send a delivery again, now."""
    path = f"/deliveries/{segment(delivery_id)}/redeliver"
    return Operation("POST", path, Delivery.model_validate_json)


def signing_secret() -> Operation[SigningSecret]:
    """What the deliveries to a `callback_url` are signed with."""
    return get("/webhooks/secret", SigningSecret)


def rotate_signing_secret() -> Operation[SigningSecret]:
    """Replace what callbacks are signed with; for a day the old secret signs as well."""
    return Operation("POST", "/webhooks/secret", SigningSecret.model_validate_json)
