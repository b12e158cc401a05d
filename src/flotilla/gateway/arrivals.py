"""Keeping a batch open while files for it are still arriving."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from starlette.requests import Request

from flotilla.errors import DependencyUnavailable
from flotilla.gateway.dependencies import Services
from flotilla.ledger import batches
from flotilla.logging import get_logger

logger = get_logger(__name__)

AGAIN_SECONDS = 60.0
"""Between two looks at a batch while a request's bytes arrive."""

Arriving = Callable[[str], Awaitable[None]]
"""Is told again and again of the batch that a request names, as long as its bytes arrive. What it
raises ends the request."""


async def pieces(
    request: Request, fields: Mapping[str, str], arriving: Arriving | None
) -> AsyncIterator[bytes]:
    """A request's body as it arrives, with `arriving` being told of the batch that its fields name.

    Args:
        request: whose body has not been read yet.
        fields: the form's fields so far; whoever reads this fills them.
        arriving: is told, unless it is None.
    """
    async for data in request.stream():
        if not data:
            continue
        yield data
        # Here it has been read, and the next may be long in coming.
        if arriving is not None and (batch_id := fields.get("batch")):
            await arriving(batch_id)


def keep_open(services: Services, tenant: str) -> Arriving:
    """Have a batch that files are arriving for left open, and those for a closed one refused before
    all of their bytes are there.

    It raises TaskNotFound where the tenant has no such batch, and BatchClosed where it takes no
    more.
    """
    due = 0.0

    async def arriving(batch_id: str) -> None:
        nonlocal due
        if time.monotonic() < due:
            return
        try:
            if await services.read(batches.is_nearly_idle, tenant, batch_id):
                await services.write(batches.keep_open, tenant, batch_id)
        except DependencyUnavailable as error:  # it may be back when the files are there
            logger.warning("batch.not_kept_open", task_id=batch_id, error=error.message)
        due = time.monotonic() + AGAIN_SECONDS

    return arriving
