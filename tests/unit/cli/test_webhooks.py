"""`flotilla webhooks`."""

import json

import pytest
from starlette.responses import Response

from flotilla.schemas import Delivery, DeliveryAttempt, DeliveryState, Webhook, WebhookCreated
from tests.doubles.gateway import STARTED, GatewayDouble, a_problem
from tests.unit.cli.conftest import Run

WEBHOOK = Webhook(webhook_id="w1", url="https://example.com/", created_at=STARTED)


def a_delivery(state: str = "pending", message: str | None = None) -> Delivery:
    attempts = [DeliveryAttempt(attempt=1, started_at=STARTED, message=message)] if message else []
    return Delivery(
        delivery_id="d1",
        webhook_id="w1",
        url="https://example.com/",
        event="ping",
        state=DeliveryState(state),
        attempts=attempts,
        created_at=STARTED,
        finished_at=STARTED if attempts else None,
    )


def reply(body: str) -> Response:
    return Response(body, media_type="application/json")


def items(*bodies: str) -> Response:
    return reply(f'{{"items": [{",".join(bodies)}]}}')


def test_a_bare_noun_lists_them(run: Run, gateway: GatewayDouble) -> None:
    gateway.scripted["GET", "/webhooks"] = [items(), items(WEBHOOK.model_dump_json())]
    assert "flotilla webhooks create" in run("webhooks").stderr
    listed = run("webhooks", "list").stdout
    assert "w1" in listed
    assert "all" in listed


def test_a_new_ones_secret_is_shown(run: Run, gateway: GatewayDouble) -> None:
    made = WebhookCreated(**WEBHOOK.model_dump(), secret="whsec_x")
    gateway.scripted["POST", "/webhooks"] = [reply(made.model_dump_json())]
    result = run("webhooks", "create", "https://example.com/", "-e", "task.failed")
    assert "whsec_x" in result.stdout
    [sent] = gateway.seen("POST", "/webhooks")
    assert sent.json == {"url": "https://example.com/", "events": ["task.failed"]}


def test_a_refusal_is_one_sentence(run: Run, gateway: GatewayDouble) -> None:
    gateway.scripted["POST", "/webhooks"] = [
        a_problem(422, "callback_refused", "localhost may not be called.")
    ]
    result = run("webhooks", "create", "http://localhost/")
    assert result.exit_code == 1
    assert "localhost may not be called." in result.stderr


@pytest.mark.parametrize(
    ("state", "message", "code"),
    [("succeeded", "It answered 204.", 0), ("failed", "It is away.", 1)],
)
def test_a_test_waits_for_its_outcome(
    run: Run, gateway: GatewayDouble, state: str, message: str, code: int
) -> None:
    gateway.scripted["POST", "/webhooks/w1/test"] = [reply(a_delivery().model_dump_json())]
    gateway.scripted["GET", "/deliveries/d1"] = [
        reply(a_delivery("sending").model_dump_json()),
        reply(a_delivery(state, message).model_dump_json()),
    ]
    result = run("webhooks", "test", "w1")
    assert result.exit_code == code
    assert message in result.stdout


def test_deliveries_of_a_webhook_or_of_a_task(run: Run, gateway: GatewayDouble) -> None:
    body = a_delivery("failed", "It is away.").model_dump_json()
    for path in ("/webhooks/w1/deliveries", "/tasks/t1/deliveries"):
        gateway.scripted["GET", path] = [items(body)]
    assert "It is away." in run("webhooks", "deliveries", "w1").stdout
    assert json.loads(run("webhooks", "deliveries", "--task", "t1", "--json").stdout)
    for wrong in (("webhooks", "deliveries"), ("webhooks", "deliveries", "w1", "--task", "t1")):
        assert run(*wrong).exit_code == 2


def test_deleting_asks_and_redelivering_does_not(run: Run, gateway: GatewayDouble) -> None:
    assert run("webhooks", "delete", "w1").exit_code == 2
    gateway.scripted["DELETE", "/webhooks/w1"] = [reply(WEBHOOK.model_dump_json())]
    assert run("webhooks", "delete", "w1", "--yes").exit_code == 0
    gateway.scripted["POST", "/deliveries/d1/redeliver"] = [reply(a_delivery().model_dump_json())]
    assert "pending" in run("webhooks", "redeliver", "d1").stdout


def test_the_secret_is_shown_unless_it_is_the_operators(run: Run, gateway: GatewayDouble) -> None:
    gateway.scripted["GET", "/webhooks/secret"] = [
        reply('{"source": "ledger", "secret": "whsec_y"}'),
        reply('{"source": "setting"}'),
    ]
    gateway.scripted["POST", "/webhooks/secret"] = [reply('{"source": "ledger", "secret": "z1"}')]
    assert "whsec_y" in run("webhooks", "secret").stdout
    assert "FLOTILLA_WEBHOOK_SECRET" in run("webhooks", "secret").stdout
    assert "z1" in run("webhooks", "secret", "--rotate").stdout
