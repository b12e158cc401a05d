"""A store of blobs whose writers can be frozen, as a worker's process can."""

from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import BaseModel

from flotilla.blobs import BlobStore


class Blobs(BlobStore):
    """A folder whose next writer of values is frozen before it writes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"file://{folder}")
        self.meanwhile: Callable[[], object] | None = None
        self.thawed = 0

    def put_values(self, ref: str, values: Iterable[BaseModel]) -> int:
        held, meanwhile, self.meanwhile = list(values), self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
            self.thawed += 1
        return super().put_values(ref, held)
