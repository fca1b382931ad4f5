"""Imported models answer as their own programs do: torchvision itself, and Detectron2's conventions computed anew."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import retinanet_resnet50_fpn, retinanet_resnet50_fpn_v2

from focalcli.checkpoint import load_model
from focalcli.detection.boxes import decode
from focalcli.detection.retinanet import build_retinanet
from focalcli.errors import DataError, InputNotFound
from focalcli.export import detectron2_weights
from focalcli.export.coco_names import COCO_NAMES
from focalcli.export.foreign import import_file, named, read_tensors

CLAMP = math.log(1000 / 16)  # Box2BoxTransform's scale_clamp
NAMES = ["cat", "dog", "bird"]


@pytest.mark.parametrize(("build", "version"), [(retinanet_resnet50_fpn, "v1"), (retinanet_resnet50_fpn_v2, "v2")])
@torch.inference_mode()
def test_torchvisions_state_dict_gives_its_outputs(build, version: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = build(weights=None, weights_backbone=None, num_classes=3).eval()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    found = import_file(tmp_path / "theirs.pth", tmp_path / "ours.safetensors", named(NAMES))
    assert found.origin == f"torchvision RetinaNet {version}" and found.left == ()
    ours = load_model(tmp_path / "ours.safetensors")
    images = torch.rand(1, 3, 64, 96)
    mean, std = torch.tensor(theirs.transform.image_mean), torch.tensor(theirs.transform.image_std)
    features = theirs.backbone((images - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))
    expected = theirs.head(list(features.values()))
    actual = ours(images * 255)
    torch.testing.assert_close(torch.cat(actual.logits, 1), expected["cls_logits"], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(torch.cat(actual.deltas, 1), expected["bbox_regression"], atol=1e-4, rtol=1e-4)


def test_91_outputs_without_names_are_cocos_and_unused_ids_are_left_out(tmp_path: Path) -> None:
    theirs = retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=91)
    theirs.head.classification_head.cls_logits.bias.data = torch.arange(91.0).repeat(9)
    torch.save({"model": theirs.state_dict()}, tmp_path / "coco.pth")
    found = import_file(tmp_path / "coco.pth", tmp_path / "ours.safetensors", None)
    assert [c.id for c in found.config.classes][:12] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]
    assert found.config.classes[-1].name == "toothbrush" and found.config.classes[-1].id == 90
    bias = found.state["head.classification_head.cls_logits.bias"].view(9, 80)
    assert bias[4].tolist() == [float(number) for number in COCO_NAMES]


def detectron2_state(generator: torch.Generator, num_classes: int) -> dict[str, Tensor]:
    """Random weights under Detectron2's names, as ResNet-50 and FPN have them."""
    state: dict[str, Tensor] = {}

    def conv(name: str, out: int, into: int, size: int, *, bias: bool = False, norm: bool = False) -> None:
        state[f"{name}.weight"] = torch.randn(out, into, size, size, generator=generator) / (into * size * size) ** 0.5
        if bias:
            state[f"{name}.bias"] = torch.randn(out, generator=generator) * 0.1
        if norm:
            for part, low, high in (
                ("weight", 0.5, 1),
                ("bias", -1, 1),
                ("running_mean", -1, 1),
                ("running_var", 0.5, 2),
            ):
                values = torch.empty(out).uniform_(low, high, generator=generator)
                state[f"{name}.norm.{part}"] = values

    conv("backbone.bottom_up.stem.conv1", 64, 3, 7, norm=True)
    into = 64
    for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3)):
        width, out = 64 * 2 ** (stage - 2), 256 * 2 ** (stage - 2)
        for block in range(blocks):
            name = f"backbone.bottom_up.res{stage}.{block}"
            if block == 0:
                conv(f"{name}.shortcut", out, into, 1, norm=True)
            conv(f"{name}.conv1", width, into, 1, norm=True)
            conv(f"{name}.conv2", width, width, 3, norm=True)
            conv(f"{name}.conv3", out, width, 1, norm=True)
            into = out
    for level, channels in ((3, 512), (4, 1024), (5, 2048)):
        conv(f"backbone.fpn_lateral{level}", 256, channels, 1, bias=True)
        conv(f"backbone.fpn_output{level}", 256, 256, 3, bias=True)
    conv("backbone.top_block.p6", 256, 2048, 3, bias=True)
    conv("backbone.top_block.p7", 256, 256, 3, bias=True)
    for i in (0, 2, 4, 6):
        conv(f"head.cls_subnet.{i}", 256, 256, 3, bias=True)
        conv(f"head.bbox_subnet.{i}", 256, 256, 3, bias=True)
    conv("head.cls_score", 9 * num_classes, 256, 3, bias=True)
    conv("head.bbox_pred", 9 * 4, 256, 3, bias=True)
    return state


def detectron2_answer(state: dict[str, Tensor], bgr: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Boxes (R, 4) and logits (R, C) of one BGR image (3, H, W) in 0..255, by Detectron2's own conventions."""

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        x = F.conv2d(x, weight, state.get(f"{name}.bias"), stride, weight.shape[-1] // 2)
        if f"{name}.norm.weight" not in state:
            return x
        w, b, m, v = (state[f"{name}.norm.{p}"] for p in ("weight", "bias", "running_mean", "running_var"))
        return F.batch_norm(x, m, v, w, b, training=False, eps=1e-5)

    x = (bgr - torch.tensor([103.530, 116.280, 123.675]).view(3, 1, 1))[None]
    x = F.max_pool2d(F.relu(conv("backbone.bottom_up.stem.conv1", x, 2)), 3, 2, 1)
    features = {}
    for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3)):
        for block in range(blocks):
            name = f"backbone.bottom_up.res{stage}.{block}"
            stride = 2 if block == 0 and stage > 2 else 1
            y = F.relu(conv(f"{name}.conv1", x, stride))  # STRIDE_IN_1X1
            y = conv(f"{name}.conv3", F.relu(conv(f"{name}.conv2", y)))
            x = F.relu(y + (conv(f"{name}.shortcut", x, stride) if block == 0 else x))
        features[stage] = x
    tops = {5: conv("backbone.fpn_lateral5", features[5])}
    for level in (4, 3):
        lateral = conv(f"backbone.fpn_lateral{level}", features[level])
        tops[level] = lateral + F.interpolate(tops[level + 1], scale_factor=2, mode="nearest")
    levels = [conv(f"backbone.fpn_output{level}", tops[level]) for level in (3, 4, 5)]
    levels.append(conv("backbone.top_block.p6", features[5], 2))
    levels.append(conv("backbone.top_block.p7", F.relu(levels[-1]), 2))
    boxes, logits = [], []
    for i, level in enumerate(levels):
        stride, size = 8 * 2**i, 32 * 2**i
        outputs = []
        for head, last in (("cls_subnet", "cls_score"), ("bbox_subnet", "bbox_pred")):
            y = level
            for j in (0, 2, 4, 6):
                y = F.relu(conv(f"head.{head}.{j}", y))
            outputs.append(conv(f"head.{last}", y)[0])
        rows, columns = level.shape[2:]
        for row in range(rows):
            for column in range(columns):
                for a, (octave, ratio) in enumerate((o, r) for o in (0, 1, 2) for r in (0.5, 1.0, 2.0)):
                    side = size * 2 ** (octave / 3)
                    width, height = side / ratio**0.5, side * ratio**0.5
                    dx, dy, dw, dh = outputs[1][4 * a : 4 * a + 4, row, column].tolist()
                    cx, cy = column * stride + dx * width, row * stride + dy * height
                    w, h = width * math.exp(min(dw, CLAMP)), height * math.exp(min(dh, CLAMP))
                    boxes.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
                    logits.append(outputs[0][num_classes * a : num_classes * (a + 1), row, column])
    return torch.tensor(boxes), torch.stack(logits)


@torch.inference_mode()
def test_detectron2s_conventions_are_kept(tmp_path: Path) -> None:
    """The same anchors in another order, so both are compared per cell after ours went back to theirs."""
    generator = torch.Generator().manual_seed(0)
    state = detectron2_state(generator, 3)
    state["pixel_mean"] = torch.tensor([103.530, 116.280, 123.675]).view(3, 1, 1)
    state["pixel_std"] = torch.ones(3, 1, 1)
    state["head.bbox_pred.weight"] *= 0.05
    state["head.something.new"] = torch.zeros(1)
    torch.save({"model": state, "iteration": 90000}, tmp_path / "d2.pth")
    found = import_file(tmp_path / "d2.pth", tmp_path / "ours.safetensors", named(NAMES))
    assert found.origin == "Detectron2 RetinaNet R50" and found.left == ("head.something.new",)
    ours = load_model(tmp_path / "ours.safetensors")
    rgb = torch.randint(0, 256, (3, 64, 128), generator=generator).float()
    boxes, logits = detectron2_answer(state, rgb.flip(0), 3)
    outputs = ours(rgb[None])
    anchors = ours.anchors((64, 128), torch.device("cpu"))
    our_boxes = decode(torch.cat(outputs.deltas, 1)[0], torch.cat(anchors))
    to_theirs = [ratio * 3 + size for size in range(3) for ratio in range(3)]
    our_boxes = our_boxes.view(-1, 9, 4)[:, to_theirs].reshape(-1, 4)
    our_logits = torch.cat(outputs.logits, 1)[0].view(-1, 9, 3)[:, to_theirs].reshape(-1, 3)
    torch.testing.assert_close(our_logits, logits, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(our_boxes, boxes, atol=2e-2, rtol=1e-4)


def test_every_name_of_a_detectron2_resnet_101_has_its_place() -> None:
    """It is a ResNet-50 with 23 blocks in res4 instead of 6."""
    state = detectron2_state(torch.Generator().manual_seed(0), 3)
    last = {name: tensor for name, tensor in state.items() if ".res4.5." in name}
    for block in range(6, 23):
        state |= {name.replace(".res4.5.", f".res4.{block}."): tensor for name, tensor in last.items()}
    config, converted, origin = detectron2_weights.convert(state, named(NAMES), "file")
    with torch.device("meta"):
        own = build_retinanet(config).state_dict()
    assert origin == "Detectron2 RetinaNet R101"
    assert {name: tensor.shape for name, tensor in converted.items()} == {n: tensor.shape for n, tensor in own.items()}


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run!",)


def test_what_is_not_a_retinanet_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "ours.safetensors"
    with pytest.raises(InputNotFound, match="no such file"):
        import_file(tmp_path / "none.pth", target, None)
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(DataError, match="not a file of tensors only"):
        import_file(tmp_path / "text.pth", target, None)
    torch.save({"model": Payload()}, tmp_path / "hostile.pth")
    with pytest.raises(DataError, match="nothing in it was run"):
        read_tensors(tmp_path / "hostile.pth")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(DataError, match="neither torchvision's nor Detectron2's"):
        import_file(tmp_path / "linear.pth", target, None)
    state = retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3).state_dict()
    torch.save(state, tmp_path / "three.pth")
    with pytest.raises(DataError, match="gives 3 classes, but no names are known, name them"):
        import_file(tmp_path / "three.pth", target, None)
    del state["backbone.fpn.inner_blocks.0.0.weight"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(DataError, match=r"lacks backbone.fpn.inner_blocks.0.0.weight and 0 more"):
        import_file(tmp_path / "part.pth", target, named(NAMES))
    assert not target.exists() and "run!" not in capsys.readouterr().out
