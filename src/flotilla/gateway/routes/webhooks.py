"""Webhooks: register, list, test, delete; and the deliveries with what came of them."""

from fastapi import APIRouter
from sqlalchemy import Connection

from flotilla import pipelines
from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import PartDep, Services, ServicesDep, TenantDep
from flotilla.ledger import deliveries, job_views, signing_secrets, webhooks
from flotilla.logging import get_logger
from flotilla.schemas import (
    Delivery,
    Listing,
    SigningSecret,
    Webhook,
    WebhookCreated,
    WebhookRequest,
)
from flotilla.schemas.webhooks import PING

logger = get_logger(__name__)

router = APIRouter(tags=["webhooks"])


@router.post(
    "/webhooks",
    status_code=201,
    summary="Have ended tasks told to an address",
    responses=problems.responses(
        examples.BODY_TOO_LARGE, examples.PRIVATE_CALLBACK, examples.ENOUGH_WEBHOOKS
    ),
)
async def create_webhook(
    body: WebhookRequest, services: ServicesDep, tenant: TenantDep
) -> WebhookCreated:
    """The reply has the secret that its deliveries are signed with, and no other has."""
    url = await services.callbacks.check(body.url, "url")
    return await services.write(webhooks.create, tenant, url, body.events, body.secret)


@router.get(
    "/webhooks",
    summary="List webhooks, newest first",
    responses=problems.responses(examples.BAD_PARAMETER),
)
async def list_webhooks(
    services: ServicesDep, tenant: TenantDep, part: PartDep
) -> Listing[Webhook]:
    items = await services.read(webhooks.listing, tenant, before=part.after, limit=part.wanted)
    return part.listing(items, lambda item: item.webhook_id)


@router.get("/webhooks/secret", summary="Read what callbacks are signed with")
async def get_signing_secret(services: ServicesDep, tenant: TenantDep) -> SigningSecret:
    """The secret of the deliveries to a `callback_url`; a webhook has one of its own."""
    if services.settings.webhook.secret is not None:
        return SigningSecret(source="setting")
    return await services.write(signing_secrets.view, tenant)


@router.post("/webhooks/secret", summary="Replace what callbacks are signed with")
async def rotate_signing_secret(services: ServicesDep, tenant: TenantDep) -> SigningSecret:
    """For a day the secret before signs as well, so that receivers can take the new one up."""
    if services.settings.webhook.secret is not None:
        return SigningSecret(source="setting")
    return await services.write(signing_secrets.rotate, tenant)


@router.delete(
    "/webhooks/{webhook_id}",
    summary="Delete a webhook",
    responses=problems.responses(examples.NO_WEBHOOK),
)
async def delete_webhook(webhook_id: str, services: ServicesDep, tenant: TenantDep) -> Webhook:
    """Its deliveries go with it, also those that are still waiting. The reply is what it was."""
    return await services.write(webhooks.remove, tenant, webhook_id)


@router.post(
    "/webhooks/{webhook_id}/test",
    status_code=202,
    summary="Send a ping",
    responses=problems.responses(examples.NO_WEBHOOK),
)
async def send_ping(webhook_id: str, services: ServicesDep, tenant: TenantDep) -> Delivery:
    """One attempt, and no other; look at the delivery for what came of it."""

    def write(connection: Connection) -> Delivery:
        webhook = webhooks.view(connection, tenant, webhook_id)
        delivery_id = webhooks.note(
            connection, tenant, webhook_id, None, webhook.url, PING, None, patience=0
        )
        return deliveries.view(connection, tenant, delivery_id)

    delivery = await services.write(write)
    await _send(services, delivery)
    return delivery


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    summary="List a webhook's deliveries, newest first",
    responses=problems.responses(examples.NO_WEBHOOK, examples.BAD_PARAMETER),
)
async def list_webhook_deliveries(
    webhook_id: str, services: ServicesDep, tenant: TenantDep, part: PartDep
) -> Listing[Delivery]:
    def read(connection: Connection) -> list[Delivery]:
        webhooks.view(connection, tenant, webhook_id)
        return deliveries.listing(
            connection, tenant, webhook_id=webhook_id, before=part.after, limit=part.wanted
        )

    return part.listing(await services.read(read), lambda item: item.delivery_id)


@router.get(
    "/tasks/{task_id}/deliveries",
    summary="List a task's deliveries, newest first",
    responses=problems.responses(examples.NO_TASK, examples.BAD_PARAMETER),
)
async def list_task_deliveries(
    task_id: str, services: ServicesDep, tenant: TenantDep, part: PartDep
) -> Listing[Delivery]:
    """Those to webhooks, and that to its own `callback_url`."""

    def read(connection: Connection) -> list[Delivery]:
        if job_views.view(connection, tenant, task_id) is None:
            raise job_views.missing(task_id)
        return deliveries.listing(
            connection, tenant, job_id=task_id, before=part.after, limit=part.wanted
        )

    return part.listing(await services.read(read), lambda item: item.delivery_id)


@router.get(
    "/deliveries/{delivery_id}",
    summary="Look at a delivery",
    responses=problems.responses(examples.NO_DELIVERY),
)
async def get_delivery(delivery_id: str, services: ServicesDep, tenant: TenantDep) -> Delivery:
    return await services.read(deliveries.view, tenant, delivery_id)


@router.post(
    "/deliveries/{delivery_id}/redeliver",
    status_code=202,
    summary="Send a delivery again",
    responses=problems.responses(examples.NO_DELIVERY, examples.BEING_SENT),
)
async def redeliver(delivery_id: str, services: ServicesDep, tenant: TenantDep) -> Delivery:
    """Now, whatever became of it; it keeps its id and its earlier attempts."""
    patience = services.settings.webhook.give_up_after
    delivery = await services.write(deliveries.redeliver, tenant, delivery_id, patience)
    await _send(services, delivery)
    return delivery


async def _send(services: Services, delivery: Delivery) -> None:
    try:
        await services.in_thread(pipelines.call_back, delivery.delivery_id)
    except Exception as error:  # noqa: BLE001 - it is written, and the reaper finds it
        logger.warning("webhook.not_woken", delivery_id=delivery.delivery_id, error=str(error))
