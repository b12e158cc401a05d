"""The embedding model with the first of its layers alone, for tests that embed much and to which
the vectors' quality is nothing: it takes a fifth of the time, and all else is as it was.

Its vectors tell texts apart by their words, hardly by what they mean.
"""

from pathlib import Path

import onnx

from flotilla.vectorstore.manifest import read_manifest
from tests.doubles.model_folder import OUTPUT, lay_model

FIRST_LAYER = "encoder.layer.0.output.LayerNorm.out"


def lay(original: Path, models: Path) -> Path:
    """Lay it under the original's own name into the folder `models`."""
    manifest = read_manifest(original)
    return lay_model(
        original,
        models,
        manifest.model,
        _first_layer(onnx.load(original / "model.onnx")),
        file="model.onnx",
        dimensions=manifest.dimensions,
        max_tokens=manifest.max_tokens,
    )


def _first_layer(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = model.graph
    needed, kept = {FIRST_LAYER}, []
    for node in reversed(graph.node):  # each stands behind what it takes in
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    assert kept, f"the model has no {FIRST_LAYER}"
    weights = [each for each in graph.initializer if each.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(reversed(kept))
    graph.node.append(onnx.helper.make_node("Identity", [FIRST_LAYER], [OUTPUT]))
    graph.initializer.extend(weights)
    return model
