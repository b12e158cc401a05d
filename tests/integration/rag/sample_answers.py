"""Extractive answers over files, with the real embedding model and an exact search."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from flotilla.document.converters import converter_for
from flotilla.document.detect import MediaType
from flotilla.document.splitter import SectionSplitter
from flotilla.document.titles import title_of
from flotilla.local.model.pull import pull
from flotilla.models import Answer, Chunk, Passage, Query
from flotilla.rag.answering import Answerer
from flotilla.rag.citations import verify
from flotilla.rag.extractive.generator import ExtractiveGenerator
from flotilla.rag.whole_tables import WholeTables, whole_tables
from flotilla.settings import Settings
from flotilla.vectorstore.fastembed_embedder import FastembedEmbedder
from tests.doubles.exact_search import ExactSearch

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"
TOWN = Path(__file__).parent / "town"
OFFICE = Path(__file__).parent / "office"
TYPES = {
    ".pdf": MediaType.PDF,
    ".docx": MediaType.DOCX,
    ".html": MediaType.HTML,
    ".md": MediaType.MARKDOWN,
    ".txt": MediaType.TEXT,
}

Ask = Callable[[str], Answer]


def sample_files() -> list[Path]:
    """The sample documents."""
    files = sorted(p for p in SAMPLES.iterdir() if p.suffix in TYPES and p.stem != "README")
    assert len(files) >= 6
    return files


@lru_cache(maxsize=1)
def embedder() -> FastembedEmbedder:
    return FastembedEmbedder(pull(Settings()), threads=1)


@lru_cache(maxsize=1)
def samples() -> Ask:
    """What answers questions from the sample documents, each once."""
    return cache(asking(sample_files()))


@lru_cache(maxsize=1)
def town() -> Ask:
    """What answers questions from four documents of other kinds, one of them German."""
    return cache(asking(sorted(p for p in TOWN.iterdir() if p.suffix in TYPES)))


@lru_cache(maxsize=1)
def office() -> Ask:
    """What answers questions from a handbook, a data sheet, a course and a German contract."""
    return cache(asking(sorted(p for p in OFFICE.iterdir() if p.suffix in TYPES)))


def asking(files: Sequence[Path]) -> Ask:
    """What answers questions from these files."""

    def retrieve(query: Query) -> list[Passage]:
        return nearest(files, query.question, query.top_k)

    def read_tables(_query: Query, found: Sequence[Passage]) -> WholeTables:
        of = {p.version_id: index(file)[0] for file in files for p in index(file)[0][:1]}
        return whole_tables(found, lambda passage: of[passage.version_id])

    generator = ExtractiveGenerator(embedder())
    answerer = Answerer(retrieve, generator, read_tables=read_tables)

    def answer(question: str) -> Answer:
        query = Query(tenant_id="t", question=question, collection_ids=("samples",))
        answer = answerer.answer(query)
        assert verify(answer.citations, answer.passages) == answer.citations
        assert bool(answer.citations) == answer.answerable
        return answer

    return answer


def nearest(files: Sequence[Path], question: str, limit: int) -> list[Passage]:
    """The chunks of the files that a search by the default settings finds, the nearest first."""
    passages, found = _indexed(tuple(files))
    best = found.search(question, embedder().embed_query(question))
    return [passages[place] for place, _ in best[:limit]]


@cache
def _indexed(files: tuple[Path, ...]) -> tuple[list[Passage], ExactSearch]:
    indexed = [index(file) for file in files]
    passages = [p for found, _, _ in indexed for p in found]
    texts = [text for _, found, _ in indexed for text in found]
    rows = np.concatenate([found for _, _, found in indexed])
    return passages, ExactSearch(texts, rows, Settings().retrieval)


@lru_cache(maxsize=1)
def _splitter() -> SectionSplitter:
    settings = Settings()
    return SectionSplitter(
        pull(settings),
        chunk_tokens=settings.document.chunk_tokens,
        overlap=settings.document.chunk_overlap,
    )


@cache
def index(path: Path) -> tuple[list[Passage], list[str], np.ndarray]:
    """A file's chunks, as retrieval would hand them on, what is embedded of them, and their
    vectors; once a file."""
    chunks = chunks_of(path)
    texts = [chunk.embedded for chunk in chunks]
    passages = [passage_of(chunk, path.name) for chunk in chunks]
    return passages, texts, embedder().embed_passages(texts)


def chunks_of(path: Path) -> list[Chunk]:
    """A file's chunks, as the document fleet makes them."""
    converter = converter_for(TYPES[path.suffix], max_unpacked_bytes=1 << 30)
    title = title_of(path.name, converter.inspect(path).title)
    pages = converter.pages(path)
    split = _splitter().split(pages, document_id=path.name, version_id=path.name, title=title)
    return list(split)


def passage_of(chunk: Chunk, name: str) -> Passage:
    """A chunk, as retrieval would hand it on."""
    return Passage(
        chunk_id=chunk.id,
        document_name=name,
        collection="samples",
        score=0.0,
        **chunk.model_dump(exclude={"id", "tokens", "vector_of", "context"}),
    )


def passages_of(path: Path) -> list[Passage]:
    """A file's chunks, as retrieval would hand them on."""
    return [passage_of(chunk, path.name) for chunk in chunks_of(path)]
