"""The client's calls about webhooks, and what a callback URL adds to others."""

import io
from typing import Any

import pytest
from starlette.responses import Response

from flotilla.client import AsyncFlotilla, Flotilla
from flotilla.schemas import Delivery, DeliveryState, Webhook, WebhookCreated
from tests.doubles.gateway import STARTED, GatewayDouble

WEBHOOK = Webhook(webhook_id="w1", url="https://example.com/", created_at=STARTED)
DELIVERY = Delivery(
    delivery_id="d1",
    webhook_id="w1",
    url="https://example.com/",
    event="ping",
    state=DeliveryState.PENDING,
    attempts=[],
    created_at=STARTED,
)
SECRET = '{"source": "ledger", "secret": "s"}'
OWN = "https://example.com/own"


def reply(body: str) -> Response:
    return Response(body, media_type="application/json")


@pytest.mark.parametrize(
    ("name", "arguments", "method", "path", "answer"),
    [
        ("delete_webhook", ("w1",), "DELETE", "/webhooks/w1", WEBHOOK.model_dump_json()),
        ("ping_webhook", ("w1",), "POST", "/webhooks/w1/test", DELIVERY.model_dump_json()),
        ("delivery", ("d1",), "GET", "/deliveries/d1", DELIVERY.model_dump_json()),
        ("redeliver", ("d1",), "POST", "/deliveries/d1/redeliver", DELIVERY.model_dump_json()),
        ("signing_secret", (), "GET", "/webhooks/secret", SECRET),
        ("rotate_signing_secret", (), "POST", "/webhooks/secret", SECRET),
    ],
)
async def test_each_call_reaches_its_endpoint(
    gateway: GatewayDouble,
    flotilla: Flotilla,
    name: str,
    arguments: tuple[str, ...],
    method: str,
    path: str,
    answer: str,
) -> None:
    gateway.scripted[method, path] = [reply(answer), reply(answer)]
    async with AsyncFlotilla(gateway.url) as awaited:
        assert getattr(flotilla, name)(*arguments) == await getattr(awaited, name)(*arguments)
    assert len(gateway.seen(method, path)) == 2


@pytest.mark.parametrize(
    ("name", "arguments", "path"),
    [
        ("webhook_deliveries", ("w1",), "/webhooks/w1/deliveries"),
        ("task_deliveries", ("t1",), "/tasks/t1/deliveries"),
    ],
)
def test_deliveries_are_listed_to_the_end(
    gateway: GatewayDouble, flotilla: Flotilla, name: str, arguments: tuple[str], path: str
) -> None:
    item = DELIVERY.model_dump_json()
    gateway.scripted["GET", path] = [
        reply(f'{{"items": [{item}], "next_cursor": "c"}}'),
        reply(f'{{"items": [{item}]}}'),
    ]
    assert list(getattr(flotilla, name)(*arguments, limit=1)) == [DELIVERY, DELIVERY]
    assert [r.params for r in gateway.seen("GET", path)] == [
        {"limit": "1"},
        {"limit": "1", "cursor": "c"},
    ]


def test_a_webhook_is_sent_as_it_is_given(gateway: GatewayDouble, flotilla: Flotilla) -> None:
    made = WebhookCreated(**WEBHOOK.model_dump(), secret="s").model_dump_json()
    gateway.scripted["POST", "/webhooks"] = [reply(made), reply(made)]
    assert flotilla.create_webhook("https://example.com/").secret == "s"
    flotilla.create_webhook("https://example.com/", events=["task.failed"], secret="s" * 16)
    assert [r.json for r in gateway.seen("POST", "/webhooks")] == [
        {"url": "https://example.com/"},
        {"url": "https://example.com/", "events": ["task.failed"], "secret": "s" * 16},
    ]


def test_a_callback_url_goes_with_each_kind_of_submission(
    gateway: GatewayDouble, flotilla: Flotilla
) -> None:
    gateway.scripted["POST", "/rag/query"] = [reply('{"task_id": "t"}')]
    [accepted] = flotilla.upload(("a.txt", io.BytesIO(b"a")), callback_url=OWN)
    flotilla.ingest_url("https://example.com/a", callback_url=OWN)
    flotilla.ingest_text("a", callback_url=OWN)
    flotilla.ingest_path("a", callback_url=OWN)
    flotilla.ask_async("Why?", callback_url=OWN)
    flotilla.delete_document(accepted.document_id, callback_url=OWN)
    flotilla.delete_collection("default", callback_url=OWN)

    def given(request: Any) -> Any:
        return (request.json or request.form or request.params)["callback_url"]

    assert [given(request) for request in gateway.requests] == [OWN] * 7
