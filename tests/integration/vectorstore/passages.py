"""Passages of made-up documents, and how the tests write them."""

import numpy as np

from flotilla.models import Chunk, chunk_id
from flotilla.vectorstore.bm25 import SparseVector
from flotilla.vectorstore.points import PointStore

DIMENSIONS = 4


def chunk(document: str, version: str, position: int) -> Chunk:
    return Chunk(
        id=chunk_id(document, version, position),
        document_id=document,
        version_id=version,
        position=position,
        text=f"passage {position} of {document} {version}",
        start=position * 10,
        end=position * 10 + 9,
        page_start=position + 1,
        page_end=position + 2,
        heading_path=("Part", "Chapter"),
        tokens=7,
    )


def axis(position: int) -> list[float]:
    return [1.0 if index == position % DIMENSIONS else 0.0 for index in range(DIMENSIONS)]


def write(
    points: PointStore,
    document: str,
    version: str,
    *,
    tenant: str = "t1",
    collection: str = "c1",
    chunks: int = 3,
    live: bool = False,
) -> list[Chunk]:
    written = [chunk(document, version, position) for position in range(chunks)]
    points.upsert(
        tenant,
        collection,
        f"{document}.pdf",
        {"year": 2024},
        written,
        np.array([axis(position) for position in range(chunks)], np.float32),
        [SparseVector([position + 1], [1.0]) for position in range(chunks)],
    )
    if live:
        points.publish(tenant, document, version)
    return written


def replace(points: PointStore, document: str, before: str, version: str) -> None:
    """Show a version and remove the one before it, as publishing does."""
    points.publish("t1", document, version)
    points.remove_version("t1", document, before)
