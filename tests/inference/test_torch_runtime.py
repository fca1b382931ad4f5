import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from focalcli.checkpoint import save_model
from focalcli.config import AnchorConfig, ClassInfo, FitConfig, ModelConfig, PostprocessConfig
from focalcli.detection.fixed import FixedConv2d, fix
from focalcli.detection.frozen_norm import FoldedConv2d, fold_frozen_norms
from focalcli.detection.retinanet import RetinaNet, build_retinanet
from focalcli.errors import DataError, InputNotFound
from focalcli.inference.detections import RawDetections
from focalcli.inference.detector import Detector
from focalcli.inference.merge import hard_nms
from focalcli.inference.open import open_runtime
from focalcli.inference.options import SelectionConfig
from focalcli.inference.torch_runtime import TorchRuntime

CONFIG = ModelConfig(
    classes=(ClassInfo("a", 1), ClassInfo("b", 5)),
    backbone="tf_efficientnet_lite0",
    pyramid_channels=16,
    head_channels=16,
    head_convs=1,
    anchors=AnchorConfig(sizes=(16.0, 32.0, 64.0, 128.0, 256.0)),
    fit=FitConfig(min_size=64, max_size=96),
    postprocess=PostprocessConfig(score_threshold=0.0, max_detections=20),
)


@pytest.fixture(scope="module")
def model() -> RetinaNet:
    torch.manual_seed(0)
    model = build_retinanet(CONFIG)
    for head in (model.head["classification_head"].cls_logits, model.head["regression_head"].bbox_reg):
        torch.nn.init.normal_(head.weight, std=0.5)
    return model.eval()


def photos(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (64 + 8 * (i % 3), 80, 3)).astype(np.uint8) for i in range(count)]


def assert_same(one: RawDetections, other: RawDetections) -> None:
    for name in ("boxes", "scores", "classes", "counts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_detections_are_padded_descending_and_inside(model: RetinaNet) -> None:
    found = TorchRuntime(model).run(np.zeros((2, 3, 64, 96), np.uint8))
    assert found.boxes.shape == (2, 20, 4) and found.boxes.dtype == np.float32
    assert found.counts.dtype == found.classes.dtype == np.int64
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert (found.boxes >= 0).all() and (found.boxes <= [96, 64, 96, 64]).all()


def test_nothing_above_the_threshold_is_nothing(model: RetinaNet) -> None:
    post = PostprocessConfig(score_threshold=1.0)
    runtime = TorchRuntime(model)
    runtime.config = ModelConfig(classes=CONFIG.classes, fit=CONFIG.fit, postprocess=post)
    assert runtime.run(np.zeros((1, 3, 64, 96), np.uint8)).counts.tolist() == [0]


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_memory_order_of_the_batch_changes_nothing(model: RetinaNet, precision: str) -> None:
    runtime = TorchRuntime(model, precision=precision)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3)).astype(np.uint8).transpose(0, 3, 1, 2)
    assert_same(runtime.run(images), runtime.run(np.ascontiguousarray(images)))


def test_batches_give_what_singles_give(model: RetinaNet) -> None:
    runtime = TorchRuntime(model, device="cpu")
    singles = list(Detector(runtime, batch=1).detect(photos(7)))
    for one, other in zip(singles, Detector(runtime, batch=4).detect(photos(7)), strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


@pytest.mark.parametrize(("iou", "limit"), [(0.2, 20), (0.7, 100)])
def test_iou_and_number_reach_the_network(model: RetinaNet, iou: float, limit: int) -> None:
    """NMS inside the runtime gives what ours gives of all its candidates, so nothing was left out before."""
    calm = copy.deepcopy(model)  # its boxes keep an area when they are clipped
    torch.nn.init.normal_(calm.head["regression_head"].bbox_reg.weight, std=0.02)
    runtime = TorchRuntime(calm, device="cpu", precision="fp32")
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    [found] = Detector(runtime, selection=SelectionConfig(iou=iou, max_dets=limit)).detect([image])
    [all_of_them] = Detector(runtime, selection=SelectionConfig(iou=1, max_dets=100_000)).detect([image])
    rows = hard_nms(all_of_them.boxes, all_of_them.scores, all_of_them.classes, iou)[:limit]
    assert len(found) == min(limit, len(rows)) > 5
    np.testing.assert_array_equal(found.boxes, all_of_them.boxes[rows])
    np.testing.assert_array_equal(found.scores, all_of_them.scores[rows])


def test_a_checkpoint_is_opened_by_its_content(model: RetinaNet, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"  # the name says nothing
    save_model(path, model.state_dict(), CONFIG)
    runtime = open_runtime(path, device="cpu", precision="fp32")
    assert runtime.config == CONFIG
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 96)).astype(np.uint8)
    fixed = copy.deepcopy(model)
    fix(fixed, torch.float32)
    assert_same(runtime.run(images), TorchRuntime(fixed, device="cpu", precision="fp32").run(images))


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "neither a focalcli checkpoint nor an ONNX model"),
        (b"hello, this is text", "neither a focalcli checkpoint nor an ONNX model"),
        (b"PK\x03\x04" + b"\0" * 20, "a pickled PyTorch file, which can run code when it is read"),
        (b"\x10\0\0\0\0\0\0\0{}              ", "not a focalcli model"),
        (b"\xff\xff\0\0\0\0\0\0{", "not a safetensors file"),
    ],
)
def test_what_is_not_a_model_is_refused(content: bytes, fact: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"m\.safetensors: ") as caught:
        open_runtime(path)
    assert fact in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_model_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="no such model file"):
        open_runtime(tmp_path / "none.safetensors")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_fixed_network_answers_the_same(model: RetinaNet, dtype: torch.dtype) -> None:
    """Norms folded for good, weights cast beforehand, activations in place: in bfloat16 no bit of any level moves.

    In float32 oneDNN may choose another kernel for the numbers it has packed, and sum in another order.
    """
    fixed = copy.deepcopy(model)
    fix(fixed, dtype)
    assert not any(isinstance(part, FoldedConv2d) for part in fixed.modules())
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 64, 96)).astype(np.uint8))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        before, after, again = model(images), fixed(images), fixed(images)
    for one, other, third in zip(*(out.logits + out.deltas for out in (before, after, again)), strict=True):
        assert torch.equal(other, third)
        exact = dtype == torch.bfloat16
        torch.testing.assert_close(other, one, rtol=0, atol=0 if exact else 1e-4)


@pytest.mark.parametrize("photos_at_once", [1, 2, 3])
def test_a_fixed_network_in_float32_answers_alike_however_photos_meet(model: RetinaNet, photos_at_once: int) -> None:
    """Not a bit of a photo's answer depends on the photos beside it, or on the size of those seen before."""
    fixed = copy.deepcopy(model)
    fix(fixed, torch.float32)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 64, 96)).astype(np.uint8))
    with torch.inference_mode():
        whole = fixed(images)
        fixed(images[:, :, :32, :32])
        part = fixed(images[:photos_at_once])
    for one, other in zip(whole.logits + whole.deltas, part.logits + part.deltas, strict=True):
        assert torch.equal(one[:photos_at_once], other)


@pytest.mark.parametrize("size", [(64, 96), (33, 65), (31, 32), (7, 5), (1, 2)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_padding_that_goes_into_the_kernel_changes_nothing(size: tuple[int, int], kernel: int) -> None:
    """TensorFlow's SAME at stride 2, for even and odd sides: as padded apart."""
    torch.manual_seed(0)
    parts = nn.Sequential(Conv2dSame(8, 8, kernel, stride=2, groups=8, bias=False), nn.BatchNorm2d(8).eval())
    fold_frozen_norms(parts)
    conv = parts[0]
    assert isinstance(conv, FoldedConv2d) and conv.same_padding
    weight, bias = conv.folded()
    fixed = FixedConv2d(conv, conv.activation, weight=weight.detach(), bias=bias)
    x = torch.randn(2, 8, *size).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(fixed(x), conv(x).detach(), rtol=0, atol=1e-6)
