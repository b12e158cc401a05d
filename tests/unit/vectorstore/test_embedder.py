from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flotilla.errors import ModelMissing
from flotilla.settings import EmbeddingSettings, Settings
from flotilla.vectorstore.embedders import load_embedder
from flotilla.vectorstore.fastembed_embedder import FastembedEmbedder

TEXTS = [
    "A fleet is the workers of one queue. " * 12,
    "Sunny.",
    "The ledger decides; the canvas only wires. " * 5,
    "Every task is idempotent.",
    "A lease is a time-limited right. " * 20,
    "Chunks are embedded in batches of alike lengths.",
]


def test_vectors_are_those_that_the_model_card_publishes(embedder: FastembedEmbedder) -> None:
    person, dog, very, sunny = embedder.embed_passages(
        [
            "That is a happy person",
            "That is a happy dog",
            "That is a very happy person",
            "Today is a sunny day",
        ]
    )
    similarities = [float(person @ other) for other in (dog, very, sunny)]
    assert similarities == pytest.approx([0.695, 0.943, 0.257], abs=0.001)


def test_passages_keep_their_order_and_do_not_depend_on_their_batch(
    embedder: FastembedEmbedder,
) -> None:
    together = embedder.embed_passages(TEXTS)
    alone = np.stack([embedder.embed_passages([text])[0] for text in TEXTS])
    assert together.shape == (len(TEXTS), embedder.dimensions)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)


def test_no_passages_give_no_vectors(embedder: FastembedEmbedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.dimensions)


def test_a_question_is_embedded_as_a_passage_is(embedder: FastembedEmbedder) -> None:
    vector = embedder.embed_query(TEXTS[3])
    assert vector.shape == (embedder.dimensions,)
    np.testing.assert_allclose(vector, embedder.embed_passages([TEXTS[3]])[0], atol=1e-5)


def test_what_follows_the_last_token_of_training_is_cut_off(embedder: FastembedEmbedder) -> None:
    # 254 words of one token and two special tokens fill the model's 256.
    full = "the " * 254
    whole, longer, shorter = embedder.embed_passages([full, full + "whale", full[:-4] + "whale"])
    np.testing.assert_array_equal(whole, longer)
    assert float(whole @ shorter) < 0.999


def test_another_limit_may_be_set(model_settings: Settings) -> None:
    short = FastembedEmbedder(model_settings.embedding_model_folder, max_tokens=8)
    first, second = short.embed_passages(
        ["one two three four five six", "one two three four five six seven"]
    )
    np.testing.assert_array_equal(first, second)


def test_tokens_are_counted_without_special_ones_and_without_a_limit(
    embedder: FastembedEmbedder,
) -> None:
    assert embedder.count_tokens(["", "the whale", "the " * 600]) == [0, 2, 600]


def test_one_embedder_serves_many_threads(embedder: FastembedEmbedder) -> None:
    expected = [embedder.embed_query(text) for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(embedder.embed_query, TEXTS * 8))
        passages = list(pool.map(lambda _: embedder.embed_passages(TEXTS), range(4)))
    for index, vector in enumerate(found):
        np.testing.assert_allclose(vector, expected[index % len(TEXTS)], atol=1e-5)
    for matrix in passages:
        np.testing.assert_allclose(matrix, np.stack(expected), atol=1e-5)


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    settings = Settings(embedding=EmbeddingSettings(models_dir=tmp_path))
    with pytest.raises(ModelMissing, match="flotilla models pull"):
        load_embedder(settings, threads=1)


def test_lanes_give_the_vectors_that_one_thread_gives(
    embedder: FastembedEmbedder, model_settings: Settings
) -> None:
    texts = [f"{text} {number}" for number in range(8) for text in TEXTS]
    lanes = FastembedEmbedder(model_settings.embedding_model_folder, lanes=3, batch_tokens=64)
    expected = embedder.embed_passages(texts)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lanes.embed_passages, [texts] * 4):
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_batch_that_fails_fails_the_call_and_no_other(model_settings: Settings) -> None:
    lanes = FastembedEmbedder(model_settings.embedding_model_folder, lanes=2, batch_tokens=16)
    with pytest.raises(TypeError):
        lanes.embed_passages([*TEXTS, None])  # type: ignore[list-item]
    assert lanes.embed_passages(TEXTS).shape == (len(TEXTS), lanes.dimensions)


def test_one_lane_is_for_all_callers_together(model_settings: Settings) -> None:
    lane = FastembedEmbedder(model_settings.embedding_model_folder, lanes=1, batch_tokens=16)
    at_work, most = 0, 0
    embed = lane._model.passage_embed

    def watched(*args: Any, **options: Any) -> Iterator[Any]:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        yield from embed(*args, **options)
        at_work -= 1

    lane._model.passage_embed = watched  # type: ignore[method-assign]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lane.embed_passages, [TEXTS] * 4))
    assert most == 1
