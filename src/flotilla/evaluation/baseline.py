"""The pipeline that others begin with: LangChain's recursive splitter of 1,000 characters with 200
shared, the same embedding model, and the nearest vectors of a store in memory."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flotilla.evaluation.data_sets import DataSet, Question, Source
from flotilla.evaluation.retrieval import Hit, Retrieved

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.vectorstores import InMemoryVectorStore

NAME = "LangChain 1,000/200, dense"

CHUNK_CHARACTERS = 1000
SHARED_CHARACTERS = 200

CHUNKS_AT_ONCE = 64
"""Chunks that are embedded between two reports."""


class Embedder(Protocol):
    """What the baseline asks of an embedding model (`vectorstore.embedder`)."""

    def embed_passages(self, texts: Sequence[str]) -> Any:
        """A row a text."""
        ...

    def embed_query(self, text: str) -> Any:
        """One vector."""
        ...


class Baseline:
    """The pipeline over the texts of a data set.

    Its latency has neither HTTP nor a queue in it.

    Args:
        data_set: what it is built of.
        embedder: the model that Flotilla embeds with.
        kept: file in which the vectors are kept, so that a second run embeds nothing.
        top_k: chunks that each question is given.
        report: told how many of how many chunks are embedded.
    """

    def __init__(
        self,
        data_set: DataSet,
        embedder: Embedder,
        kept: Path,
        top_k: int,
        report: Callable[[int, int], None],
    ) -> None:
        self.left_out: list[str] = []
        """Names of the documents of which it cannot read the text."""
        self._top_k = top_k
        self._store = self._load(data_set, embedder, kept, report)

    def __call__(self, question: Question, form: str) -> Retrieved:
        """The nearest chunks."""
        began = time.perf_counter()
        found = self._store.similarity_search(question.form(form), k=self._top_k)
        took = 1000 * (time.perf_counter() - began)
        return Retrieved(question.id, tuple(_hit(each) for each in found), took)

    def _load(
        self, data_set: DataSet, embedder: Embedder, kept: Path, report: Callable[[int, int], None]
    ) -> "InMemoryVectorStore":
        from langchain_core.embeddings import Embeddings
        from langchain_core.vectorstores import InMemoryVectorStore

        class OfFlotilla(Embeddings):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                vectors: list[list[float]] = embedder.embed_passages(texts).tolist()
                return vectors

            def embed_query(self, text: str) -> list[float]:
                vector: list[float] = embedder.embed_query(text).tolist()
                return vector

        model = OfFlotilla()
        if kept.is_file():
            return InMemoryVectorStore.load(str(kept), model)
        chunks = list(self._chunks(data_set))
        store = InMemoryVectorStore(model)
        for start in range(0, len(chunks), CHUNKS_AT_ONCE):
            store.add_documents(chunks[start : start + CHUNKS_AT_ONCE])
            report(min(start + CHUNKS_AT_ONCE, len(chunks)), len(chunks))
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".part")
        store.dump(str(unfinished))
        unfinished.replace(kept)
        return store

    def _chunks(self, data_set: DataSet) -> "Iterator[Document]":
        from langchain_core.documents import Document
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        splitter = RecursiveCharacterTextSplitter(
            chunk_size=CHUNK_CHARACTERS, chunk_overlap=SHARED_CHARACTERS, add_start_index=True
        )
        for source in data_set.sources:
            pages = [
                Document(text, metadata={"document": source.name, "page": page})
                for page, text in self._pages(source)
                if text.strip()
            ]
            yield from splitter.split_documents(pages)

    def _pages(self, source: Source) -> Iterator[tuple[int | None, str]]:
        suffix = source.path.suffix.lower() if source.path is not None else ".txt"
        try:
            if suffix == ".pdf":
                yield from _pdf_pages(source)
            elif suffix == ".docx":
                yield None, _docx_text(source)
            elif suffix in (".html", ".htm"):
                yield None, _html_text(source)
            else:
                yield None, source.read().decode()
        except Exception:  # noqa: BLE001 - every parser has exceptions of its own
            self.left_out.append(source.name)


def _hit(document: "Document") -> Hit:
    about = document.metadata
    start = about["start_index"]
    return Hit(
        document=about["document"],
        text=document.page_content,
        start=start,
        end=start + len(document.page_content),
        page_start=about["page"],
        page_end=about["page"],
    )


def _pdf_pages(source: Source) -> Iterator[tuple[int, str]]:
    """As LangChain's PyPDFLoader reads them."""
    from pypdf import PdfReader

    for number, page in enumerate(PdfReader(str(source.path)).pages, start=1):
        yield number, page.extract_text()


def _docx_text(source: Source) -> str:
    import io

    import mammoth

    text: str = mammoth.extract_raw_text(io.BytesIO(source.read())).value
    return text


def _html_text(source: Source) -> str:
    from lxml import html

    return str(html.fromstring(source.read()).text_content())
