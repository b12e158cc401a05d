"""A BERT encoder's weights, laid out as an ONNX graph.

The safetensors format is a length (8 bytes, little-endian), a JSON header of that length with
each tensor's type, shape and byte range, and then the tensors' bytes; it is read here by hand,
so that no deep-learning framework is needed to prepare a model.

The graph computes Devlin et al. 2019 (arXiv:1810.04805) as BertModel lays it out: embeddings,
then for each layer multi-head self-attention and a feed-forward network with GELU, each with
its residual and a layer normalisation behind it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flotilla.errors import FileCorrupt

OPSET = 20
# Opset 20 is the first with Gelu; intermediate representation 9 goes with it.
IR_VERSION = 9

MASKED = -10000.0
"""What is added to the attention score of a padding token: its share after softmax is zero."""

Tensors = Mapping[str, NDArray[Any]]
Initializers = dict[str, NDArray[Any]]

_DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """A safetensors file's tensors by name.

    Raises:
        FileCorrupt: the file is cut short or is not of this format.
    """
    raw = path.read_bytes()
    try:
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        body = memoryview(raw)[8 + length :]
        tensors = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            start, end = entry["data_offsets"]
            flat = np.frombuffer(body[start:end], dtype=_DTYPES[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"])
    except (ValueError, KeyError, TypeError) as error:
        raise FileCorrupt(
            f"{path.name} is not a complete safetensors file; pull the model again."
        ) from error
    return tensors


@dataclass(frozen=True)
class BertShape:
    """The sizes of a BERT encoder, as its config.json gives them."""

    layers: int
    heads: int
    hidden: int
    epsilon: float

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "BertShape":
        """Read `num_hidden_layers`, `num_attention_heads`, `hidden_size`, `layer_norm_eps`.

        Raises:
            FileCorrupt: the configuration is not of a BERT with exact GELU.
        """
        if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
            raise FileCorrupt(
                "config.json does not describe a BERT encoder with GELU; pull the model again."
            )
        return cls(
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            hidden=config["hidden_size"],
            epsilon=config["layer_norm_eps"],
        )


class _Graph:
    """Nodes and initializers in the making; each method adds a node and names its output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: Initializers = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.initializers[name] = np.ascontiguousarray(value)
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def linear(self, inner: str, name: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        """x·Wᵀ + b, where `weight` is stored (out, in)."""
        product = self.add(
            "MatMul", [inner, self.constant(f"{name}.weight", weight.T)], f"{name}.matmul"
        )
        return self.add("Add", [product, self.constant(f"{name}.bias", bias)], f"{name}.out")

    def norm(self, inner: str, name: str, tensors: Tensors, epsilon: float) -> str:
        scale = self.constant(f"{name}.weight", tensors[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", tensors[f"{name}.bias"])
        return self.add(
            "LayerNormalization", [inner, scale, bias], f"{name}.out", axis=-1, epsilon=epsilon
        )


def build_bert(tensors: Tensors, shape: BertShape) -> Any:
    """The ONNX model (an `onnx.ModelProto`) of a BERT encoder, opset 20.

    Inputs `input_ids`, `attention_mask`, `token_type_ids` are int64 of shape (batch, sequence);
    output `last_hidden_state` is float32 of shape (batch, sequence, hidden).

    Raises:
        FileCorrupt: a tensor is missing.
    """
    try:
        return _build(tensors, shape)
    except KeyError as error:
        raise FileCorrupt(
            f"The model's weights hold no tensor {error}; pull the model again."
        ) from error


def _build(tensors: Tensors, shape: BertShape) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    graph = _Graph()
    mask = _attention_bias(graph)
    hidden = _embeddings(graph, tensors, shape)
    for layer in range(shape.layers):
        hidden = _layer(graph, tensors, shape, f"encoder.layer.{layer}", hidden, mask)
    graph.add("Identity", [hidden], "last_hidden_state")

    tokens = ["batch", "sequence"]
    proto = helper.make_graph(
        graph.nodes,
        "bert",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, tokens)
            for name in ("input_ids", "attention_mask", "token_type_ids")
        ],
        [
            helper.make_tensor_value_info(
                "last_hidden_state", TensorProto.FLOAT, [*tokens, shape.hidden]
            )
        ],
        [numpy_helper.from_array(value, name) for name, value in graph.initializers.items()],
    )
    return helper.make_model(
        proto,
        producer_name="flotilla",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )


def _attention_bias(graph: _Graph) -> str:
    """(1 - mask)·MASKED, shaped (batch, 1, 1, sequence) to be added to the scores."""
    real = graph.add("Cast", ["attention_mask"], "mask.real", to=1)
    one = graph.constant("one", np.array(1.0, np.float32))
    padding = graph.add("Sub", [one, real], "mask.padding")
    masked = graph.constant("masked", np.array(MASKED, np.float32))
    axes = graph.constant("mask.axes", np.array([1, 2], np.int64))
    scaled = graph.add("Mul", [padding, masked], "mask.scaled")
    return graph.add("Unsqueeze", [scaled, axes], "mask.bias")


def _embeddings(graph: _Graph, tensors: Tensors, shape: BertShape) -> str:
    prefix = "embeddings"

    def table(kind: str) -> str:
        name = f"{prefix}.{kind}_embeddings.weight"
        return graph.constant(name, tensors[name])

    words = graph.add("Gather", [table("word"), "input_ids"], f"{prefix}.words")
    types = graph.add("Gather", [table("token_type"), "token_type_ids"], f"{prefix}.types")
    size = graph.add("Shape", ["input_ids"], f"{prefix}.shape", start=1, end=2)
    zero = graph.constant("zero", np.array([0], np.int64))
    # The first `sequence` rows of the table are the positions of every text of the batch.
    positions = graph.add("Slice", [table("position"), zero, size], f"{prefix}.positions")
    total = graph.add("Add", [words, types], f"{prefix}.words_and_types")
    total = graph.add("Add", [total, positions], f"{prefix}.sum")
    return graph.norm(total, f"{prefix}.LayerNorm", tensors, shape.epsilon)


def _layer(
    graph: _Graph, tensors: Tensors, shape: BertShape, prefix: str, hidden: str, mask: str
) -> str:
    def dense(inner: str, name: str) -> str:
        return graph.linear(inner, name, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    context = _attention(graph, tensors, shape, f"{prefix}.attention.self", hidden, mask)
    attended = dense(context, f"{prefix}.attention.output.dense")
    residual = graph.add("Add", [attended, hidden], f"{prefix}.attention.residual")
    attended = graph.norm(residual, f"{prefix}.attention.output.LayerNorm", tensors, shape.epsilon)

    inner = dense(attended, f"{prefix}.intermediate.dense")
    active = graph.add("Gelu", [inner], f"{prefix}.gelu")
    outer = dense(active, f"{prefix}.output.dense")
    residual = graph.add("Add", [outer, attended], f"{prefix}.residual")
    return graph.norm(residual, f"{prefix}.output.LayerNorm", tensors, shape.epsilon)


def _attention(
    graph: _Graph, tensors: Tensors, shape: BertShape, prefix: str, hidden: str, mask: str
) -> str:
    size = shape.hidden // shape.heads
    split = graph.constant("heads.split", np.array([0, 0, shape.heads, size], np.int64))
    merge = graph.constant("heads.merge", np.array([0, 0, shape.hidden], np.int64))
    # The scores' 1/√size is folded into the query's weights.
    scale = np.float32(size**-0.5)

    def heads(role: str, order: list[int], factor: np.float32) -> str:
        name = f"{prefix}.{role}"
        weight, bias = tensors[f"{name}.weight"] * factor, tensors[f"{name}.bias"] * factor
        flat = graph.linear(hidden, name, weight, bias)
        shaped = graph.add("Reshape", [flat, split], f"{name}.heads")
        return graph.add("Transpose", [shaped], f"{name}.transposed", perm=order)

    query = heads("query", [0, 2, 1, 3], scale)
    key = heads("key", [0, 2, 3, 1], np.float32(1))
    value = heads("value", [0, 2, 1, 3], np.float32(1))
    scores = graph.add("MatMul", [query, key], f"{prefix}.scores")
    scores = graph.add("Add", [scores, mask], f"{prefix}.masked")
    shares = graph.add("Softmax", [scores], f"{prefix}.shares", axis=-1)
    context = graph.add("MatMul", [shares, value], f"{prefix}.context")
    context = graph.add("Transpose", [context], f"{prefix}.rows", perm=[0, 2, 1, 3])
    return graph.add("Reshape", [context, merge], f"{prefix}.merged")
