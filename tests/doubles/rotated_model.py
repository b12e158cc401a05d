"""A second embedding model without a hub: the first one's vectors, turned into a larger space.

The graph's output is multiplied by a matrix with orthonormal rows. Two texts are as alike as
before within the new space; a vector of one space says nothing in the other, and Qdrant refuses
it, since the dimensions differ.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.doubles.model_folder import OUTPUT, lay_model

NAME = "jinaai/jina-embeddings-v2-small-en"
"""A model of fastembed's that pools as all-MiniLM-L6-v2 does; its weights are not used."""

DIMENSIONS = 512


def lay(original: Path, models: Path, max_tokens: int = 256) -> Path:
    """Lay the turned model into the folder `models`."""
    return lay_model(
        original,
        models,
        NAME,
        _turned(onnx.load(original / "model.onnx")),
        file="onnx/model.onnx",
        dimensions=DIMENSIONS,
        max_tokens=max_tokens,
    )


def _turned(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = model.graph
    for node in graph.node:
        for at, name in enumerate(node.output):
            if name == OUTPUT:
                node.output[at] = "before_the_turn"
        for at, name in enumerate(node.input):
            if name == OUTPUT:
                node.input[at] = "before_the_turn"
    width = graph.output[0].type.tensor_type.shape.dim[2].dim_value
    matrix, _ = np.linalg.qr(np.random.default_rng(7).standard_normal((DIMENSIONS, width)))
    graph.initializer.append(numpy_helper.from_array(matrix.T.astype(np.float32), "turn"))
    graph.node.append(helper.make_node("MatMul", ["before_the_turn", "turn"], [OUTPUT]))
    graph.output[0].type.tensor_type.shape.dim[2].dim_value = DIMENSIONS
    return model
