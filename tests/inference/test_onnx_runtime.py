"""The exporter's own tests hold its files to torch; these hold the runtime to hostile and hand-made files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from focalcli.config import encode_config
from focalcli.errors import DataError, InputNotFound, Unavailable, UsageError
from focalcli.inference.detector import Detector
from focalcli.inference.onnx_runtime import OnnxRuntime, session_options
from focalcli.inference.options import SelectionConfig
from tests.inference.mock_runtime import CONFIG

BOX = [4.0, 8.0, 20.0, 30.0]


def constant_model(
    *, kind: int = TensorProto.UINT8, layout: str = "nchw", config: str | None = None
) -> onnx.ModelProto:
    """Finds one box of class 2 in every image; its score is the mean of the image's brightness."""
    shape = ["n", 3, "h", "w"] if layout == "nchw" else ["n", "h", "w", 3]
    scale = 1.0 if kind == TensorProto.FLOAT else 1 / 255
    arrays = {
        "scale": np.array(scale, np.float32),
        "box": np.array([[BOX]], np.float32),
        "label": np.array([[2]], np.int64),
        "one": np.array([1], np.int32),
        "axes": np.array([1, 2, 3], np.int64),
        "row": np.array([0], np.int64),
        "column": np.array([-1, 1], np.int64),
        "float": np.array(0, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled", "axes"], ["means"], keepdims=0),
        helper.make_node("Reshape", ["means", "column"], ["scores"]),
        helper.make_node("Mul", ["scores", "float"], ["zeros"]),
        helper.make_node("Unsqueeze", ["zeros", "axes2"], ["zeros3"]),
        helper.make_node("Add", ["zeros3", "box"], ["boxes"]),
        helper.make_node("Cast", ["zeros"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Add", ["whole", "label"], ["labels"]),
        helper.make_node("Cast", ["means"], ["int"], to=TensorProto.INT32),
        helper.make_node("Mul", ["int", "nil"], ["none"]),
        helper.make_node("Add", ["none", "one"], ["num_dets"]),
    ]
    arrays |= {"axes2": np.array([2], np.int64), "nil": np.array([0], np.int32)}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("images", kind, shape)],
        [
            helper.make_tensor_value_info("num_dets", TensorProto.INT32, ["n"]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["n", 1, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1]),
            helper.make_tensor_value_info("labels", TensorProto.INT64, ["n", 1]),
        ],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"focalcli.config": encode_config(CONFIG) if config is None else config})
    return model


def written(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_bytes_and_floats_in_both_layouts_give_the_same(kind: int, layout: str, tmp_path: Path) -> None:
    runtime = OnnxRuntime(written(constant_model(kind=kind, layout=layout), tmp_path))
    assert runtime.config == CONFIG
    images = np.zeros((2, 32, 64, 3), np.uint8).transpose(0, 3, 1, 2)
    images[1] = 102
    found = runtime.run(images)
    assert found.boxes.tolist() == [[BOX], [BOX]]
    assert found.scores[:, 0].tolist() == pytest.approx([0, 0.4], abs=1e-4)
    assert found.classes.tolist() == [[2], [2]] and found.counts.tolist() == [1, 1]


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound):
        OnnxRuntime(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x0a" + b"\xff" * 90], ids=["empty", "text", "noise"])
def test_what_is_not_onnx_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not an ONNX model, or damaged") as caught:
        OnnxRuntime(path)
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    content = constant_model().SerializeToString()
    path = tmp_path / "m.onnx"
    for length in range(0, len(content), len(content) // 12):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            OnnxRuntime(path)


def test_an_onnx_file_of_others_is_refused(tmp_path: Path) -> None:
    model = constant_model()
    del model.metadata_props[:]
    with pytest.raises(DataError, match=r"m\.onnx: an ONNX model, but not one of focalcli's, name a file"):
        OnnxRuntime(written(model, tmp_path))


def test_a_model_without_post_processing_is_refused(tmp_path: Path) -> None:
    model = constant_model()
    del model.graph.output[2]
    with pytest.raises(DataError, match="without its post-processing"):
        OnnxRuntime(written(model, tmp_path))


@pytest.mark.parametrize("config", ["", "{}", '{"classes": [], "colour": 1}', "[" * 10_000])
def test_a_damaged_configuration_is_refused(config: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="configuration"):
        OnnxRuntime(written(constant_model(config=config), tmp_path))


@pytest.mark.parametrize("location", ["w.bin", "../w.bin", "/etc/hostname"])
def test_weights_in_another_file_are_refused(location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # even where the named file could be found
    model = constant_model()
    (tmp_path / "w.bin").write_bytes(np.ones(1000, np.float32).tobytes())
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1000], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "4000")):
        weights.external_data.add(key=key, value=value)
    model.graph.initializer.append(weights)
    model.graph.node.append(helper.make_node("ReduceSum", ["w"], ["sum"]))
    model.graph.output.append(helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1]))
    with pytest.raises(DataError, match="keeps its weights in another file"):
        OnnxRuntime(written(model, tmp_path))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"iou": 0.7}, "has its own NMS inside, at IoU 0.5: --iou, --nms and --agnostic do not reach it"),
        ({"nms": "soft"}, "has its own NMS inside"),
        ({"agnostic": True}, "has its own NMS inside"),
        ({"max_dets": 101}, "gives 100 detections at most, and --max-dets asks for more"),
        ({"threshold": "0.04"}, "has left out the scores below its own threshold, which --threshold asks for"),
        ({"threshold": "0.5,red=0"}, "has left out the scores below its own threshold"),
    ],
)
def test_what_a_file_has_left_out_is_not_promised(options: dict, words: str, tmp_path: Path) -> None:
    runtime = OnnxRuntime(written(constant_model(), tmp_path))
    with pytest.raises(UsageError) as caught:
        Detector(runtime, selection=SelectionConfig(**options))
    assert words in str(caught.value)
    assert str(caught.value).endswith("name the checkpoint it was exported from with --model")


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 1), ({"iou": 0.5, "max_dets": 1}, 1), ({"threshold": "0.41"}, 0), ({"threshold": "blue=0.39"}, 1),
     ({"classes": "red,green"}, 0)],
)  # fmt: skip
def test_less_than_a_file_gives_can_be_asked_for(options: dict, count: int, tmp_path: Path) -> None:
    """It finds one object of class blue with a score of 0.4."""
    detector = Detector(OnnxRuntime(written(constant_model(), tmp_path)), selection=SelectionConfig(**options))
    [found] = detector.detect([np.full((64, 64, 3), 102, np.uint8)])
    assert len(found) == count


def test_an_answer_that_is_no_detection_is_refused(tmp_path: Path) -> None:
    model = constant_model()
    label = next(tensor for tensor in model.graph.initializer if tensor.name == "label")
    label.CopyFrom(numpy_helper.from_array(np.array([[3]], np.int64), "label"))
    with pytest.raises(DataError, match="outside its own 3"):
        OnnxRuntime(written(model, tmp_path)).run(np.zeros((1, 3, 32, 32), np.uint8))


def test_an_output_of_text_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    model = constant_model()
    model.graph.node[-1].output[0] = "numbers"
    model.graph.node.append(helper.make_node("Cast", ["numbers"], ["num_dets"], to=TensorProto.STRING))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    with pytest.raises(DataError, match=r"its output num_dets is a tensor\(string\)"):
        OnnxRuntime(written(model, tmp_path))


def test_a_model_that_cannot_run_is_one_clear_error(tmp_path: Path) -> None:
    model = constant_model()
    column = next(tensor for tensor in model.graph.initializer if tensor.name == "column")
    column.CopyFrom(numpy_helper.from_array(np.array([7, 1], np.int64), "column"))
    with pytest.raises(DataError, match=r"m\.onnx: cannot be run \(.*\), export it again"):
        OnnxRuntime(written(model, tmp_path)).run(np.zeros((1, 3, 32, 32), np.uint8))


def test_sessions_leave_cores_and_memory_to_others() -> None:
    """Threads rest as soon as a batch is done, for photos are decoded there; no shape of a batch keeps memory."""
    assert not session_options().enable_mem_pattern
    assert session_options().get_session_config_entry("session.force_spinning_stop") == "1"


def test_a_device_that_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="--device tpu: ONNX Runtime does not have it here"):
        OnnxRuntime(written(constant_model(), tmp_path), device="tpu")


def test_detection_with_onnx_never_imports_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import numpy as np; from pathlib import Path;"
        "from focalcli.inference.open import open_runtime; from focalcli.inference.detector import Detector;"
        "from focalcli.inference.records import Record, encode_record;"
        "[found] = Detector(open_runtime(Path(sys.argv[1]))).detect([np.full((64, 64, 3), 255, np.uint8)]);"
        "print(len(found))"
    )
    words = [sys.executable, "-c", code, str(written(constant_model(), tmp_path))]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "1\n"


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_openvino_gives_the_same_answer(kind: int, layout: str, tmp_path: Path) -> None:
    """The extra `openvino`, by the same protocol: any batch, any size, both inputs and layouts."""
    pytest.importorskip("openvino", reason="needs the extra: pip install 'focalcli[openvino]'")
    path = written(constant_model(kind=kind, layout=layout), tmp_path)
    runtimes = [OnnxRuntime(path, device=device, precision="fp32") for device in ("cpu", "openvino")]
    assert runtimes[1].config == CONFIG
    for shape in ((2, 32, 64, 3), (1, 64, 32, 3), (2, 32, 64, 3)):
        images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8).transpose(0, 3, 1, 2)
        ours, theirs = (runtime.run(images) for runtime in runtimes)
        np.testing.assert_allclose(theirs.scores, ours.scores, atol=1e-6)
        for name in ("boxes", "classes", "counts"):
            np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))


def test_without_openvino_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(Unavailable, match=r"focalcli\[openvino\]"):
        OnnxRuntime(written(constant_model(), tmp_path), device="openvino")
