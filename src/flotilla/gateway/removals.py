"""Removing what deleted documents have left: the job, and its start."""

from sqlalchemy import Connection

from flotilla import pipelines
from flotilla.errors import DependencyUnavailable
from flotilla.gateway.dependencies import Services
from flotilla.ledger import endings, jobs
from flotilla.schemas import Task, TaskAccepted


def remove_documents(
    connection: Connection, tenant: str, document_ids: list[str], callback_url: str | None = None
) -> tuple[str, list[Task]]:
    """Write the job that removes deleted documents' parts, and cancel their ingestions.

    Returns the job's id and the cancelled jobs.
    """
    open_jobs = [
        job_id
        for document_id in document_ids
        for job_id in jobs.open_of_document(connection, document_id)
    ]
    cancelled = endings.cancel_in(connection, open_jobs)
    job = jobs.NewJob(
        tenant_id=tenant,
        kind="delete",
        queue="vectorstore",
        stage=pipelines.REMOVE,
        payload={"document_ids": document_ids}
        | ({} if callback_url is None else {"callback_url": callback_url}),
        sent=True,
    )
    jobs.add(connection, [job])
    return job.id, cancelled


async def start_removal(services: Services, job_id: str, cancelled: list[Task]) -> TaskAccepted:
    """Tell the cancelled jobs' waiters, and send the removal on its way."""

    def send() -> None:
        for task in cancelled:
            endings.tell(services.database, task)
        try:
            pipelines.begin("delete", job_id, pipelines.REMOVE)
        except Exception as error:
            raise DependencyUnavailable(
                "The deletion is written and will be carried out; the broker does not answer now.",
                task_id=job_id,
            ) from error

    await services.in_thread(send)
    return TaskAccepted(task_id=job_id)
