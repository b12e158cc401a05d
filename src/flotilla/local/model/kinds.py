"""The kinds of fastembed's models that are pulled: those that embed, and cross-encoders."""

from typing import Any

from flotilla.errors import ModelMissing
from flotilla.vectorstore.manifest import published_name

CROSS_ENCODER_DIMENSIONS = 1
"""What the manifest of a cross-encoder says: it gives one score."""


def describe(name: str) -> dict[str, Any]:
    """fastembed's own description of a model: where it comes from, its files and dimensions.

    Raises:
        ModelMissing: fastembed knows no model of this name.
    """
    from fastembed import TextEmbedding

    published = published_name(name)
    found = _listed(published, TextEmbedding.list_supported_models()) or _cross_encoder(name)
    if found is None:
        raise ModelMissing(f"fastembed knows no model of the name {name}; choose one of its list.")
    return found


def is_cross_encoder(name: str) -> bool:
    """Whether a model reranks, and does not embed."""
    return _cross_encoder(name) is not None


def hub_model(name: str, cache_dir: str) -> Any:
    """fastembed's model of this name, whose files are downloaded and which is not loaded."""
    from fastembed import TextEmbedding
    from fastembed.rerank.cross_encoder import TextCrossEncoder

    kind: Any = TextCrossEncoder if is_cross_encoder(name) else TextEmbedding
    return kind(name, cache_dir=cache_dir, lazy_load=True).model


def _cross_encoder(name: str) -> dict[str, Any] | None:
    from fastembed.rerank.cross_encoder import TextCrossEncoder

    found = _listed(name, TextCrossEncoder.list_supported_models())
    return None if found is None else {"dim": CROSS_ENCODER_DIMENSIONS, **found}


def _listed(name: str, described: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((each for each in described if each["model"].lower() == name.lower()), None)
