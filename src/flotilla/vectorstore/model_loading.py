"""The models that a process has loaded, each by one thread for all that wait for it.

A model of a server is asked for its dimensions, and a server that hangs holds whoever asks for as
long as FLOTILLA_EMBEDDING_TIMEOUT says. So threads that want a model share one attempt and its
failure, and where a moment ago the server did not reply, they are told so at once.
"""

import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock

from flotilla.errors import DependencyUnavailable
from flotilla.vectorstore.embedder import Embedder

REMEMBERED_SECONDS = 1.5
"""How long an outage counts where nobody looks again: a worker's own thread looks sooner."""


@dataclass(slots=True)
class _Model:
    """A model that is loaded, or wanted; `outage` is why it could not be had last."""

    loading: Future[Embedder] | None = None
    outage: DependencyUnavailable | None = None
    failed_at: float = field(default=float("-inf"))


class LoadedModels:
    """The loaded models by their names; safe to share between threads."""

    def __init__(self) -> None:
        self._loaded: dict[str, Embedder] = {}
        self._wanted: dict[str, _Model] = {}
        self._lock = Lock()

    def get(self, model: str, load: Callable[[], Embedder], *, look: bool = False) -> Embedder:
        """The model, loaded by this thread where no other is at it.

        Args:
            model: its name.
            load: loads it.
            look: whether to try although it could not be had a moment ago.

        Raises:
            DependencyUnavailable: the model's server does not reply, or did not a moment ago.
            Exception: whatever else `load` raises.
        """
        found = self._loaded.get(model)
        if found is not None:
            return found
        with self._lock:
            if model in self._loaded:
                return self._loaded[model]
            wanted = self._wanted.setdefault(model, _Model())
            begun = wanted.loading
            recent = time.monotonic() - wanted.failed_at < REMEMBERED_SECONDS
            if wanted.outage is not None and not look and (begun is not None or recent):
                raise DependencyUnavailable(
                    wanted.outage.message, retry_after=wanted.outage.retry_after
                )
            own: Future[Embedder] = Future()
            if begun is None:
                wanted.loading = own
        return begun.result() if begun is not None else self._load(model, load, own)

    def keep(self, models: Collection[str]) -> None:
        """Forget all models but these."""
        with self._lock:
            for model in self._loaded.keys() - set(models):
                del self._loaded[model]

    def _load(self, model: str, load: Callable[[], Embedder], own: Future[Embedder]) -> Embedder:
        try:
            embedder = load()
        except BaseException as error:
            with self._lock:
                wanted = self._wanted.pop(model)
                if isinstance(error, DependencyUnavailable):
                    wanted.loading, wanted.outage = None, error
                    wanted.failed_at = time.monotonic()
                    self._wanted[model] = wanted
            own.set_exception(error)
            raise
        with self._lock:
            self._loaded[model] = embedder
            del self._wanted[model]
        own.set_result(embedder)
        return embedder
