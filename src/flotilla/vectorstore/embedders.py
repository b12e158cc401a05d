"""Which embedder a model's name means."""

from flotilla.settings import Settings
from flotilla.vectorstore.embedder import Embedder
from flotilla.vectorstore.manifest import read_manifest


def load_embedder(
    settings: Settings,
    threads: int,
    *,
    lanes: int | None = None,
    batch_tokens: int | None = None,
    model: str | None = None,
) -> Embedder:
    """The embedder of a model, or of the one that the settings name.

    `model` is of the form `fastembed:NAME` or `openai:NAME`. For the former alone count `threads`,
    of one batch; `lanes`, batches of passages at once, one for each caller when None; and
    `batch_tokens`, the vectorstore fleet's setting when None.

    Raises:
        ConfigurationError: EMBEDDING_MODEL is of no known form, or its server has no key.
        ModelMissing: the model was not pulled yet.
        FileCorrupt: the model's folder is damaged.
        DependencyUnavailable: the model's server does not reply.
        ModelRejected: the model's server refuses the request.
    """
    model = model or settings.embedding.model
    if is_remote(model):
        from flotilla.vectorstore.openai_embedder import OpenAIEmbedder

        return OpenAIEmbedder(settings, model)
    from flotilla.vectorstore.fastembed_embedder import FastembedEmbedder

    return FastembedEmbedder(
        settings.model_folder(model),
        threads=threads,
        lanes=lanes,
        batch_tokens=batch_tokens or settings.vectorstore.embedding_batch_tokens,
    )


def is_remote(model: str) -> bool:
    """Whether a model is on a server, and nothing of it on this machine."""
    return not model.startswith("fastembed:")


def dimensions_of(settings: Settings, model: str) -> int:
    """The dimensions of a model's vectors, without loading it where it is on this machine.

    Raises:
        ModelMissing, FileCorrupt, ConfigurationError, DependencyUnavailable, ModelRejected: as
            `load_embedder`.
    """
    if is_remote(model):
        return load_embedder(settings, threads=1, model=model).dimensions
    return read_manifest(settings.model_folder(model)).dimensions
