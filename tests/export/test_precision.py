"""The network in 16 and in 8 bits: what is inside, and what of it onnxruntime runs in those bits."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from focalcli.export.agreement import LIMITS
from focalcli.export.cases import generated
from focalcli.export.certificate import make_trials, repeat
from focalcli.export.half import OUTER_ROOMS, to_half
from focalcli.export.options import ExportOptions
from focalcli.export.quantize import convolutions, find_ranges, prepared, quantized
from focalcli.export.reference import Reference
from focalcli.export.session import FileSession


@pytest.mark.parametrize("changes", [{}, {"output": "raw"}, {"output": "decoded"}], ids=str)
def test_half_precision_gives_torchs_answers_within_its_limits(traced, changes: dict) -> None:
    options = ExportOptions(precision="fp16", **changes)
    file = to_half(traced.file(options))
    trials = make_trials(Reference(traced.model, options), options)
    found = repeat(trials, FileSession(file, traced.config, options), traced.config, options, LIMITS["fp16"])
    assert found.within(LIMITS["fp16"]) and found.pairs > 100, found


def test_half_precision_holds_the_network_and_nothing_else(traced) -> None:
    whole = traced.file(ExportOptions())
    half = to_half(whole)
    outer = {name for node in half.graph.node if node.name.startswith(OUTER_ROOMS) for name in node.input}
    kinds = {item.name: item.data_type for item in half.graph.initializer}
    assert {kinds[node.input[1]] for node in half.graph.node if node.op_type == "Conv"} == {TensorProto.FLOAT16}
    assert TensorProto.FLOAT16 not in {kind for name, kind in kinds.items() if name in outer}
    assert [(o.name, o.type) for o in half.graph.output] == [(o.name, o.type) for o in whole.graph.output]
    weights = sum(len(item.raw_data) for item in whole.graph.initializer)
    assert sum(len(item.raw_data) for item in half.graph.initializer) < 0.55 * weights


def as_run(model: onnx.ModelProto, folder: Path) -> Counter[str]:
    """Count the operators of a model as onnxruntime runs it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "as_run.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "as_run.onnx").graph.node)


def test_every_convolution_runs_in_8_bits_but_those_left_out(traced, tmp_path: Path) -> None:
    """One float operator between two convolutions would cost more than the bits save: there is none to be found."""
    ready = prepared(traced.file(ExportOptions()))
    images = [np.ascontiguousarray(generated(seed, (96, 128)).transpose(2, 0, 1)[None]) for seed in (1, 2)]
    ranges = find_ranges(ready, lambda: iter(images), "minmax")
    groups = convolutions(ready)
    runs = as_run(quantized(ready, ranges, [], weight_bits=7), tmp_path)
    assert runs["QLinearConv"] == sum(map(len, groups.values())) and not runs["Conv"] + runs["FusedConv"]
    [left, *_] = groups
    runs = as_run(quantized(ready, ranges, [left], weight_bits=7), tmp_path)
    assert runs["Conv"] + runs["FusedConv"] == len(groups[left])
