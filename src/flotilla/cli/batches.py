"""The batch that many documents are sent into, and another one where it was closed meanwhile."""

import threading

from flotilla.client import Flotilla, FlotillaAPIError
from flotilla.schemas import TaskStatus

ENDED_BY_ITSELF = (TaskStatus.COMPLETED, TaskStatus.PARTIAL, TaskStatus.FAILED)
"""How a batch stands that was closed since nothing came for it: all that it had was over."""


class Batches:
    """The batch that is being filled, and those that were closed before it was.

    Args:
        flotilla: the gateway's client.
        name: what each is called.
        total: how many documents will come.
    """

    def __init__(self, flotilla: Flotilla, name: str | None, total: int) -> None:
        self._flotilla = flotilla
        self._name = name
        self._lock = threading.Lock()
        self.ids = [flotilla.open_batch(name=name, total=total).task_id]

    @property
    def current(self) -> str:
        return self.ids[-1]

    def has_another(self, closed: str, error: FlotillaAPIError) -> bool:
        """Whether there is another batch in the place of one that takes no more; it is opened now
        unless it was before.

        There is none for one that was cancelled, or that somebody has closed while its documents
        are worked on. Raises ClientError.

        Args:
            closed: the batch that a document was sent into.
            error: how the gateway has refused that.
        """
        with self._lock:
            if closed == self.current:
                # One that was closed since nothing came for it may still wait for documents that
                # others ingest.
                as_idle = error.problem.closed_as_idle
                if not as_idle and self._flotilla.task(closed).status not in ENDED_BY_ITSELF:
                    return False
                self.ids.append(self._flotilla.open_batch(name=self._name).task_id)
            return True
