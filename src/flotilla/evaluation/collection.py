"""The collection that a data set is ingested into: its name follows from what goes into it."""

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path

from flotilla import __version__
from flotilla.client import Flotilla, FlotillaAPIError
from flotilla.evaluation.data_sets import DataSet
from flotilla.schemas.models import with_provider
from flotilla.settings import Settings

OF_TERMS = ("bm25.py", "letters.py", "spellings.py")
"""Modules of the vectorstore fleet that say which terms a text has."""

DELETION_TIMEOUT = 600.0
"""Seconds in which an earlier collection has to be gone."""


def active_model(flotilla: Flotilla) -> str:
    """The embedding model that answers; empty before any worker has told of one."""
    spaces = flotilla.models().items
    return next((with_provider(each.model) for each in spaces if each.state == "active"), "")


def content_digest(data_set: DataSet) -> str:
    """SHA-256 of all names and bytes that are ingested."""
    digest = hashlib.sha256()
    for each in sorted(data_set.sources, key=lambda source: source.name):
        digest.update(hashlib.sha256(each.name.encode(errors="replace")).digest())
        digest.update(hashlib.sha256(each.read()).digest())
    return digest.hexdigest()


def baseline_name(data_set: DataSet, model: str) -> str:
    """`<data set>-<digest>`: of its content and of the embedding model."""
    digest = hashlib.sha256(f"{content_digest(data_set)} {model}".encode())
    return f"{_slug(data_set)}-{digest.hexdigest()[:10]}"


def collection_name(data_set: DataSet, settings: Settings, model: str) -> str:
    """`eval-<data set>-<digest>`: of its content, of the embedding model, and of the settings and
    the code of the document fleet, and of the search by words, as they are on this machine."""
    digest = hashlib.sha256(content_digest(data_set).encode())
    for part in (model, __version__, settings.document.model_dump_json(), _code_of_ingestion()):
        digest.update(hashlib.sha256(part.encode()).digest())
    return f"eval-{_slug(data_set)}-{digest.hexdigest()[:10]}"


def _slug(data_set: DataSet) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", data_set.name).strip("-").lower()[:40] or "data"


def _code_of_ingestion() -> str:
    """SHA-256 of the document fleet's code and of that which counts words: another splitter's
    chunks are not to be taken for this one's, nor other terms."""
    digest = hashlib.sha256()
    for folder in _folders("flotilla.document"):
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.read_bytes())
    for folder in _folders("flotilla.vectorstore"):
        for name in OF_TERMS:
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _folders(package: str) -> list[Path]:
    spec = find_spec(package)
    return [Path(each) for each in (spec and spec.submodule_search_locations) or ()]


def prepare(flotilla: Flotilla, name: str, *, fresh: bool) -> None:
    """See to it that the collection is there; with `fresh` without anything in it.

    Raises:
        FlotillaAPIError, GatewayUnreachable: as every call does.
    """
    if fresh and _is_there(flotilla, name):
        deletion = flotilla.delete_collection(name)
        flotilla.wait(deletion.task_id, timeout=DELETION_TIMEOUT)
    if not _is_there(flotilla, name):
        flotilla.create_collection(name, description="A data set of `flotilla eval`.")


def _is_there(flotilla: Flotilla, name: str) -> bool:
    try:
        flotilla.collection(name)
    except FlotillaAPIError as error:
        if error.status == 404:
            return False
        raise
    return True
