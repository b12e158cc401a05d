"""What can go wrong between a program and the gateway."""

from flotilla.schemas import Problem, Task


class ClientError(Exception):
    """A call of the client failed; `message` is one sentence for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class GatewayUnreachable(ClientError):
    """No reply came: nothing listens there, or the connection broke off or stayed silent."""


class UnexpectedReply(ClientError):
    """A reply came that is not Flotilla's: the address or the version is another one."""


class SourceChanged(ClientError):
    """A file became shorter while it was being uploaded."""


class WaitTimeout(ClientError, TimeoutError):
    """The task is not final yet; it goes on, and `task` is its last known state."""

    def __init__(self, message: str, task: Task | None) -> None:
        super().__init__(message)
        self.task = task


class FlotillaAPIError(ClientError):
    """The gateway refused the request or could not carry it out.

    `code` is the stable name of the problem and `retryable` says whether the same request may
    succeed later; `task_id` is set where the work itself goes on.
    """

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.status = problem.status
        self.code = problem.code
        self.retryable = problem.retryable
        self.request_id = problem.request_id
        self.task_id = problem.task_id
        self.retry_after = retry_after
