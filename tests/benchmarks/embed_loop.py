"""The fastest plain ingestion that is known: nothing but embedding, of all chunks at once.

    python -m tests.benchmarks.embed_loop CHUNKS.json [WAY]

CHUNKS.json holds a list of texts. They are sorted by length, all together, which no stack can do
that takes one document after the other. Without WAY, a sample is embedded in each of WAYS and all
texts then in the fastest. Prints one JSON object: `seconds` of the loop without the loading of the
model, `cpu` seconds of it, `chunks`, and the `way`.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from flotilla.settings import Settings, load_settings

Way = Callable[[Sequence[str]], object]

SAMPLE = 128
WAYS = (
    "fastembed 8",
    "fastembed 16",
    "fastembed 32",
    "fleet 256",
    "fleet 512",
    "fleet 1024",
)
"""fastembed's own loop with so many texts a batch, on the fleet's number of threads; and the
fleet's embedder with so many tokens a batch, on as many lanes."""


def main(path: Path, way: str | None = None) -> None:
    """Embed everything in the file."""
    settings = load_settings()
    texts: list[str] = sorted(json.loads(path.read_text(encoding="utf-8")), key=len)
    if way is None:
        step = max(1, len(texts) // SAMPLE)
        took = {name: _seconds(_way(settings, name), texts[::step])[0] for name in WAYS}
        way = min(took, key=lambda name: took[name])
    seconds, cpu = _seconds(_way(settings, way), texts)
    print(json.dumps({"seconds": seconds, "cpu": cpu, "chunks": len(texts), "way": way}))


def _way(settings: Settings, name: str) -> Way:
    kind, _, number = name.partition(" ")
    size, threads = int(number), settings.vectorstore.embedding_threads
    if kind == "fleet":
        from flotilla.vectorstore.embedders import load_embedder

        return load_embedder(settings, 1, lanes=threads, batch_tokens=size).embed_passages
    from fastembed import TextEmbedding

    from flotilla.vectorstore.manifest import read_manifest

    folder = settings.embedding_model_folder
    manifest = read_manifest(folder)
    model = TextEmbedding(
        manifest.model,
        threads=threads,
        providers=["CPUExecutionProvider"],
        specific_model_path=str(folder),
    )
    loaded: object = model.model
    loaded.tokenizer.enable_truncation(manifest.max_tokens)  # type: ignore[attr-defined]
    return lambda texts: list(model.embed(texts, batch_size=size))


def _seconds(way: Way, texts: Sequence[str]) -> tuple[float, float]:
    way(texts[:8])
    cpu, began = time.process_time(), time.perf_counter()
    way(texts)
    return time.perf_counter() - began, time.process_time() - cpu


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
