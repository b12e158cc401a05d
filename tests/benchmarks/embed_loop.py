"""The plainest ingestion there is: a loop that embeds each document's chunks.

    python -m tests.benchmarks.embed_loop CHUNKS.json

CHUNKS.json holds a list of documents, each a list of chunk texts. Prints one JSON object:
`seconds` of the loop without the loading of the model, `cpu` seconds of it, and `chunks`.
"""

import json
import sys
import time
from pathlib import Path


def main(path: Path) -> None:
    """Embed everything in the file, document by document, with the fleet's own settings."""
    from flotilla.settings import load_settings
    from flotilla.vectorstore.embedders import load_embedder

    settings = load_settings()
    documents: list[list[str]] = json.loads(path.read_text(encoding="utf-8"))
    embedder = load_embedder(settings, threads=settings.vectorstore.embedding_threads)
    embedder.embed_passages(["warm up"])
    cpu, began = time.process_time(), time.perf_counter()
    chunks = 0
    for texts in documents:
        chunks += len(embedder.embed_passages(texts))
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "cpu": time.process_time() - cpu, "chunks": chunks}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
