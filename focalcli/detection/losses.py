"""The classification loss of a training step. Formulas: `formulas.py`; how it is computed fast: `one_pass.py`."""

from collections.abc import Sequence

import torch
from torch import Tensor

from focalcli.config import LossConfig
from focalcli.detection.formulas import SOFT_KINDS
from focalcli.detection.ohem import hard_examples
from focalcli.detection.one_pass import OnePassLoss
from focalcli.detection.targets import BACKGROUND, IGNORED
from focalcli.errors import ConfigError, DataError

__all__ = ["BACKGROUND", "IGNORED", "SOFT_KINDS", "check_loss", "check_targets", "classification_loss"]


def classification_loss(
    logits: Sequence[Tensor],
    targets: Tensor,
    config: LossConfig,
    quality: Tensor | None = None,
    anchors: Tensor | None = None,
    *,
    last_use: bool = False,
) -> Tensor:
    """Give the sum of the loss over all anchors and classes, a scalar in float32 (float64 for such logits).

    logits: one tensor (N, R_l, C) a level, any float dtype, the arithmetic is in float32; targets (N, R) int64 over
    all levels: a class index, `BACKGROUND` or `IGNORED`; quality (N, R) in [0, 1], the overlap of the predicted box
    with its object, where `config.kind` is quality-focal or varifocal (1 where None); anchors (R, 4) xyxy pixels let
    ohem suppress neighbours of a hard example. NaN and infinity come through. Divide by the number of anchors with an
    object in the whole optimiser step. After the `last_use` of the logits their memory holds the gradient.

    Raises:
        ConfigError: `config` contradicts itself.
        DataError: a target is no class of the logits.
    """
    check_loss(config)
    check_targets(targets, logits[0].shape[-1])
    if config.kind == "ohem":
        targets = hard_examples(logits, targets, anchors, config)
    with torch.autocast(targets.device.type, enabled=False):
        loss: Tensor = OnePassLoss.apply(config, targets, quality, last_use, *logits)
    return loss


def check_loss(config: LossConfig) -> None:
    """Refuse settings that contradict each other.

    Raises:
        ConfigError: focal-star without gamma, or label smoothing of targets that are soft already.
    """
    if config.kind == "focal-star" and config.gamma == 0:
        raise ConfigError("loss", "focal-star divides by gamma, which is 0", "use ce or a gamma above 0")
    if config.label_smoothing and config.kind in SOFT_KINDS:
        raise ConfigError("loss", f"{config.kind} has soft targets already", "leave label smoothing at 0")


def check_targets(targets: Tensor, num_classes: int) -> None:
    """Refuse class indices beyond the logits. Looks only on the CPU: elsewhere it would wait for the device.

    Raises:
        DataError: a target is `num_classes` or more, or below `IGNORED`.
    """
    if targets.device.type != "cpu" or targets.numel() == 0:
        return
    low, high = (int(bound) for bound in targets.aminmax())
    if high >= num_classes or low < IGNORED:
        wrong = high if high >= num_classes else low
        raise DataError("targets", f"class index {wrong}, but the logits have {num_classes} classes")
