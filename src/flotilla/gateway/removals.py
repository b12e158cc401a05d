"""Removing what deleted documents have left: the start of the job that does it."""

from contextlib import suppress

from flotilla import pipelines
from flotilla.errors import DependencyUnavailable
from flotilla.gateway.dependencies import Services
from flotilla.ledger import removals
from flotilla.schemas import TaskAccepted

CANCEL_SECONDS = 1.0
"""For which a request cancels what is being done for the documents; the removal does the rest."""


async def start_removal(services: Services, job_id: str) -> TaskAccepted:
    """Cancel what is being done for a removal's documents, and send it on its way."""

    def send() -> None:
        with suppress(DependencyUnavailable):  # the deletion is written all the same
            removals.cancel_work(services.database, job_id, CANCEL_SECONDS)
        try:
            pipelines.begin(removals.KIND, job_id, removals.STAGE)
        except Exception as error:
            raise DependencyUnavailable(
                "The deletion is written and will be carried out; the broker does not answer now.",
                task_id=job_id,
            ) from error

    await services.in_thread(send)
    return TaskAccepted(task_id=job_id)
