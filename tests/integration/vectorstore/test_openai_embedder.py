"""The real OpenAI client against a server on localhost."""

from collections.abc import Iterator

import numpy as np
import pytest

from flotilla.errors import (
    ConfigurationError,
    DependencyUnavailable,
    FlotillaError,
    ModelRejected,
)
from flotilla.remote_tokens import estimated_tokens
from flotilla.settings import EmbeddingSettings, LLMSettings, Settings
from flotilla.vectorstore.embedder import Embedder
from flotilla.vectorstore.embedders import dimensions_of, load_embedder
from flotilla.vectorstore.openai_embedder import BATCH
from tests.doubles.openai_server import OpenAIServer, Reply, error, malformed, rate_limited
from tests.doubles.openai_wire import DIMENSIONS

KEY = "sk-test-0123456789"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


def settings(server: OpenAIServer | None, **fields: object) -> Settings:
    address = None if server is None else server.base_url
    given: dict[str, object] = {"model": "openai:bge-m3", "base_url": address, "timeout": 5.0}
    embedding = EmbeddingSettings.model_validate(given | fields)
    return Settings(embedding=embedding, llm=LLMSettings(base_url=None, api_key=None))


def embedder(server: OpenAIServer, **fields: object) -> Embedder:
    return load_embedder(settings(server, **fields), threads=1)


def test_vectors_are_of_length_1_and_alike_where_texts_are(server: OpenAIServer) -> None:
    own = embedder(server)
    assert own.name == "openai:bge-m3"
    assert own.dimensions == DIMENSIONS == dimensions_of(settings(server), "openai:bge-m3")
    texts = ["the yard opens at nine", "the yard opens at ten", "tyres are dear"]
    vectors = own.embed_passages(texts)
    assert vectors.shape == (3, DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    alike = vectors @ own.embed_query("when the yard opens")
    assert alike[2] < min(alike[:2])
    assert np.allclose(own.embed_queries(texts), vectors)
    request = server.embedding_requests[-1]
    assert request.body["model"] == "bge-m3"
    assert request.headers["authorization"] == "Bearer none"


def test_many_texts_go_in_batches_and_come_back_in_order(server: OpenAIServer) -> None:
    own = embedder(server)
    texts = [f"text number {number}" for number in range(2 * BATCH + 1)]
    vectors = own.embed_passages(texts)
    sent = [request.body["input"] for request in server.embedding_requests[1:]]
    assert [len(batch) for batch in sent] == [BATCH, BATCH, 1]
    assert np.allclose(vectors[BATCH], own.embed_query(texts[BATCH]))
    assert own.embed_passages([]).shape == (0, DIMENSIONS)


def test_dimensions_that_are_set_are_asked_for_and_not_looked_up(server: OpenAIServer) -> None:
    own = embedder(server, dimensions=16)
    assert own.dimensions == 16
    assert server.embedding_requests == []
    assert own.embed_query("nine").shape == (16,)
    assert server.embedding_requests[0].body["dimensions"] == 16


def test_a_server_whose_vectors_change_their_size_is_not_believed(server: OpenAIServer) -> None:
    own = embedder(server)
    server.script_embeddings(Reply(body=b'{"data": [{"index": 0, "embedding": [1.0, 2.0]}]}'))
    with pytest.raises(ConfigurationError, match="FLOTILLA_EMBEDDING_DIMENSIONS"):
        own.embed_query("nine")


@pytest.mark.parametrize(
    "vector", ["[1.0, null]", "[1.0, NaN]", "[-Infinity, 1.0]", "[1e300, 1.0]", "[1e30, 1.0]"]
)
def test_numbers_that_are_missing_or_infinite_are_no_vectors(
    server: OpenAIServer, vector: str
) -> None:
    own = embedder(server, dimensions=2)
    data = f'{{"data": [{{"index": 0, "embedding": {vector}}}]}}'
    server.script_embeddings(Reply(body=data.encode()))
    with pytest.raises(ModelRejected, match="not finite"):
        own.embed_query("nine")


@pytest.mark.parametrize(
    "data",
    [
        '[{"index": 0, "embedding": ["one", 1.0]}]',
        '[{"index": 0, "embedding": [[1.0], 1.0]}]',
        '[{"index": 0, "embedding": null}]',
        '[{"index": 0, "embedding": []}]',
        '[{"index": 0, "embedding": {}}]',
        '[{"index": 0, "embedding": [1.0, 0.0]}, {"index": 1, "embedding": [1.0, 0.0]}]',
        '[{"index": 0, "embedding": [1.0, 0.0]}, {"index": null, "embedding": [1.0, 0.0]}]',
    ],
)
def test_what_is_no_vector_is_refused_for_that(server: OpenAIServer, data: str) -> None:
    own = embedder(server, dimensions=2)
    server.script_embeddings(Reply(body=f'{{"data": {data}}}'.encode()))
    with pytest.raises(ModelRejected, match="/v1"):
        own.embed_query("nine")


def test_a_text_that_is_too_long_is_cut_and_an_empty_one_is_embedded(server: OpenAIServer) -> None:
    own = embedder(server, max_tokens=10)
    own.embed_passages(["word " * 1000, "", "東" * 100])
    sent = server.embedding_requests[-1].body["input"]
    assert all(sent)
    assert all(estimated_tokens(text) <= 10 for text in sent)
    assert estimated_tokens(sent[0]) > 5
    assert own.count_tokens(["word " * 1000]) == [1000]


@pytest.mark.parametrize(
    ("reply", "wait"),
    [(rate_limited(7), 7.0), (error(503, Retry_After="2"), 2.0), (error(500), None)],
)
def test_what_may_pass_is_an_outage_with_the_wait_that_was_asked_for(
    server: OpenAIServer, reply: Reply, wait: float | None
) -> None:
    own = embedder(server)
    server.script_embeddings(reply)
    with pytest.raises(DependencyUnavailable) as caught:
        own.embed_query("nine")
    assert caught.value.retry_after == wait
    assert len(server.embedding_requests) == 2  # the task tries again, and nobody else


@pytest.mark.parametrize(
    "late", [Reply(body=b"{}", delay=600), Reply(body=b"x" * 9999, dribble=0.02)]
)
def test_a_server_that_is_slow_is_an_outage(server: OpenAIServer, late: Reply) -> None:
    own = embedder(server, timeout=0.5)
    server.script_embeddings(late)
    with pytest.raises(DependencyUnavailable, match="FLOTILLA_EMBEDDING_TIMEOUT"):
        own.embed_query("nine")


def test_a_server_that_is_gone_is_an_outage() -> None:
    with OpenAIServer() as gone:
        configured = settings(gone)
    with pytest.raises(DependencyUnavailable, match="FLOTILLA_EMBEDDING_BASE_URL"):
        load_embedder(configured, threads=1)


@pytest.mark.parametrize(
    ("reply", "hint"),
    [
        (error(401, f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (error(403), "rights"),
        (error(404), "EMBEDDING_MODEL"),
        (error(400), "FLOTILLA_EMBEDDING_MAX_TOKENS"),
        (error(413), "FLOTILLA_EMBEDDING_MAX_TOKENS"),
        (error(429, "quota", "insufficient_quota"), "billing"),
        (malformed(), "/v1"),
        (malformed(b"{}"), "/v1"),
        (malformed(b'{"data": []}'), "/v1"),
    ],
)
def test_what_will_not_pass_says_what_to_do_and_not_the_key(
    server: OpenAIServer, reply: Reply, hint: str
) -> None:
    own = embedder(server, api_key=KEY)
    server.script_embeddings(reply)
    with pytest.raises(ModelRejected, match=hint) as caught:
        own.embed_query("nine")
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_language_models_key_goes_to_its_own_address_only(server: OpenAIServer) -> None:
    llm = LLMSettings(base_url=server.base_url, api_key=KEY)
    for address, sent in ((None, f"Bearer {KEY}"), (server.base_url, "Bearer none")):
        embedding = EmbeddingSettings(model="openai:bge-m3", base_url=address)
        load_embedder(Settings(embedding=embedding, llm=llm), threads=1)
        assert server.embedding_requests[-1].headers["authorization"] == sent


def test_without_a_key_and_an_address_the_setting_is_named() -> None:
    with pytest.raises(FlotillaError, match="FLOTILLA_EMBEDDING_BASE_URL"):
        load_embedder(settings(None), threads=1)
