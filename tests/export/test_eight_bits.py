"""The search for an 8-bit form: the calibration with the best AP, layers left out where they matter, and the limit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from focalcli.dataset.types import Dataset
from focalcli.errors import DataError, GateFailed
from focalcli.export import eight_bits
from focalcli.export.accuracy import average_precision, file_predictions, torch_predictions
from focalcli.export.agreement import LIMITS
from focalcli.export.certificate import certificate_path
from focalcli.export.eight_bits import Search
from focalcli.export.options import ExportOptions, Precision
from focalcli.export.quantize import METHODS, Batch, convolutions, find_ranges
from focalcli.export.session import FileSession
from focalcli.export.verify import verify
from focalcli.export.write import Proof, limits_for, write_onnx
from focalcli.inference.eight_bit_sums import weight_bits_here
from focalcli.inference.onnx_runtime import OPTIONS_KEY, OVERFLOW
from focalcli.inference.open import open_runtime
from tests.export.small import PHOTOS, contents, photos

LAST = "net.head.classification_head.cls_logits"
INT8 = ExportOptions(precision="int8", weight_bits=weight_bits_here())


def quiet(line: str) -> None:
    """Say nothing."""


@pytest.fixture
def minmax_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the other two methods do not matter: they take most of the time."""
    monkeypatch.setattr(eight_bits, "METHODS", {"minmax": METHODS["minmax"]})


@pytest.mark.parametrize("misled", ["minmax", "percentile"])
def test_the_calibration_with_the_best_ap_is_taken(
    traced, annotated: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, misled: str
) -> None:
    """One method sees a black photo instead of the real ones: its ranges are too narrow, and the other one is taken."""

    def ranges(model: onnx.ModelProto, batches: object, method: str) -> object:
        black: list[Batch] = [np.zeros((1, 3, 128, 160), np.uint8)]
        return find_ranges(model, (lambda: iter(black)) if method == misled else batches, method)

    monkeypatch.setattr(eight_bits, "METHODS", {name: METHODS[name] for name in ("minmax", "percentile")})
    monkeypatch.setattr(eight_bits, "find_ranges", ranges)
    search = Search(FileSession(traced.file(INT8), traced.config, INT8), annotated, tmp_path / "x.onnx", quiet)
    file, found = search.run(torch_predictions(traced.model, annotated), 0.15, tmp_path / "x.onnx")
    assert found.method != misled and found.tried[misled] < 0.5 < 0.85 <= found.tried[found.method]
    (tmp_path / "taken.onnx").write_bytes(file.SerializeToString())
    ap = average_precision(annotated, file_predictions(tmp_path / "taken.onnx", annotated))
    assert ap == pytest.approx(found.tried[found.method], abs=1e-6)


@pytest.fixture
def dead_class(traced) -> Iterator[None]:
    """A class that never occurs: logits of -4000, so that one range for all classes has steps of 16."""
    bias = traced.model.head["classification_head"].cls_logits.bias.data
    [stored] = [item for item in traced.network.graph.initializer if item.name == f"{LAST}.bias"]
    before, bytes_before = bias.clone(), stored.SerializeToString()
    bias[2::3] = -4000
    stored.CopyFrom(numpy_helper.from_array(bias.numpy().copy(), stored.name))
    yield
    bias.copy_(before)
    stored.ParseFromString(bytes_before)


def test_a_layer_that_8_bits_would_ruin_stays_in_float32(
    traced, dead_class: None, minmax_only: None, tmp_path: Path
) -> None:
    dataset = photos(traced.model, traced.config, tmp_path)
    search = Search(FileSession(traced.file(INT8), traced.config, INT8), dataset, tmp_path / "x.onnx", quiet)
    torch = torch_predictions(traced.model, dataset)
    _, found = search.run(torch, 1.0, tmp_path / "x.onnx")
    assert found.tried["minmax"] < 0.5 and found.kept_float == []
    file, found = search.run(torch, 0.15, tmp_path / "x.onnx")
    assert found.kept_float == [f"{LAST}.weight"]
    assert sum(node.op_type == "QuantizeLinear" for node in file.graph.node) > 20


def test_an_8_bit_file_comes_with_its_ap_and_its_own_answers(
    traced, traced_once: object, annotated: Dataset, minmax_only: None, tmp_path: Path
) -> None:
    target = tmp_path / "small.onnx"
    proof = Proof(limits_for(INT8), max_drop=0.15, resamples=20)
    certificate = write_onnx(traced.model, target, INT8, proof, calibration=annotated)
    assert certificate.answers_of == "the file" and certificate.limits == LIMITS["int8"]
    assert certificate.quantization is not None and certificate.quantization.photos == PHOTOS
    assert certificate.accuracy is not None and certificate.accuracy.torch_ap == pytest.approx(1.0)
    assert -0.15 <= certificate.accuracy.difference < 0
    assert [check.name for check in verify(target) if not check.holds] == []
    assert target.stat().st_size < 0.7 * len(traced.file(ExportOptions()).SerializeToString())


def test_an_8_bit_file_that_loses_too_much_never_appears(
    traced, traced_once: object, annotated: Dataset, minmax_only: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the layers in float32 are not enough: exit 1, and what was there before is untouched."""
    monkeypatch.setattr(Search, "_by_disturbance", lambda search, ranges: list(convolutions(search._prepared)))
    target = tmp_path / "small.onnx"
    target.write_bytes(b"old")
    certificate_path(target).write_bytes(b"old, too")
    before = contents(tmp_path)
    said: list[str] = []
    with pytest.raises(GateFailed, match=r"in 8 bits its AP is 0\.\d+ below torch's, with 16 layers in float32"):
        proof = Proof(limits_for(INT8), max_drop=0.0)
        write_onnx(traced.model, target, INT8, proof, calibration=annotated, say=said.append)
    assert contents(tmp_path) == before
    tried = [line.partition("minmax, ")[2].partition(" in float32")[0] for line in said[2:]]
    assert tried == ["1 layer", "2 layers", "4 layers", "8 layers", "16 layers"]


def test_what_comes_before_8_bits_is_held_to_float32s_limits(
    traced, annotated: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anchors of P4 a pixel too far apart would be within the limits of 8 bits."""
    monkeypatch.setattr("focalcli.export.after.STRIDES", (8, 17, 32, 64, 128))
    monkeypatch.setattr("focalcli.export.write.build_onnx", lambda model, options: traced.file(options))
    with pytest.raises(GateFailed, match=r"within 0\.05 px and 0\.0001 of score"):
        write_onnx(traced.model, tmp_path / "x.onnx", INT8, Proof(limits_for(INT8)), calibration=annotated)
    assert contents(tmp_path) == {}


def test_photos_without_objects_cannot_calibrate(traced, annotated: Dataset, tmp_path: Path) -> None:
    empty = annotated.take_images(np.zeros(0, np.int64))
    with pytest.raises(DataError, match="no object is annotated, give --calibrate annotated photos"):
        Search(FileSession(traced.file(INT8), traced.config, INT8), empty, tmp_path / "x.onnx", quiet)


def test_weights_of_7_bits_stay_within_64(traced, annotated: Dataset, minmax_only: None, tmp_path: Path) -> None:
    """255 * 64 * 2 fits in 16 bits. Both forms say which they are."""
    largest = {}
    for bits in (7, 8):
        options = ExportOptions(precision="int8", weight_bits=bits)
        search = Search(
            FileSession(traced.file(options), traced.config, options), annotated, tmp_path / "x.onnx", quiet
        )
        file, _ = search.run(torch_predictions(traced.model, annotated), 1.0, tmp_path / "x.onnx")
        kinds = [numpy_helper.to_array(item) for item in file.graph.initializer if item.data_type == TensorProto.INT8]
        largest[bits] = max(int(np.abs(numbers.astype(int)).max()) for numbers in kinds if numbers.ndim == 4)
        [stored] = [entry.value for entry in file.metadata_props if entry.key == OPTIONS_KEY]
        assert f'"weight_bits":{bits}' in stored
    assert largest[7] <= 64 and largest[8] == 127


@pytest.mark.parametrize("overflow", [True, False])
@pytest.mark.parametrize(("precision", "bits"), [("int8", 8), ("int8", 7), ("fp32", 8)])
def test_8_bit_weights_are_doubted_where_sums_overflow(
    traced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: Precision, bits: Literal[7, 8], overflow: bool
) -> None:
    monkeypatch.setattr("focalcli.inference.onnx_runtime.sums_overflow", lambda: overflow)
    path, said = tmp_path / "model.onnx", list[str]()
    path.write_bytes(traced.file(ExportOptions(precision=precision, weight_bits=bits)).SerializeToString())
    open_runtime(path, device="cpu", say=said.append)
    doubted = overflow and precision == "int8" and bits == 8
    assert said == ([f"{path}: {OVERFLOW}"] if doubted else [])
