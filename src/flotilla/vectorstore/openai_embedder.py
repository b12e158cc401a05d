"""Embedding models behind an OpenAI-compatible server."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flotilla.deadlines import Deadline
from flotilla.errors import (
    ConfigurationError,
    DependencyUnavailable,
    FlotillaError,
    ModelRejected,
)
from flotilla.remote_tokens import remote_counter
from flotilla.retry_after import of_headers
from flotilla.settings import Settings

if TYPE_CHECKING:
    import openai

    from flotilla.vectorstore.embedder import Matrix, Vector

BATCH = 64
"""Texts of one request: OpenAI takes 2048, servers of one's own often 32 or 64 at full speed."""

LARGEST = 1e18
"""Of a vector's numbers: the square of a larger one is past what a float of 32 bits holds."""

KEYLESS = "none"
"""What is sent as the key to a server that asks for none."""


class OpenAIEmbedder:
    """A model that a server embeds with; one instance serves many threads.

    How many dimensions it has is found by one request, unless the settings say so.

    Args:
        settings: address, key, dimensions and limits of the server.
        model: as `openai:NAME`.

    Raises:
        ConfigurationError: there is neither a key nor a server's address.
        DependencyUnavailable: the server does not reply now; `retry_after` is what it asks for.
        ModelRejected: the server refuses the request.
    """

    def __init__(self, settings: Settings, model: str) -> None:
        embedding = settings.embedding
        self.name = model
        self.max_tokens = embedding.max_tokens
        self._timeout = embedding.timeout
        self._asked = embedding.dimensions
        self._count = remote_counter(model)
        self._client = _client(settings)
        self.dimensions = self._asked or self._request(["dimensions"]).shape[1]

    def embed_passages(self, texts: Sequence[str]) -> "Matrix":
        """The texts' vectors: shape (len(texts), dimensions), in the order given."""
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            vectors[start : start + len(batch)] = self._vectors([self._cut(t) for t in batch])
        return vectors

    def embed_queries(self, texts: Sequence[str]) -> "Matrix":
        """Questions' vectors: shape (len(texts), dimensions), in the order given."""
        return self.embed_passages(texts)

    def embed_query(self, text: str) -> "Vector":
        """A question's vector: shape (dimensions,)."""
        vector: Vector = self.embed_passages([text])[0]
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Each text's tokens; an estimate where the model's tokenizer is not known."""
        return [self._count(text) for text in texts]

    def _cut(self, text: str) -> str:
        """The text up to where the model reads: servers refuse what is longer."""
        # A server refuses an empty text, too.
        text = text or " "
        while (tokens := self._count(text)) > self.max_tokens:
            text = text[: min(len(text) - 1, len(text) * self.max_tokens // tokens)]
        return text

    def _vectors(self, texts: list[str]) -> "Matrix":
        found = self._request(texts)
        if found.shape[1] != self.dimensions:
            raise ConfigurationError(
                f"The embedding model {self.name} gives vectors of other dimensions than the "
                f"{self.dimensions} that were expected: check FLOTILLA_EMBEDDING_DIMENSIONS and "
                "the server."
            )
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.where(lengths > 0, lengths, 1), np.float32)

    def _request(self, texts: list[str]) -> "Matrix":
        """The server's vectors, as long as it sent them: shape (len(texts), its dimensions)."""
        asked: dict[str, Any] = {} if self._asked is None else {"dimensions": self._asked}
        try:
            with Deadline(self._timeout).active():
                reply = self._client.embeddings.create(
                    model=self.name.partition(":")[2],
                    input=texts,
                    # What every server has; some lack base64, which the client would ask for.
                    encoding_format="float",
                    **asked,
                )
            ordered = sorted(reply.data, key=lambda each: each.index)
            # What is not all numbers, or of unlike lengths, makes no such array.
            vectors = np.array([each.embedding for each in ordered], np.float64)
        except Exception as error:  # noqa: BLE001 - also what is no reply of that form
            # Without the cause: its text may hold the key, and the traceback would be logged.
            raise failure(error) from None
        if vectors.ndim != 2 or len(vectors) != len(texts) or not vectors.shape[1]:
            raise _no_embeddings()
        # Past what is stored of it, a number is infinite.
        if not (np.abs(vectors) <= LARGEST).all():
            raise ModelRejected(
                "The embedding model's server sent vectors with numbers that are missing or not "
                "finite: look at the server's log, or use another EMBEDDING_MODEL."
            )
        return np.asarray(vectors, np.float32)


def _client(settings: Settings) -> "openai.OpenAI":
    try:
        import openai
    except ImportError:
        raise ConfigurationError(
            "EMBEDDING_MODEL is one of a server's, and the package openai is not installed: "
            "install openai."
        ) from None

    from flotilla.bounded_network import bound_client

    embedding, llm = settings.embedding, settings.llm
    address, key = embedding.base_url, embedding.api_key
    if address is None:
        # The key goes to the server that it was given for, and to no other.
        address, key = llm.base_url, key or llm.api_key
    if address is None and key is None:
        raise ConfigurationError(
            "EMBEDDING_MODEL is one of OpenAI's but OPENAI_API_KEY is not set: set it, or set "
            "FLOTILLA_EMBEDDING_BASE_URL for a server that needs none."
        )
    return openai.OpenAI(
        api_key=key.get_secret_value() if key is not None else KEYLESS,
        base_url=address,
        max_retries=0,  # attempts and their pauses belong to the task
        http_client=bound_client(address, embedding.timeout),
    )


def failure(error: Exception) -> FlotillaError:
    """What a server's exception means, without a word of its text: that may hold a key."""
    import openai

    status = getattr(error, "status_code", None)
    code = getattr(error, "code", None)
    response = getattr(error, "response", None)
    if isinstance(status, int) and not 200 <= status < 300:
        if status == 429 and code == "insufficient_quota":
            return ModelRejected(
                "The account at the embedding model's provider has no quota left (HTTP 429): check "
                "its plan and billing."
            )
        if status in (408, 409, 425, 429) or status >= 500:
            said = "takes no more requests for now" if status == 429 else "failed"
            return DependencyUnavailable(
                f"The embedding model's server {said} (HTTP {status}): try again later.",
                retry_after=of_headers(response.headers) if response is not None else None,
            )
        return ModelRejected(_REFUSALS.get(status, _REFUSED).format(status=status))
    if isinstance(error, (openai.APITimeoutError, TimeoutError)):
        return DependencyUnavailable(
            "The embedding model's server did not reply in time: try again, or raise "
            "FLOTILLA_EMBEDDING_TIMEOUT."
        )
    if isinstance(error, (openai.APIConnectionError, OSError)):
        return DependencyUnavailable(
            "The embedding model's server cannot be reached: check FLOTILLA_EMBEDDING_BASE_URL and "
            "the network, or try again later."
        )
    return _no_embeddings()


def _no_embeddings() -> ModelRejected:
    return ModelRejected(
        "The embedding model's server sent something that are no embeddings: check that its "
        "address is that of an OpenAI-compatible API, usually ending in /v1."
    )


_REFUSED = (
    "The embedding model's server refused the request (HTTP {status}): check EMBEDDING_MODEL and "
    "the FLOTILLA_EMBEDDING settings."
)
_REFUSALS = {
    400: "The embedding model's server refused the texts (HTTP 400): should they be too long for "
    "it, lower FLOTILLA_EMBEDDING_MAX_TOKENS; else check FLOTILLA_EMBEDDING_DIMENSIONS.",
    401: "The embedding model's server did not accept the key (HTTP 401): check OPENAI_API_KEY or "
    "FLOTILLA_EMBEDDING_API_KEY.",
    403: "The key may not use this embedding model (HTTP 403): check EMBEDDING_MODEL and its "
    "rights.",
    404: "The server has no such embedding model (HTTP 404): check EMBEDDING_MODEL and "
    "FLOTILLA_EMBEDDING_BASE_URL.",
    413: "The texts are too long for the embedding model's server (HTTP 413): lower "
    "FLOTILLA_EMBEDDING_MAX_TOKENS.",
}
