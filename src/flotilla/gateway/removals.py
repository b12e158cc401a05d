"""Removing what deletions have left: the start of the job that does it."""

from collections.abc import Callable
from contextlib import suppress

from flotilla import pipelines
from flotilla.errors import DependencyUnavailable
from flotilla.gateway.dependencies import Services
from flotilla.ledger import forgetting, removals
from flotilla.ledger.announce import announce
from flotilla.schemas import TaskAccepted

CANCEL_SECONDS = 1.0
"""For which a request cancels what is being done for the documents; the removal does the rest."""


async def start_removal(services: Services, job_id: str) -> TaskAccepted:
    """Cancel what is being done for a removal's documents, and send it on its way."""

    def cancel() -> None:
        removals.cancel_work(services.database, job_id, CANCEL_SECONDS)

    return await _start(services, job_id, removals.KIND, removals.STAGE, cancel)


async def start_forgetting(services: Services, job_id: str, conversation_id: str) -> TaskAccepted:
    """Cancel what is being answered in a conversation, and have it forgotten."""

    def cancel() -> None:
        with services.database.writing() as connection:
            cancelled = forgetting.cancel_turns(connection, conversation_id)
        for task in cancelled:
            announce(task)

    return await _start(services, job_id, forgetting.KIND, forgetting.STAGE, cancel)


async def _start(
    services: Services, job_id: str, kind: str, stage: str, cancel: Callable[[], None]
) -> TaskAccepted:
    def send() -> None:
        with suppress(DependencyUnavailable):  # the deletion is written, and its job cancels too
            cancel()
        try:
            pipelines.begin(kind, job_id, stage)
        except Exception as error:
            raise DependencyUnavailable(
                "The deletion is written and will be carried out; the broker does not answer now.",
                task_id=job_id,
            ) from error

    await services.in_thread(send)
    return TaskAccepted(task_id=job_id)
