"""`flotilla webhooks`: who is told of ended tasks, and what came of it."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from flotilla.cli.connection import DataOption, JsonOption, UrlOption, connect
from flotilla.cli.deletion import YesOption, confirm
from flotilla.cli.groups import ListsByDefault
from flotilla.cli.submitted import LimitOption

if TYPE_CHECKING:
    from flotilla.client import Flotilla
    from flotilla.schemas import Delivery

app = typer.Typer(cls=ListsByDefault, help="Have ended tasks told to addresses.")

PING_SECONDS = 30.0
PING_POLL = 0.2

WebhookArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the webhook.")]


@app.command("list")
def list_webhooks(
    as_json: JsonOption = False, url: UrlOption = None, data: DataOption = None
) -> None:
    """List the webhooks, newest first."""
    from flotilla.cli.terminal import print_listing

    with connect(url, data) as flotilla:
        print_listing(
            flotilla.webhooks(),
            as_json,
            headers=("webhook", "url", "events", "state", "created"),
            row=lambda w: (
                w.webhook_id,
                w.url,
                ", ".join(w.events) if w.events else "all",
                w.disabled_reason or "active",
                w.created_at,
            ),
            empty="There are no webhooks. `flotilla webhooks create URL` makes one.",
        )


@app.command("create")
def create_webhook(
    address: Annotated[str, typer.Argument(metavar="URL", help="Address that takes POST.")],
    event: Annotated[
        list[str] | None,
        typer.Option("--event", "-e", help="Only this, such as task.failed; may be repeated."),
    ] = None,
    secret: Annotated[
        str | None, typer.Option("--secret", help="What signs; one is made when not given.")
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Have ended tasks told to an address; the secret is shown this once."""
    from flotilla.cli.terminal import print_fields, print_json

    with connect(url, data) as flotilla:
        webhook = flotilla.create_webhook(address, events=event, secret=secret)
    if as_json:
        print_json(webhook)
        return
    print_fields(
        [
            ("webhook", webhook.webhook_id),
            ("url", webhook.url),
            ("events", ", ".join(webhook.events) if webhook.events else "all"),
            ("secret", webhook.secret),
        ]
    )


@app.command("delete")
def delete_webhook(
    webhook_id: WebhookArgument,
    yes: YesOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Delete a webhook with its deliveries."""
    from flotilla.cli.terminal import print_json, print_note

    confirm(f"Delete webhook {webhook_id} with its deliveries?", yes)
    with connect(url, data) as flotilla:
        webhook = flotilla.delete_webhook(webhook_id)
    if as_json:
        print_json(webhook)
    else:
        print_note(f"Webhook {webhook_id} is deleted.")


@app.command("test")
def ping_webhook(
    webhook_id: WebhookArgument,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Send a ping and wait for what comes of it; exit code 1 unless it is taken."""
    with connect(url, data) as flotilla:
        delivery = _over(flotilla, flotilla.ping_webhook(webhook_id))
    _print_delivery(delivery, as_json)
    if delivery.state != "succeeded":
        raise typer.Exit(1)


def _over(flotilla: "Flotilla", delivery: "Delivery") -> "Delivery":
    """The delivery when it has ended, or as it is after PING_SECONDS."""
    import time

    deadline = time.monotonic() + PING_SECONDS
    while delivery.finished_at is None and time.monotonic() < deadline:
        time.sleep(PING_POLL)
        delivery = flotilla.delivery(delivery.delivery_id)
    return delivery


@app.command("deliveries")
def list_deliveries(
    webhook_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Id of the webhook.")
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", metavar="ID", help="Those of a task instead.")
    ] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """List the deliveries of a webhook or of a task, newest first."""
    from flotilla.cli.terminal import print_listing

    if (webhook_id is None) == (task is None):
        raise typer.BadParameter("give a webhook's id or --task", param_hint="ID")
    with connect(url, data) as flotilla:
        part = min(limit, 100)
        found = (
            flotilla.task_deliveries(task, limit=part)
            if task is not None
            else flotilla.webhook_deliveries(str(webhook_id), limit=part)
        )
        print_listing(
            islice(found, limit),
            as_json,
            headers=("delivery", "event", "task", "state", "attempts#", "last", "created"),
            row=lambda d: (
                d.delivery_id,
                d.event,
                d.task_id,
                d.state,
                len(d.attempts),
                d.attempts[-1].message if d.attempts else None,
                d.created_at,
            ),
            empty="There are no deliveries.",
        )


@app.command("redeliver")
def redeliver(
    delivery_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the delivery.")],
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Send a delivery again, now."""
    with connect(url, data) as flotilla:
        _print_delivery(flotilla.redeliver(delivery_id), as_json)


@app.command("secret")
def signing_secret(
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Replace it; for a day the old one signs as well.")
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    data: DataOption = None,
) -> None:
    """Show what the deliveries to a `callback_url` are signed with."""
    from flotilla.cli.terminal import print_fields, print_json

    with connect(url, data) as flotilla:
        shown = flotilla.rotate_signing_secret() if rotate else flotilla.signing_secret()
    if as_json:
        print_json(shown)
        return
    by_setting = "(set by FLOTILLA_WEBHOOK_SECRET)"
    print_fields(
        [
            ("secret", by_setting if shown.source == "setting" else shown.secret),
            ("created", shown.created_at),
            ("the one before until", shown.previous_until),
        ]
    )


def _print_delivery(delivery: "Delivery", as_json: bool) -> None:
    from flotilla.cli.terminal import print_fields, print_json

    if as_json:
        print_json(delivery)
        return
    fields: list[tuple[str, object]] = [
        ("delivery", delivery.delivery_id),
        ("event", delivery.event),
        ("task", delivery.task_id),
        ("url", delivery.url),
        ("state", delivery.state),
        ("next attempt", delivery.next_attempt_at),
    ]
    fields.extend((f"attempt {each.attempt}", each.message) for each in delivery.attempts)
    print_fields(fields)
