"""Which chunks of a new version have the text of a chunk that is stored already.

Such a chunk's vectors follow from its text alone, so that they are taken over and not computed
again. A version of many thousand chunks is compared by digests: 16 bytes and an id for each of
its chunks, and never its text, are held.
"""

import hashlib
from collections.abc import Iterable, Iterator
from uuid import UUID

from flotilla.models import Chunk

DIGEST_BYTES = 16
"""Two texts of one digest would be taken for the same; at 128 bits that does not happen."""


class KnownTexts:
    """The texts of the version that is live, by digest.

    Args:
        chunks: of that version; they are read once.
    """

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        # Bytes and not UUID objects, which are three times as large.
        self._ids: dict[bytes, bytes] = {}
        for chunk in chunks:
            self._ids.setdefault(_digest(chunk), UUID(chunk.id).bytes)

    def __len__(self) -> int:
        return len(self._ids)

    def id_of(self, chunk: Chunk) -> str | None:
        """The id of a known chunk with the very same text, or None."""
        found = self._ids.get(_digest(chunk))
        return None if found is None else str(UUID(bytes=found))

    def mark(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The chunks as they come, each with `vector_of` set where its text is known."""
        for chunk in chunks:
            known = self.id_of(chunk)
            yield chunk if known is None else chunk.model_copy(update={"vector_of": known})


def _digest(chunk: Chunk) -> bytes:
    text = chunk.embedded.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()
