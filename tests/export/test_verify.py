"""`verify` says yes to what was exported, and catches every silent change that was tried on it."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from focalcli.config import decode_config, encode_config
from focalcli.errors import DataError, InputNotFound
from focalcli.export.certificate import certificate_path, encode, read_certificate, sha256
from focalcli.export.options import ExportOptions
from focalcli.export.verify import verify
from focalcli.export.write import Proof, limits_for, write_onnx
from tests.export.small import shift_boxes


@pytest.fixture
def exported(traced, traced_once: object, tmp_path: Path) -> Path:
    target = tmp_path / "small.onnx"
    options = ExportOptions()
    traced.model.config = traced.config
    write_onnx(traced.model, target, options, Proof(limits_for(options)))
    return target


def failed(path: Path) -> set[str]:
    return {check.name for check in verify(path) if not check.holds}


def mutate(path: Path, change: Callable[[onnx.ModelProto], None]) -> set[str]:
    """Change the file and give it the right hash again: only the answers can tell. Returns the failing checks."""
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    place = certificate_path(path)
    place.write_bytes(encode(msgspec.structs.replace(read_certificate(place), sha256=sha256(path.read_bytes()))))
    return failed(path)


def initializer(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    [found] = [item for item in model.graph.initializer if item.name == name]
    return found


def test_what_was_exported_holds(exported: Path) -> None:
    checks = verify(exported)
    assert [check.name for check in checks if not check.holds] == []
    assert [check.name for check in checks][:3] == ["hash", "structure", "metadata"]
    assert len(checks) == 3 + 6 + 3 + 1
    assert sorted(path.name for path in exported.parent.iterdir()) == ["small.onnx", "small.onnx.json"]


def test_the_certificate_binds_file_numbers_and_environment(exported: Path) -> None:
    certificate = read_certificate(certificate_path(exported))
    assert certificate.sha256 == sha256(exported.read_bytes()) and certificate.bytes == exported.stat().st_size
    assert certificate.answers_of == "torch" and certificate.agreement.alone == 0
    assert set(certificate.environment) >= {"focalcli", "torch", "onnx", "onnxruntime", "python", "machine"}
    assert b"/work" not in certificate_path(exported).read_bytes()


def test_swapped_channels_are_caught(exported: Path) -> None:
    def swap(model: onnx.ModelProto) -> None:
        weights = next(node.input[1] for node in model.graph.node if node.op_type == "Conv")
        stem = initializer(model, weights)
        stem.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(stem)[:, ::-1].copy(), stem.name))

    assert mutate(exported, swap) >= {"one image 256x192", "three images 256x192", "photo 320x240"}


def test_a_box_decode_shifted_by_a_pixel_is_caught(exported: Path) -> None:
    assert mutate(exported, shift_boxes) >= {"one image 256x192", "more than fit 160x288", "photo 500x333"}


def test_a_wrong_mean_is_caught(exported: Path) -> None:
    def move(model: onnx.ModelProto) -> None:
        sub = next(node for node in model.graph.node if node.name.startswith("before/Sub"))
        mean = initializer(model, sub.input[1])
        mean.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(mean) + np.float32(2), mean.name))

    assert mutate(exported, move) >= {"one image 256x192", "photo 320x240"}


def test_another_resize_is_caught(exported: Path) -> None:
    """Fit's sides stand in the metadata and are used by whoever resizes: both the text and the answers tell."""

    def shrink(model: onnx.ModelProto) -> None:
        [entry] = [entry for entry in model.metadata_props if entry.key == "focalcli.config"]
        config = decode_config(entry.value, "file")
        fit = msgspec.structs.replace(config.fit, min_size=96)
        entry.value = encode_config(msgspec.structs.replace(config, fit=fit))

    assert "metadata" in mutate(exported, shrink)


def test_another_resize_inside_the_file_is_caught(traced, traced_once: object, tmp_path: Path) -> None:
    options, target = ExportOptions(resize_inside=True), tmp_path / "inside.onnx"
    traced.model.config = traced.config
    write_onnx(traced.model, target, options, Proof(limits_for(options)))
    assert failed(target) == set()

    def nearest(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.name.startswith("before/Resize"))
        del node.attribute[:]
        node.attribute.append(onnx.helper.make_attribute("mode", "nearest"))

    assert len(mutate(target, nearest)) >= 3


def test_another_upsampling_in_the_pyramid_is_caught(exported: Path) -> None:
    def linear(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            if node.op_type == "Resize":
                [mode] = [a for a in node.attribute if a.name == "mode"]
                mode.s = b"linear"

    assert "one image 256x192" in mutate(exported, linear)


def test_a_lower_threshold_is_caught(exported: Path) -> None:
    def lower(model: onnx.ModelProto) -> None:
        threshold = initializer(model, "score_threshold")
        threshold.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(threshold) / 50, threshold.name))

    assert "another shape 160x288" in mutate(exported, lower)


def test_one_changed_byte_breaks_the_hash(exported: Path) -> None:
    model = onnx.load(exported)
    model.doc_string = "x"
    exported.write_bytes(model.SerializeToString())
    assert failed(exported) == {"hash"}


def test_a_file_that_cannot_run_fails_its_trials(exported: Path) -> None:
    def break_it(model: onnx.ModelProto) -> None:
        next(node for node in model.graph.node if node.op_type == "TopK").op_type = "NoSuchOperator"

    assert mutate(exported, break_it) >= {"structure", "one image 256x192"}


def test_bad_input_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(InputNotFound, match="no certificate"):
        verify(path)
    certificate_path(path).write_text("{}")
    with pytest.raises(DataError, match="not a certificate"):
        verify(path)
