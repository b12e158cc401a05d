"""The keys of what is cached: all that an answer follows from, so that none outlives a change.

Of a document's change the collection's generation speaks; of a change of the embedding model the
space; of prompts, settings and Flotilla's own version the fingerprint.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from flotilla import __version__
from flotilla.models import Mode, Query, Value
from flotilla.settings import Settings

NEITHER_HERE_NOR_THERE = {"max_memory", "max_tasks", "concurrency", "embedding_threads"}
"""Settings of the fleet that change no answer."""


class Asked(Value):
    """A question as it is put to one of the graphs.

    `reader` is whoever alone may be given what was answered; None where all of the tenant may.
    """

    query: Query
    mode: Mode
    reader: str | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What an answer rests on at one moment: the searched collections' generations by their ids,
    and the space that is searched."""

    generations: Mapping[str, int]
    space_id: str


def retrieval_key(query: Query, ground: Ground, fingerprint: str) -> str:
    """Of a query's passages."""
    return _digest("passages", fingerprint, _place(query, ground), query.question)


def scope_of(asked: Asked, ground: Ground, fingerprint: str) -> str:
    """Of all questions that may share an answer if they mean the same."""
    place = _place(asked.query, ground)
    return _digest("scope", fingerprint, place, asked.mode.value, asked.reader)


def answer_key(scope: str, question: str) -> str:
    """Of the answer to a question. Spaces and ways of writing a character do not matter."""
    return _digest(scope, " ".join(unicodedata.normalize("NFC", question).split()))


def _place(query: Query, ground: Ground) -> list[Any]:
    return [
        query.tenant_id,
        sorted(query.collection_ids),
        sorted(ground.generations.items()),
        query.top_k,
        query.filter,
        query.retrieval.model_dump(mode="json", exclude_none=True),
        ground.space_id,
    ]


def fingerprint(settings: Settings) -> str:
    """Of all else that changes answers."""
    rag = settings.rag.model_dump(mode="json", exclude=NEITHER_HERE_NOR_THERE)
    groups = (settings.retrieval, settings.llm, settings.web)
    others = [group.model_dump(mode="json") for group in groups]
    return _digest(__version__, rag, *others, _prompts())


@lru_cache(maxsize=1)
def _prompts() -> str:
    folder = files("flotilla.rag").joinpath("prompts")
    return _digest([[name, text] for name, text in sorted(_texts(folder, ""))])


def _texts(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for each in folder.iterdir():
        name = f"{path}/{each.name}"
        if each.is_dir():
            yield from _texts(each, name)
        elif each.name.endswith(".md"):
            yield name, each.read_text(encoding="utf-8")


def _digest(*parts: Any) -> str:
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
