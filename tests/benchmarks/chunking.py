"""Sizes of chunks side by side, and what is embedded ahead of them, over data sets of any form.

    python -m tests.benchmarks.chunking FOLDER… [--chunks 200/32 --chunks 300/48/plain …]

A way of chunking is `tokens/overlap`, with `/plain` where nothing is embedded ahead of the text.
Each is searched by meaning, by words and by both, in this process: exact nearest neighbours, and
the fleet's own converters, splitter, embedding model, BM25 and fusion. It needs no stack, and what
`make install-eval` installs. Vectors are kept in a file, so that a second run embeds what is new.
"""

import argparse
import hashlib
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flotilla.document.converters import converter_for
from flotilla.document.detect import detect
from flotilla.document.splitter import SectionSplitter
from flotilla.document.titles import title_of
from flotilla.evaluation import comparison
from flotilla.evaluation.alignment import Alignment
from flotilla.evaluation.data_sets import TEXT, DataSet, Kind, Source, read_data_set
from flotilla.evaluation.retrieval import Hit, Retrieved
from flotilla.models import PAGE_BREAK, Chunk, Page
from flotilla.settings import Settings, cores
from flotilla.vectorstore.embedders import load_embedder
from tests.benchmarks.report import Outcome, Table, render
from tests.benchmarks.stack import progress
from tests.doubles.exact_search import ExactSearch

WAYS = ("128/16", "200/0", "200/32", "200/32/plain", "300/48")
SEARCHES = ("dense", "bm25", "both")
TOP_K = 50
MAX_UNPACKED = 1 << 30

MEASURES = {
    Kind.PASSAGES: ("nDCG@10", "Recall@5"),
    Kind.PAGES: ("nDCG@10", "Hit@5 ±1"),
    Kind.SPANS: ("Recall@1000 tokens", "Recall@5"),
}
"""What is shown of each kind of data set."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way of chunking."""

    tokens: int
    overlap: int
    plain: bool

    @classmethod
    def parse(cls, text: str) -> "Way":
        """From `200/32` or `200/32/plain`."""
        tokens, overlap, *rest = text.split("/")
        return cls(int(tokens), int(overlap), rest == ["plain"])

    def __str__(self) -> str:
        return f"{self.tokens}/{self.overlap}{', text alone' if self.plain else ''}"


class Vectors:
    """Embeds texts, and keeps the vectors in a file.

    Args:
        settings: which model.
        file: of the vectors.
    """

    def __init__(self, settings: Settings, file: Path) -> None:
        self._embedder = load_embedder(settings, threads=cores())
        self._rows = sqlite3.connect(file, timeout=600)
        self._rows.execute("CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, row BLOB)")

    def of(self, texts: Sequence[str], *, queries: bool = False) -> NDArray[np.float32]:
        """Shape (len(texts), dimensions)."""
        keys = [
            hashlib.sha256(f"{queries}{text}".encode(errors="replace")).digest() for text in texts
        ]
        known = dict(self._rows.execute("SELECT text, row FROM vectors"))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        # Alike in length, so that hardly anything is padded.
        todo = sorted(missing.items(), key=lambda each: len(each[1]))
        embed = self._embedder.embed_queries if queries else self._embedder.embed_passages
        for start in range(0, len(todo), 256):
            part = todo[start : start + 256]
            rows = np.asarray(embed([text for _, text in part]), np.float32)
            new = [(key, row.tobytes()) for (key, _), row in zip(part, rows, strict=True)]
            with self._rows:
                self._rows.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", new)
            known.update(new)
        return np.stack([np.frombuffer(known[key], np.float32) for key in keys])


@dataclass(frozen=True, slots=True)
class Read:
    """A source as its converter reads it."""

    name: str
    title: str
    pages: list[Page]

    @property
    def text(self) -> str:
        """All of it."""
        return PAGE_BREAK.join(page.text for page in self.pages)


def read(source: Source) -> Read:
    """Convert a source as the fleet does."""
    with tempfile.TemporaryDirectory() as folder:
        path = source.path
        if path is None:
            path = Path(folder) / "text.txt"
            path.write_bytes(source.read())
        converter = converter_for(detect(path, source.name), max_unpacked_bytes=MAX_UNPACKED)
        title = title_of(source.name, converter.inspect(path).title)
        return Read(source.name, title, list(converter.pages(path)))


def measured(data_set: DataSet, way: Way, documents: Sequence[Read], vectors: Vectors) -> list[str]:
    """A row of the table a search."""
    settings = Settings()
    folder = settings.embedding_model_folder
    splitter = SectionSplitter(folder, chunk_tokens=way.tokens, overlap=way.overlap)
    chunks: list[tuple[str, Chunk]] = []
    for each in documents:
        ids = {"document_id": each.name, "version_id": "v"}
        for chunk in splitter.split(each.pages, title=each.title, **ids):
            kept = chunk.model_copy(update={"context": ""}) if way.plain else chunk
            chunks.append((each.name, kept))
    texts = [chunk.embedded for _, chunk in chunks]
    index = ExactSearch(texts, vectors.of(texts), settings.retrieval)
    asked = [each.form(TEXT) for each in data_set.judged]
    questions = list(zip(data_set.judged, asked, vectors.of(asked, queries=True), strict=True))
    found_as = {source.name: [source.id] for source in data_set.sources}
    alignments: dict[str, Alignment] = {}
    if data_set.kind is Kind.SPANS:
        texts = {each.name: each.text for each in documents}
        for source in data_set.sources:
            alignments[source.id] = Alignment(texts[source.name], source.read().decode())
    rows = []
    for by in SEARCHES:
        found = [
            Retrieved(
                question.id,
                tuple(_hit(*chunks[at]) for at, _ in index.search(text, row, by)[:TOP_K]),
                0.0,
            )
            for question, text, row in questions
        ]
        values = comparison.measure(
            data_set,
            found,
            found_as,
            lambda source, hit: alignments[source].ranges(hit.start, hit.end),
        )
        rows.append([f"{values[name].mean():.3f}" for name in MEASURES[data_set.kind]])
    return [str(way), f"{len(chunks):,}", *(" / ".join(row) for row in rows)]


def _hit(name: str, chunk: Chunk) -> Hit:
    return Hit(name, chunk.text, chunk.start, chunk.end, chunk.page_start, chunk.page_end)


def run(folders: Sequence[Path], ways: Sequence[Way], file: Path) -> Outcome:
    """A table a data set."""
    vectors = Vectors(Settings(), file)
    tables = []
    for folder in folders:
        data_set = read_data_set(folder)
        documents = [read(source) for source in data_set.sources]
        rows = []
        for way in ways:
            progress(f"chunking: {data_set.name}, {way}")
            rows.append(measured(data_set, way, documents, vectors))
        names = " / ".join(MEASURES[data_set.kind])
        head = ["tokens/overlap", "chunks", "dense", "BM25", "both"]
        tables.append(Table(f"{data_set.name}: {names}", head, rows))
    return Outcome(tables=tables)


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="Folders of data sets.")
    parser.add_argument("--chunks", action="append", help="A way of chunking; may be repeated.")
    parser.add_argument("--vectors", type=Path, help="File in which vectors are kept.")
    given = parser.parse_args()
    ways = [Way.parse(each) for each in given.chunks or WAYS]
    with tempfile.TemporaryDirectory() as folder:
        file = given.vectors or Path(folder) / "vectors.sqlite"
        print(render({}, {"chunking": run(given.folders, ways, file)}))


if __name__ == "__main__":
    main()
