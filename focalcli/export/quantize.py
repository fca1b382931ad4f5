"""Eight bits: the network in INT8 by static quantisation, the rest in float32, as good as its AP is measured to be.

Ranges are found on calibration photos by three methods; the one with the best AP is kept. Where AP falls by more than
the limit, the layers whose rounding disturbs scores and boxes most stay in float32, 1, 2, 4, 8 ... of them.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

from focalcli.export.half import OUTER_ROOMS
from focalcli.export.options import OUTPUT_NAMES
from focalcli.export.session import open_session

Batch = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Ranges = Any  # onnxruntime's TensorsData

METHODS: dict[str, tuple[CalibrationMethod, dict[str, Any]]] = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"percentile": 99.99, "num_bins": 2048}),
    "entropy": (CalibrationMethod.Entropy, {"num_bins": 256, "num_quantized_bins": 128}),
}

# What onnxruntime runs in 8 bits from one convolution to the next; anything else between them would cost a detour.
KINDS = ["Conv", "Relu", "Clip", "Add", "Resize", "MaxPool", "Concat", "Reshape", "Transpose"]


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the model as quantisation wants it: constants folded, padding moved into the convolutions."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "prepared.onnx"
        onnx.save(model, source)
        quant_pre_process(source, target, skip_symbolic_shape=True)
        result = onnx.load(target)
    _label(result, model)
    return result


def _label(model: onnx.ModelProto, original: onnx.ModelProto) -> None:
    """Give a model the name, texts and declared shapes of the one it was made from."""
    model.producer_name, model.producer_version = original.producer_name, original.producer_version
    model.ClearField("metadata_props")
    model.metadata_props.extend(original.metadata_props)
    model.graph.ClearField("value_info")
    model.graph.name = original.graph.name
    for mine, theirs in ((model.graph.input, original.graph.input), (model.graph.output, original.graph.output)):
        del mine[:]
        mine.extend(theirs)


def find_ranges(model: onnx.ModelProto, batches: Callable[[], Iterator[Batch]], method: str) -> Ranges:
    """Give the range of every tensor between convolutions, seen on batches of input, one at a time."""
    kind, settings = METHODS[method]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.onnx"
        onnx.save(model, source)
        calibrator = create_calibrator(
            source,
            op_types_to_calibrate=KINDS,
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=kind,
            extra_options=settings,
        )
        with redirect_stdout(StringIO()):  # onnxruntime talks there, where only results belong
            for batch in batches():
                calibrator.collect_data(_One(batch))
            return calibrator.compute_data()


def quantized(
    model: onnx.ModelProto, ranges: Ranges, kept_float: Sequence[str], *, weight_bits: int
) -> onnx.ModelProto:
    """Give the model with its network in 8 bits, weights in 8 or 7, but for the convolutions of these weights."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    outside = [node.name for node in model.graph.node if node.name.startswith(OUTER_ROOMS)]
    kept = {node.name for name in kept_float for node in convolutions(model)[name]}
    quantizer = QDQQuantizer(
        copy,
        per_channel=True,
        reduce_range=weight_bits == 7,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=ranges,
        nodes_to_quantize=[],
        nodes_to_exclude=[*outside, *sorted(kept)],
        op_types_to_quantize=KINDS,
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    result: onnx.ModelProto = quantizer.model.model
    _label(result, model)
    onnx.checker.check_model(result, full_check=True)
    return result


def convolutions(model: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    """Give the convolutions by the name of their weights: the heads use theirs once a level."""
    groups: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            groups.setdefault(node.input[1], []).append(node)
    return groups


class Answers(NamedTuple):
    """What the network alone says of all anchors of some photos: scores (n, C) and deltas (n, 4)."""

    scores: Floats
    deltas: Floats


def disturbance(before: Answers, after: Answers) -> float:
    """Give the mean squared change of scores, and of the deltas of what scores, each in units of its own spread.

    Of scores, not logits: a class that never occurs has a spread of logits that hides any change of the others.
    """
    scores, deltas = before
    weights = scores.max(axis=1, keepdims=True) / scores.max(axis=1).sum()
    spread = (weights * (deltas - (weights * deltas).sum(axis=0)) ** 2).sum()
    moved = (weights * (after.deltas - deltas) ** 2).sum() / max(float(spread), 1e-12)
    return float(((after.scores - scores) ** 2).mean() / max(float(scores.var()), 1e-12) + moved)


def network_answers(model: onnx.ModelProto, batches: Sequence[Batch]) -> Answers:
    """Run the network alone on batches of input."""
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    del cut.graph.output[:]
    for name in OUTPUT_NAMES["raw"]:
        cut.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = open_session(cut.SerializeToString())
    runs = [session.run(None, {"images": batch}) for batch in batches]
    half = len(OUTPUT_NAMES["raw"]) // 2
    logits, deltas = (
        np.concatenate([level.reshape(-1, level.shape[-1]) for run in runs for level in run[part]])
        for part in (slice(half), slice(half, None))
    )
    return Answers(1 / (1 + np.exp(-logits.clip(-80, 80))), deltas)


class _One(CalibrationDataReader):  # type: ignore[misc]
    """A reader of one batch: onnxruntime keeps all activations of a reader in memory at once."""

    def __init__(self, batch: Batch) -> None:
        self._next: dict[str, Batch] | None = {"images": batch}

    def get_next(self) -> dict[str, Batch] | None:
        """Give the batch once."""
        given, self._next = self._next, None
        return given
