"""A model whose matrix products are of eight-bit integers: `NAME@int8`.

Weights are quantised once, by output column; activations by each run's least and greatest
(onnxruntime's dynamic quantisation), so that no sample of texts has to be at hand. Everything but
the products with weights stays as it is. Weights have seven bits: where a processor adds two
products of eight bits into sixteen, as those without VNNI do, the full range would overflow.
"""

import logging
from pathlib import Path

from flotilla.errors import ModelMissing


def quantise(model: Path) -> None:
    """Write an ONNX graph's weights as integers, in the file's place.

    Raises:
        ModelMissing: nothing in the graph can be quantised.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quiet = logging.getLogger()
    level, partial = quiet.level, model.with_suffix(".int8.partial")
    quiet.setLevel(logging.ERROR)  # it advises preparations that dynamic quantisation needs not
    try:
        quantize_dynamic(
            model,
            partial,
            op_types_to_quantize=["MatMul", "Attention"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        quiet.setLevel(level)
    kinds = {node.op_type for node in onnx.load(str(partial)).graph.node}
    if not kinds & {"MatMulInteger", "QAttention"}:
        partial.unlink()
        raise ModelMissing(
            f"{model.name} has no weights that could be quantised; take the model without @int8."
        )
    partial.replace(model)
