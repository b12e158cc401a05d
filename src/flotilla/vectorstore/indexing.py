"""Writing a version's chunks to a space: all of a batch, or what a space lacks of a version."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from flotilla.blobs import BlobStore, chunks_ref
from flotilla.errors import DependencyUnavailable, DocumentNotFound, ModelMissing
from flotilla.ledger.versions import Version
from flotilla.models import Chunk
from flotilla.step_times import step
from flotilla.vectorstore.bm25 import Bm25Encoder, SparseVector
from flotilla.vectorstore.embedder import Matrix
from flotilla.vectorstore.spaces import VectorSpace

AverageLength = Callable[[str], float]
"""The average length of a collection's chunks, in terms."""

Checkpoint = Callable[[], object]
"""Called between batches; raises when the work is not wanted any more."""

SPECIAL_TOKENS = 2  # that a BERT puts around a text


@dataclass(frozen=True, slots=True)
class Written:
    """What was missing: its chunks, and the tokens of the longest by the space's model, special
    ones included."""

    chunks: int
    longest: int


class Indexer:
    """Embeds chunks with a space's model and writes their points.

    The model takes its turns itself, so that while one batch is read or written, another is
    embedded. One instance serves many threads.

    Args:
        blobs: where the chunks are stored.
        bm25: encodes the words, alike for all spaces.
        average_length: what the lengths of a collection's chunks are compared to.
    """

    def __init__(self, blobs: BlobStore, bm25: Bm25Encoder, average_length: AverageLength) -> None:
        self._blobs = blobs
        self._bm25 = bm25
        self._average_length = average_length

    def batch(self, version: Version, number: int) -> list[Chunk]:
        """A batch of the version's chunks, as the splitter stored them."""
        with step("read"):
            found = self._blobs.values(chunks_ref(version.tenant_id, version.id, number), Chunk)
            return list(found)

    def batches(self, version: Version) -> int:
        """How many batches of chunks are stored."""
        count = 0
        while self._blobs.exists(chunks_ref(version.tenant_id, version.id, count)):
            count += 1
        return count

    def sparse(self, collection_id: str, chunks: Sequence[Chunk]) -> list[SparseVector]:
        """The BM25 vector of each chunk of a collection's."""
        return self.sparse_and_terms(collection_id, chunks)[0]

    def sparse_and_terms(
        self, collection_id: str, chunks: Sequence[Chunk]
    ) -> tuple[list[SparseVector], int]:
        """The BM25 vector of each chunk of a collection's, and the terms of all together."""
        average = self._average_length(collection_id)
        with step("bm25"):
            terms = self._bm25.terms([chunk.embedded for chunk in chunks])
            return self._bm25.encode_terms(terms, average), sum(map(len, terms))

    def dense(
        self, space: VectorSpace, tenant_id: str, chunks: Sequence[Chunk], *, reuse: bool = True
    ) -> Matrix:
        """The space's vector of each chunk: shape (len(chunks), dimensions).

        Of a text that the space has already the vector is taken from there.

        Raises:
            DependencyUnavailable: this machine lacks the model; another may have it.
        """
        wanted = [chunk.vector_of for chunk in chunks if chunk.vector_of is not None]
        known = space.points.vectors_of(tenant_id, wanted) if reuse else {}
        texts = [chunk.embedded for chunk in chunks if chunk.vector_of not in known]
        computed: Iterator[Matrix] = iter(())
        if texts:
            try:
                embedder = space.embedder
            except ModelMissing as error:
                raise DependencyUnavailable(error.message) from error
            with step("embed"):
                computed = iter(embedder.embed_passages(texts))
        return np.asarray(
            [
                known[chunk.vector_of].dense if chunk.vector_of in known else next(computed)
                for chunk in chunks
            ],
            dtype=np.float32,
        )

    def complete(
        self,
        space: VectorSpace,
        version: Version,
        checkpoint: Checkpoint,
        batches: range | None = None,
    ) -> Written:
        """Write the points that a space lacks of a version, hidden, from its stored chunks.

        Args:
            space: which.
            version: which.
            checkpoint: called before each batch is written.
            batches: which batches of chunks to look at; all when None.

        Raises:
            DocumentNotFound: its chunks are not stored any more.
        """
        if batches is None:
            batches = range(self.batches(version))
        if len(batches) == 0:
            raise DocumentNotFound(
                f"The stored chunks of {version.document_name} are gone: submit the document again."
            )
        written = longest = 0
        for number in batches:
            chunks = self.batch(version, number)
            present = space.points.present(version.tenant_id, [chunk.id for chunk in chunks])
            missing = [chunk for chunk in chunks if chunk.id not in present]
            if not missing:
                continue
            dense = self.dense(space, version.tenant_id, missing)
            checkpoint()
            self.upsert(space, version, missing, dense)
            tokens = space.embedder.count_tokens([chunk.embedded for chunk in missing])
            longest = max(longest, max(tokens) + SPECIAL_TOKENS)
            written += len(missing)
        return Written(written, longest)

    def upsert(
        self,
        space: VectorSpace,
        version: Version,
        chunks: Sequence[Chunk],
        dense: Matrix,
        sparse: Sequence[SparseVector] | None = None,
    ) -> None:
        """Write the chunks' points, which no search sees before they are published."""
        if sparse is None:
            sparse = self.sparse(version.collection_id, chunks)
        with step("write"):
            space.points.upsert(
                version.tenant_id,
                version.collection_id,
                version.document_name,
                version.metadata,
                chunks,
                dense,
                sparse,
            )
