"""The file gives torch's answers in every form, and holds nothing but what it must."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from msgspec.structs import replace

from focalcli.config import decode_config
from focalcli.export.agreement import LIMITS
from focalcli.export.before import write_before
from focalcli.export.cases import generated
from focalcli.export.certificate import make_trials, repeat
from focalcli.export.graph import around_network
from focalcli.export.metadata import thresholds
from focalcli.export.network import bake
from focalcli.export.options import ExportOptions
from focalcli.export.reference import Reference
from focalcli.export.session import FileSession
from focalcli.images.fit import Fit

FORMS = [
    ExportOptions(),
    ExportOptions(input="float"),
    ExportOptions(layout="nhwc"),
    ExportOptions(input="float", layout="nhwc", output="flat7"),
    ExportOptions(output="decoded"),
    ExportOptions(output="raw"),
    ExportOptions(output="trt"),
    ExportOptions(size=(160, 160)),
    ExportOptions(size=(96, 160)),
    ExportOptions(size=(160, 96), output="decoded"),
]


def label(options: ExportOptions) -> str:
    default = ExportOptions()
    changed = [f for f in options.__struct_fields__ if getattr(options, f) != getattr(default, f)]
    return ",".join(f"{f}={getattr(options, f)}" for f in changed) or "default"


@pytest.mark.parametrize("options", FORMS, ids=label)
def test_every_form_gives_torchs_answers(traced, options: ExportOptions) -> None:
    file = traced.file(options)
    trials = make_trials(Reference(traced.model, options), options)
    found = repeat(
        trials, FileSession(file, traced.model.config, options), traced.model.config, options, LIMITS["fp32"]
    )
    assert found.alone == 0 and found.pairs > 100, found
    assert found.box < 2e-3 and found.score < 1e-5


def test_the_trials_hold_no_object_few_and_more_than_fit(traced) -> None:
    options = ExportOptions()
    trials = make_trials(Reference(traced.model, options), options)
    counts = {trial.case.name: [len(answer.scores) for answer in trial.answers] for trial in trials}
    assert counts["no object"] == [0]
    assert 1 <= counts["few objects"][0] <= 12
    assert counts["more than fit"] == [100, 100]
    assert len(counts["three images"]) == 3
    [unequal] = [trial for trial in trials if trial.case.name == "photos"]
    assert len(set(unequal.case.sizes)) == len(unequal.answers) == 3


@pytest.mark.parametrize("changes", [
    {"anchors": {"convention": "torchvision"}},
    {"postprocess": {"temperature": 1.7, "nms_iou": 0.3, "max_detections": 7, "candidates": 50}},
    {"postprocess": {"class_thresholds": (0.01, 0.2, 0.6)}},
], ids=str)  # fmt: skip
def test_settings_reach_the_graph(traced, changes: dict) -> None:
    import msgspec

    options = ExportOptions()
    for key, values in changes.items():
        config = replace(traced.config, **{key: msgspec.structs.replace(getattr(traced.config, key), **values)})
    file = around_network(traced.network, config, options)
    traced.model.config = config
    traced.model._anchors.clear()
    try:
        trials = make_trials(Reference(traced.model, options), options)
        found = repeat(trials, FileSession(file, config, options), config, options, LIMITS["fp32"])
    finally:
        traced.model.config = traced.config
        traced.model._anchors.clear()
    assert found.alone == 0 and found.pairs > 20, found


def test_baking_changes_nothing_beyond_rounding(traced) -> None:
    images = torch.from_numpy(generated(3, (96, 160))).permute(2, 0, 1)[None]
    with torch.inference_mode():
        ours, baked = traced.model(images), bake(traced.model)(images)
    for a, b in zip((*ours.logits, *ours.deltas), (*baked.logits, *baked.deltas), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_no_path_source_line_or_date_is_inside(traced) -> None:
    content = traced.file(ExportOptions()).SerializeToString()
    for leak in (b"/work", b"/home", b".py", b"site-packages", b"stack_trace", b"torch.nn", b"2026", b"2027"):
        assert leak not in content, leak


def test_the_same_model_gives_the_same_bytes(traced) -> None:
    one, other = (traced.file(ExportOptions()).SerializeToString(deterministic=True) for _ in range(2))
    assert one == other


def test_metadata_tells_all(traced) -> None:
    file = traced.file(ExportOptions())
    stored = {entry.key: entry.value for entry in file.metadata_props}
    assert decode_config(stored["focalcli.config"], "file") == traced.config
    assert stored["names"] == "{0: 'red cell', 1: 'white cell', 2: 'platelet'}"
    assert (stored["task"], stored["stride"], stored["imgsz"]) == ("detect", "32", "[128, 128]")
    assert stored["license"] == "CC0-1.0" and stored["focalcli.data_fingerprint"] == "0123abcd"
    assert json.loads(stored["focalcli.class_ids"]) == [3, 7, 4]
    assert json.loads(stored["focalcli.thresholds"])["score"] == {
        "red cell": 0.05,
        "white cell": 0.05,
        "platelet": 0.05,
    }
    assert json.loads(stored["focalcli.preprocess"])["pad"]["rgb"] == [124, 116, 104]


def test_calibrated_thresholds_are_told_by_class(traced) -> None:
    post = replace(traced.config.postprocess, class_thresholds=(0.01, 0.2, 0.6), temperature=1.7)
    told = thresholds(replace(traced.config, postprocess=post))
    assert told["score"] == {"red cell": 0.01, "white cell": 0.2, "platelet": 0.6} and told["temperature"] == 1.7


def test_names_types_and_shapes_are_the_promised_ones(traced) -> None:
    session = onnxruntime.InferenceSession(traced.file(ExportOptions()).SerializeToString())
    [images] = session.get_inputs()
    assert (images.name, images.type, images.shape) == ("images", "tensor(uint8)", ["batch", 3, "height", "width"])
    assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [
        ("num_dets", "tensor(int32)", ["batch"]),
        ("boxes", "tensor(float)", ["batch", 100, 4]),
        ("scores", "tensor(float)", ["batch", 100]),
        ("labels", "tensor(int64)", ["batch", 100]),
    ]


def test_padding_is_zero_and_minus_one(traced) -> None:
    session = FileSession(traced.file(ExportOptions()), traced.config, ExportOptions())
    session.run(generated(8, (96, 96)).transpose(2, 0, 1)[None], 0.9999)
    raw = session._sessions[0.9999].run(None, {"images": generated(8, (96, 96)).transpose(2, 0, 1)[None]})
    counts, boxes, scores, labels = raw
    n = counts[0]
    assert n < 100
    assert not boxes[0, n:].any() and not scores[0, n:].any() and (labels[0, n:] == -1).all()


def test_flat7_is_what_frigates_yolonas_reader_expects(traced) -> None:
    """Rows (image, x1, y1, x2, y2, score, class), best first, and a class below 0 ends the list."""
    options = ExportOptions(output="flat7", size=(160, 160))
    session = onnxruntime.InferenceSession(traced.file(options).SerializeToString())
    [table] = session.run(None, {"images": np.stack([generated(s, (160, 160)).transpose(2, 0, 1) for s in (1, 2)])})
    assert table.shape == (200, 7) and table.dtype == np.float32
    for image, rows in enumerate(np.split(table, 2)):
        assert (rows[:, 0] == image).all()
        assert (np.diff(rows[:, 5]) <= 0).all()
        ended = np.flatnonzero(rows[:, 6] < 0)
        assert not len(ended) or (rows[ended[0] :, 6] == -1).all()


def test_the_tensorrt_node_is_what_the_plugin_takes(traced) -> None:
    file = traced.file(ExportOptions(output="trt"))
    node = file.graph.node[-1]
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert (node.op_type, node.domain) == ("EfficientNMS_TRT", "trt.plugins")
    assert list(node.output) == ["num_dets", "det_boxes", "det_scores", "det_classes"] and len(node.input) == 2
    assert values["plugin_version"] == b"1" and values["background_class"] == -1
    assert values["max_output_boxes"] == 100 and values["score_activation"] == 0 and values["box_coding"] == 0
    assert values["iou_threshold"] == 0.5 and round(values["score_threshold"], 6) == 0.05


@pytest.mark.parametrize("opset", [19, 20, 21, 22, 23])
def test_the_parts_written_by_hand_hold_for_every_opset(traced, opset: int) -> None:
    network = onnx.ModelProto()
    network.CopyFrom(traced.network)
    network.opset_import[0].version = opset
    file = around_network(network, traced.config, ExportOptions(opset=opset))
    assert file.opset_import[0].version == opset


@pytest.mark.parametrize("photo", [(150, 233), (301, 200), (64, 500), (500, 500)])
def test_resizing_inside_differs_from_fit_by_the_stated_bound(traced, photo: tuple[int, int]) -> None:
    """README: the canvas has Fit's size; at most 5 % of its values differ, by at most 4 of 255 levels."""
    graph = onnx.GraphProto(name="before")
    options = ExportOptions(resize_inside=True)
    write_before(graph, traced.config, options)
    graph.input.append(onnx.helper.make_tensor_value_info("images", onnx.TensorProto.UINT8, ["n", 3, "h", "w"]))
    graph.output.append(onnx.helper.make_tensor_value_info("network_input", onnx.TensorProto.FLOAT, None))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    image = generated(5, photo)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    [canvas] = session.run(None, {"images": image.transpose(2, 0, 1)[None]})
    fit = Fit.of(traced.config)
    mean, std = (np.array(v).reshape(1, 3, 1, 1) * 255 for v in (traced.config.mean, traced.config.std))
    levels = canvas * std + mean
    expected = fit.pad([fit.apply(image)])
    assert canvas.shape == expected.shape
    difference = np.abs(levels - expected)
    assert difference.max() < 4.01 and (difference > 0.5).mean() < 0.05


def test_resizing_inside_gives_boxes_in_the_photo(traced) -> None:
    options = ExportOptions(resize_inside=True)
    trials = make_trials(Reference(traced.model, options), options)
    session = FileSession(traced.file(options), traced.config, options)
    from focalcli.export.write import RESIZED

    found = repeat(trials, session, traced.config, options, RESIZED)
    assert found.alone <= 0.02 * found.pairs and found.box < 0.5 and found.score < 0.005, found
