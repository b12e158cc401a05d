"""Modules that supervisord loads once, so that the programs it forks need not.

Only what others wrote is loaded, and of that only what neither starts a thread nor opens
anything: a process with a second thread cannot be forked safely, and a forked child must not
share a connection. Flotilla's own modules read their settings when they are imported and
are left to the children.
"""

import contextlib
import gc
import importlib
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

EVERYWHERE = (
    "pydantic_settings",
    "structlog",
    "celery.app.base",
    "celery.app.amqp",
    "celery.app.builtins",
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.backends.redis",
    "celery.concurrency.prefork",
    "celery.concurrency.thread",
    "celery.loaders.app",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "sqlalchemy.orm",
    "sqlalchemy.dialects.sqlite",
    "fsspec.implementations.local",
    "uuid_utils",
    "httpx",
    "typer.main",
    "setproctitle",
)
"""What all fleets and the gateway import."""

VECTORS = (
    "numpy",
    "tokenizers",
    "mmh3",
    "py_rust_stemmers",
    "requests",
    "huggingface_hub.hf_api",
    "PIL.Image",
    "loguru",
    "tqdm",
    "qdrant_client",
)
"""What the fleets that embed and search import besides; `onnxruntime` is left out, since it
starts a thread."""

GATEWAY = (
    "fastapi",
    "multipart",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
"""What the gateway imports besides; loaded last, for when it is started again, since the first
time it can import on one processor what nobody else waits for."""

HIDDEN = {"qdrant_client": ("fastembed",)}
"""What a module is not to find while it is loaded: qdrant_client takes in fastembed where there
is one, and that would take in `onnxruntime`. Flotilla embeds without qdrant_client's help."""

PAUSE_AFTER_WISH = 3
"""Turns of the daemon's loop between a wish and its first module: in the first the answer is
sent, in the second the programs that were added before are started."""


class Preloader:
    """Loads modules one at a time, between two turns of the daemon's loop."""

    def __init__(self) -> None:
        self._wishes: deque[str] = deque()
        self._pause = 0
        self.active = False
        """Whether anything was ever wished for."""

    def wish(self, modules: Iterable[str]) -> None:
        """Have these loaded soon."""
        self._wishes.extend(modules)
        self._pause = PAUSE_AFTER_WISH
        self.active = True

    def pending(self) -> int:
        """How many modules are still to be loaded."""
        return len(self._wishes)

    def turn(self) -> None:
        """Load the next module, if it is time for it."""
        if self._pause:
            self._pause -= 1
        elif self._wishes:
            load(self._wishes.popleft())


class PreloadInterface:
    """What `up` may call at supervisord's remote control, besides supervisor's own calls."""

    def __init__(self, preloader: Preloader) -> None:
        self._preloader = preloader

    def wish(self, modules: list[str]) -> bool:
        """See `Preloader.wish`."""
        self._preloader.wish(modules)
        return True

    def pending(self) -> int:
        """See `Preloader.pending`."""
        return self._preloader.pending()


def make_interface(supervisor: Any, **_: Any) -> PreloadInterface:
    """Called by supervisord, as its configuration says."""
    return PreloadInterface(supervisor.options.preloader)


def load(module: str) -> None:
    """Import a module for the children; one that is not installed is passed over."""
    gc.disable()
    try:
        with _hidden(HIDDEN.get(module, ())), _one_thread(), contextlib.suppress(ImportError):
            importlib.import_module(module)
    finally:
        # Keeps the collector from writing to pages that the children share.
        gc.freeze()
        gc.enable()


def threads() -> int:
    """The threads of this process, those that Python knows nothing of included (Linux)."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


@contextlib.contextmanager
def _hidden(modules: Iterable[str]) -> Iterator[None]:
    absent = [module for module in modules if module not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for module in absent:
            del sys.modules[module]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """OpenBLAS, which numpy brings, starts a thread a processor unless it is told."""
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OPENBLAS_NUM_THREADS"]
        else:
            os.environ["OPENBLAS_NUM_THREADS"] = before
