"""Classification losses for many anchors of which nearly all are background: the family around focal loss.

Every loss is a sum over (anchor, class) of w * H(z), where z = -x at the anchor's own class and z = x elsewhere (x is
the logit, so z is large where the answer is wrong), and w is alpha or 1 - alpha. This module holds the plain formulas:
the reference for the one-pass kernels, and all that the few anchors with an object need. It divides by nothing.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from focalcli.config import LossConfig
from focalcli.errors import ConfigError, DataError

BACKGROUND = -1
IGNORED = -2


def classification_loss(
    logits: Sequence[Tensor], targets: Tensor, config: LossConfig, quality: Tensor | None = None
) -> Tensor:
    """Give the sum of the loss over all anchors and classes, a scalar in float32 (float64 for such logits).

    logits: one tensor (N, R_l, C) a level; targets (N, R) int64 over all levels: a class index, `BACKGROUND` or
    `IGNORED`; quality (N, R) in [0, 1], the overlap of the predicted box with its object, where `config.kind` is
    quality-focal or varifocal (1 where None). Divide by the number of anchors with an object.

    Raises:
        ConfigError: `config` contradicts itself.
        DataError: a target is no class of the logits.
    """
    check_loss(config)
    check_targets(targets, logits[0].shape[-1])
    flat = torch.cat([level.flatten(0, 1) for level in logits])
    flat = flat if flat.dtype == torch.float64 else flat.float()
    sizes = [level.shape[1] for level in logits]
    own = torch.cat([part.reshape(-1) for part in targets.split(sizes, dim=1)])
    kept = own != IGNORED
    if quality is not None:
        quality = torch.cat([part.reshape(-1) for part in quality.split(sizes, dim=1)])[kept]
    return anchor_losses(flat[kept], own[kept], config, quality).sum()


def anchor_losses(logits: Tensor, targets: Tensor, config: LossConfig, quality: Tensor | None = None) -> Tensor:
    """Give the loss (R, C) of every anchor and class by the plain formula.

    logits (R, C) float32 or float64; targets (R,) a class index or negative for background; quality (R,).
    """
    own = targets[:, None] == torch.arange(logits.shape[1], device=logits.device)
    object_weight, other_weight = weights(config)
    if config.kind in ("quality-focal", "varifocal"):
        q = torch.ones_like(logits[:, 0]) if quality is None else quality.to(logits.dtype)
        return torch.where(own, quality_term(logits, q[:, None], config), other_weight * hardness(logits, config))
    share = own.to(logits.dtype) * (1 - config.label_smoothing) + config.label_smoothing / 2
    as_object = share * object_weight * hardness(-logits, config)
    return as_object + (1 - share) * other_weight * hardness(logits, config)


def hardness(z: Tensor, config: LossConfig) -> Tensor:
    """Give H(z) element by element, from the wrong side's logit z.

    Cross-entropy: -log(1 - p) with p = sigmoid(z). Focal: p^gamma times that (Lin et al. 2017, arXiv 1708.02002,
    eq. 4). Focal-star: softplus(gamma z - beta) / gamma (appendix A, eq. 11, with z = -x_t).
    """
    if config.kind == "focal-star":
        return -F.logsigmoid(config.beta - config.gamma * z) / config.gamma
    gamma = 0.0 if config.kind in ("ce", "balanced-ce", "ohem") else config.gamma
    # exp(gamma log p) and not p^gamma, whose derivative is infinite times zero where p rounds to 0.
    return torch.exp(gamma * F.logsigmoid(z)) * -F.logsigmoid(-z)


def quality_term(logits: Tensor, quality: Tensor, config: LossConfig) -> Tensor:
    """Give the loss of an anchor at its own class, whose target is an overlap q in [0, 1] and not 1.

    Quality focal: |q - p|^gamma BCE(p, q) (Li et al. 2020, arXiv 2006.04388, eq. 2). Varifocal: q BCE(p, q) (Zhang et
    al. 2020, arXiv 2008.13367, eq. 2).
    """
    entropy = -(quality * F.logsigmoid(logits) + (1 - quality) * F.logsigmoid(-logits))
    if config.kind == "varifocal":
        return quality * entropy
    return (quality - torch.sigmoid(logits)).abs() ** config.gamma * entropy


def weights(config: LossConfig) -> tuple[float, float]:
    """Give the weights of an anchor's own class and of all others: alpha and 1 - alpha, or 1 and 1 with alpha off.

    Varifocal weighs only the others (its paper's alpha .75 is 1 - .25 here); ce, ohem and quality-focal none.
    """
    if config.alpha is None or config.kind in ("ce", "ohem", "quality-focal"):
        return 1.0, 1.0
    return config.alpha, 1.0 - config.alpha


def check_loss(config: LossConfig) -> None:
    """Refuse settings that contradict each other.

    Raises:
        ConfigError: focal-star without gamma, or label smoothing of targets that are soft already.
    """
    if config.kind == "focal-star" and config.gamma == 0:
        raise ConfigError("loss", "focal-star divides by gamma, which is 0", "use ce or a gamma above 0")
    if config.label_smoothing and config.kind in ("quality-focal", "varifocal"):
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
