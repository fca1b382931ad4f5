"""Detectron2's RetinaNet with ResNet-50 or -101 and FPN, as `COCO-Detection/retinanet_R_*_FPN` builds it.

Its conventions, from its source (modeling/meta_arch/retinanet.py, anchor_generator.py, backbone/resnet.py, 2026-06),
and what becomes of each here:

- BGR input, mean 103.53, 116.28, 123.675 and std 1 (R-50 and R-101 of MSRA): the first convolution's inputs are turned.
- Bottlenecks stride in their 1 x 1 convolution (STRIDE_IN_1X1): `backbone_stride_in_1x1`.
- Anchors of a cell: sizes outermost, ratios innermost, ours the other way round: the last layers' rows are reordered.
- Anchor centres at index * stride (ANCHOR_GENERATOR.OFFSET 0), ours half a stride on: a constant part of each anchor's
  width, as stride / size is 1/4 on every level; it moves into the bias of the box deltas.
- P6 from C5, frozen batch norm with eps 1e-5, box weights (1, 1, 1, 1), sizes clamped at log(1000/16): the same here.
"""

import re

import numpy as np
import torch
from torch import Tensor

from focalcli.config import AnchorConfig, ClassInfo, ModelConfig, model_config
from focalcli.errors import DataError
from focalcli.export.coco_names import coco_classes
from focalcli.export.shapes import tensor

State = dict[str, Tensor]

_SCALES, _RATIOS = 3, 3
_STRIDE_OVER_SIZE = 8 / 32
_BGR_MEAN = (103.530, 116.280, 123.675)

# Their name -> ours, as patterns; the first that matches counts.
_RENAMES = [
    (r"backbone\.bottom_up\.stem\.conv1\.norm\.", "backbone.body.bn1."),
    (r"backbone\.bottom_up\.stem\.conv1\.", "backbone.body.conv1."),
    (r"backbone\.bottom_up\.res(\d)\.(\d+)\.shortcut\.norm\.", r"backbone.body.layer{0}.\2.downsample.1."),
    (r"backbone\.bottom_up\.res(\d)\.(\d+)\.shortcut\.", r"backbone.body.layer{0}.\2.downsample.0."),
    (r"backbone\.bottom_up\.res(\d)\.(\d+)\.conv(\d)\.norm\.", r"backbone.body.layer{0}.\2.bn\3."),
    (r"backbone\.bottom_up\.res(\d)\.(\d+)\.conv(\d)\.", r"backbone.body.layer{0}.\2.conv\3."),
    (r"backbone\.fpn_lateral(\d)\.", "backbone.fpn.inner_blocks.{2}.0."),
    (r"backbone\.fpn_output(\d)\.", "backbone.fpn.layer_blocks.{2}.0."),
    (r"backbone\.top_block\.", "backbone.fpn.extra_blocks."),
    (r"head\.cls_subnet\.(\d)\.", "head.classification_head.conv.{half}.0."),
    (r"head\.bbox_subnet\.(\d)\.", "head.regression_head.conv.{half}.0."),
    (r"head\.cls_score\.", "head.classification_head.cls_logits."),
    (r"head\.bbox_pred\.", "head.regression_head.bbox_reg."),
]
_SETTINGS = ("pixel_mean", "pixel_std", "anchor_generator.")


def convert(state: State, classes: tuple[ClassInfo, ...] | None, place: str) -> tuple[ModelConfig, State, str]:
    """Give configuration and weights; 80 outputs without names are COCO's.

    Raises:
        DataError: a part is missing, the number of classes does not fit, or the anchors are others.
    """
    cells = _SCALES * _RATIOS
    rows = len(tensor(state, "head.cls_score.bias", (None,), place))
    tensor(state, "head.bbox_pred.bias", (4 * cells,), place)
    for name, first in (("cls_score", rows), ("bbox_pred", 4 * cells)):
        tensor(state, f"head.{name}.weight", (first, None, None, None), place)
    tensor(state, "backbone.bottom_up.stem.conv1.weight", (None, 3, None, None), place)
    outputs, rest = divmod(rows, cells)
    if rest:
        raise DataError(
            place, f"has {rows} outputs a cell, which nine anchors do not share", "other anchors cannot be imported"
        )
    if classes is None and outputs == 80:
        classes = coco_classes()
    if classes is None or len(classes) != outputs:
        fact = f"gives {outputs} classes, but {len(classes) if classes else 'no'} names are known"
        raise DataError(place, fact, "name them, a line each, with --classes FILE")
    _check_anchors(state, place)
    depth = 101 if "backbone.bottom_up.res4.22.conv1.weight" in state else 50
    mean, std = _pixels(state, place)
    config = model_config(
        f"r{depth}",
        classes,
        backbone=f"resnet{depth}",
        backbone_stride_in_1x1=True,
        pyramid_top="c5",
        anchors={"convention": "centered"},
        mean=mean,
        std=std,
    )
    ours = {_renamed(name): tensor for name, tensor in state.items() if not name.startswith(_SETTINGS)}
    ours["backbone.body.conv1.weight"] = ours["backbone.body.conv1.weight"].flip(1).contiguous()
    for kind, last in (("weight", "cls_logits"), ("bias", "cls_logits"), ("weight", "bbox_reg"), ("bias", "bbox_reg")):
        head = "classification_head" if last == "cls_logits" else "regression_head"
        ours[f"head.{head}.{last}.{kind}"] = _ratios_outermost(ours[f"head.{head}.{last}.{kind}"])
    ours["head.regression_head.bbox_reg.bias"] += _half_a_stride(config.anchors)
    return config, ours, f"Detectron2 RetinaNet R{depth}"


def _renamed(name: str) -> str:
    """Give our name of one of their parameters; one that is not known stays, and is named as left out."""
    for pattern, ours in _RENAMES:
        if found := re.match(pattern, name):
            number = int(found[1]) if found.groups() else 0
            for mark, value in (("{0}", number - 1), ("{2}", number - 3), ("{half}", number // 2)):
                ours = ours.replace(mark, str(value))
            return found.expand(ours) + name[found.end() :]
    return name


def _ratios_outermost(tensor: Tensor) -> Tensor:
    """Reorder the anchors of a last layer's rows (sizes * ratios * outputs, ...)."""
    rest = tensor.shape[1:]
    rows = tensor.view(_SCALES, _RATIOS, -1, *rest).transpose(0, 1)
    return rows.reshape(-1, *rest).contiguous()


def _half_a_stride(anchors: AnchorConfig) -> Tensor:
    """Give what to add to the box deltas' bias (A * 4,): half a stride back, in units of each anchor's sides."""
    shift = torch.zeros(_RATIOS, _SCALES, 4)
    for row, ratio in enumerate(anchors.ratios):
        for column, scale in enumerate(anchors.scales):
            shift[row, column, 0] = -_STRIDE_OVER_SIZE / 2 / scale * ratio**0.5
            shift[row, column, 1] = -_STRIDE_OVER_SIZE / 2 / scale / ratio**0.5
    return shift.reshape(-1)


def _pixels(state: State, place: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give mean and std of RGB in 0..1; older files hold theirs, newer ones leave them to the configuration.

    Raises:
        DataError: they are not three numbers, or no deviation.
    """
    mean = state["pixel_mean"].flatten().tolist() if "pixel_mean" in state else list(_BGR_MEAN)
    std = state["pixel_std"].flatten().tolist() if "pixel_std" in state else [1.0] * 3
    if len(mean) != 3 or len(std) != 3 or not np.isfinite([*mean, *std]).all() or min(std) <= 0:
        raise DataError(place, "its pixel_mean and pixel_std are not three numbers each", "repair the file")
    return tuple(value / 255 for value in reversed(mean)), tuple(value / 255 for value in reversed(std))


def _check_anchors(state: State, place: str) -> None:
    """Compare the file's own anchors, where it holds them, with the published ones."""
    for level in range(5):
        stored = state.get(f"anchor_generator.cell_anchors.{level}")
        published = published_anchors(32 * 2**level)
        if stored is not None and (stored.shape != published.shape or not torch.allclose(stored, published, atol=0.01)):
            raise DataError(place, "has anchors other than the published ones", "they cannot be mapped")


def published_anchors(size: float) -> Tensor:
    """Give their cell anchors (9, 4) for a level's size: areas outermost, ratios 0.5, 1, 2 innermost."""
    anchors = []
    for octave in (1.0, 2 ** (1 / 3), 2 ** (2 / 3)):
        for ratio in (0.5, 1.0, 2.0):
            width = (size * octave) / ratio**0.5
            height = ratio * width
            anchors.append([-width / 2, -height / 2, width / 2, height / 2])
    return torch.tensor(anchors)
