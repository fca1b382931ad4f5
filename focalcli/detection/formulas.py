"""The plain formulas of the losses for many anchors of which nearly all are background: the family around focal loss.

Every loss is a sum over (anchor, class) of w * H(z), where z = -x at the anchor's own class and z = x elsewhere (x is
the logit, so z is large where the answer is wrong), and w is alpha or 1 - alpha. H(z) = F(a z + b) / a with
F(z) = p^gamma softplus(z), p = sigmoid(z): a = 1, b = 0 for focal loss, gamma = 0 for cross-entropy, and a = gamma,
b = -beta, no exponent for focal-star. The faster ways of `one_pass.py` are held to what stands here.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from focalcli.config import LossConfig

SOFT_KINDS = ("quality-focal", "varifocal")  # an object's target is the overlap of its predicted box


class Hardness(NamedTuple):
    """The constants of H(z) = F(slope z + shift) / slope, F(z) = sigmoid(z)^exponent softplus(z)."""

    slope: float
    shift: float
    exponent: float


def hardness(config: LossConfig) -> Hardness:
    """Give the constants of a loss: Lin et al. 2017, arXiv 1708.02002, eq. 4, and appendix A, eq. 11 for focal-star."""
    if config.kind == "focal-star":
        return Hardness(config.gamma, -config.beta, 0.0)
    return Hardness(1.0, 0.0, 0.0 if config.kind in ("ce", "balanced-ce", "ohem") else config.gamma)


def hardness_of(z: Tensor, constants: Hardness) -> Tensor:
    """Give H(z) element by element, differentiable at any finite z."""
    slope, shift, exponent = constants
    z = slope * z + shift
    # exp(gamma log p) and not p^gamma, whose derivative is infinite times zero where p rounds to 0.
    return torch.exp(exponent * F.logsigmoid(z)) * -F.logsigmoid(-z) / slope


def weights(config: LossConfig) -> tuple[float, float]:
    """Give the weights of an anchor's own class and of all others: alpha and 1 - alpha, or 1 and 1 with alpha off.

    Varifocal weighs only the others (its paper's alpha .75 is 1 - .25 here); ce, ohem and quality-focal none.
    """
    if config.alpha is None or config.kind in ("ce", "ohem", "quality-focal"):
        return 1.0, 1.0
    return config.alpha, 1.0 - config.alpha


def anchor_losses(logits: Tensor, targets: Tensor, config: LossConfig, quality: Tensor | None = None) -> Tensor:
    """Give the loss (R, C) of every anchor and class.

    logits (R, C) float32 or float64; targets (R,) a class index, or `BACKGROUND`; quality (R,) in [0, 1], the overlap
    of the predicted box with its object, for quality-focal and varifocal (1 where None).
    """
    own = targets[:, None] == torch.arange(logits.shape[1], device=logits.device)
    constants, (own_weight, other_weight) = hardness(config), weights(config)
    as_other = other_weight * hardness_of(logits, constants)
    if config.kind in SOFT_KINDS:
        q = torch.ones_like(logits[:, :1]) if quality is None else quality.to(logits.dtype)[:, None]
        return torch.where(own, quality_loss(logits, q, config), as_other)
    share = own.to(logits.dtype) * (1 - config.label_smoothing) + config.label_smoothing / 2
    return share * own_weight * hardness_of(-logits, constants) + (1 - share) * as_other


def quality_loss(logits: Tensor, quality: Tensor, config: LossConfig) -> Tensor:
    """Give the loss of anchors at their own class, whose target is an overlap q in [0, 1] and not 1.

    Quality focal: |q - p|^gamma BCE(p, q) (Li et al. 2020, arXiv 2006.04388, eq. 2). Varifocal: q BCE(p, q) (Zhang et
    al. 2020, arXiv 2008.13367, eq. 2).
    """
    entropy = -(quality * F.logsigmoid(logits) + (1 - quality) * F.logsigmoid(-logits))
    if config.kind == "varifocal":
        return quality * entropy
    return (quality - torch.sigmoid(logits)).abs() ** config.gamma * entropy
