"""The graph against the same encoder in NumPy, with random weights of a small BERT."""

import json
from math import erf
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from flotilla.errors import FileCorrupt
from flotilla.local.model.bert_onnx import BertShape, build_bert, read_safetensors

CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 8,
    "layer_norm_eps": 1e-12,
}
WORDS, POSITIONS, INNER = 11, 6, 16

Array = NDArray[Any]


@pytest.fixture(scope="module")
def tensors() -> dict[str, Array]:
    random = np.random.default_rng(7)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (WORDS, 8),
        "embeddings.position_embeddings.weight": (POSITIONS, 8),
        "embeddings.token_type_embeddings.weight": (2, 8),
        "embeddings.LayerNorm.weight": (8,),
        "embeddings.LayerNorm.bias": (8,),
    }
    for layer in range(2):
        prefix = f"encoder.layer.{layer}"
        for name, out, inner in (
            ("attention.self.query", 8, 8),
            ("attention.self.key", 8, 8),
            ("attention.self.value", 8, 8),
            ("attention.output.dense", 8, 8),
            ("intermediate.dense", INNER, 8),
            ("output.dense", 8, INNER),
        ):
            shapes[f"{prefix}.{name}.weight"] = (out, inner)
            shapes[f"{prefix}.{name}.bias"] = (out,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"{prefix}.{name}.weight"] = (8,)
            shapes[f"{prefix}.{name}.bias"] = (8,)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def encode(tensors: dict[str, Array], ids: list[int], types: list[int]) -> Array:
    """One text through the encoder, as the paper has it."""

    def norm(x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def dense(x: Array, name: str) -> Array:
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    x = tensors["embeddings.word_embeddings.weight"][ids]
    x = x + tensors["embeddings.token_type_embeddings.weight"][types]
    x = x + tensors["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x, "embeddings.LayerNorm")
    for layer in range(2):
        prefix = f"encoder.layer.{layer}"
        query, key, value = (
            dense(x, f"{prefix}.attention.self.{role}") for role in ("query", "key", "value")
        )
        context = np.empty_like(x)
        for head in (slice(0, 4), slice(4, 8)):
            scores = np.exp(query[:, head] @ key[:, head].T / 2.0)
            context[:, head] = scores / scores.sum(-1, keepdims=True) @ value[:, head]
        x = norm(
            x + dense(context, f"{prefix}.attention.output.dense"),
            f"{prefix}.attention.output.LayerNorm",
        )
        inner = dense(x, f"{prefix}.intermediate.dense")
        active = inner * 0.5 * (1 + np.vectorize(erf)(inner / np.sqrt(2)))
        x = norm(x + dense(active, f"{prefix}.output.dense"), f"{prefix}.output.LayerNorm")
    return x


def test_the_graph_computes_the_encoder_and_ignores_padding(tensors: dict[str, Array]) -> None:
    model = build_bert(tensors, BertShape.from_config(CONFIG))
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    long, short = [1, 5, 9, 2, 10], [3, 4, 7]
    types = [0, 0, 1, 1, 1]
    (hidden,) = session.run(
        ["last_hidden_state"],
        {
            "input_ids": np.array([long, [*short, 0, 0]], np.int64),
            "attention_mask": np.array([[1] * 5, [1, 1, 1, 0, 0]], np.int64),
            "token_type_ids": np.array([types, types], np.int64),
        },
    )
    np.testing.assert_allclose(hidden[0], encode(tensors, long, types), atol=1e-4)
    np.testing.assert_allclose(hidden[1, :3], encode(tensors, short, types[:3]), atol=1e-4)


def test_a_missing_tensor_is_named(tensors: dict[str, Array]) -> None:
    name = "encoder.layer.1.output.dense.bias"
    fewer = {key: value for key, value in tensors.items() if key != name}
    with pytest.raises(FileCorrupt, match=name):
        build_bert(fewer, BertShape.from_config(CONFIG))


@pytest.mark.parametrize("change", [{"model_type": "roberta"}, {"hidden_act": "relu"}])
def test_another_architecture_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(FileCorrupt, match="BERT"):
        BertShape.from_config({**CONFIG, **change})


def safetensors(tensors: dict[str, Array]) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, value in tensors.items():
        kind = {"float32": "F32", "int64": "I64"}[str(value.dtype)]
        offsets = [len(body), len(body) + value.nbytes]
        header[name] = {"dtype": kind, "shape": value.shape, "data_offsets": offsets}
        body += value.tobytes()
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + body


def test_safetensors_are_read_by_name_type_and_shape(tmp_path: Path) -> None:
    written = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array([7, 8], np.int64),
    }
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors(written))
    read = read_safetensors(path)
    assert read.keys() == written.keys()
    for name, value in written.items():
        assert read[name].dtype == value.dtype
        np.testing.assert_array_equal(read[name], value)


@pytest.mark.parametrize("cut", [0, 4, 40, -1])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors({"a": np.ones((2, 3), np.float32)})[:cut])
    with pytest.raises(FileCorrupt, match="safetensors"):
        read_safetensors(path)
