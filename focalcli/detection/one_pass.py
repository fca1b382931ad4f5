"""Value and gradient of the classification loss in one pass over the logits: read once, gradient written once.

Nearly every anchor is background. A kernel computes the background's loss for all anchors but those that are ignored
or have an object; the few with an object follow by the plain formulas. Levels are read where the heads left them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from focalcli.config import LossConfig
from focalcli.detection.focal_blocks import background_in_blocks, empty_like
from focalcli.detection.formulas import Hardness, anchor_losses, hardness, weights
from focalcli.detection.targets import BACKGROUND


@dataclass(frozen=True, slots=True)
class LevelLoss:
    """The loss of a level: value; gradient (R, C) of background, to be times `scale`; the other rows with theirs."""

    value: Tensor
    gradient: Tensor
    scale: float
    rows: Tensor
    row_gradient: Tensor

    def scaled_gradient(self, upstream: Tensor) -> Tensor:
        """Give the gradient times `upstream`, in the memory of `gradient`."""
        self.gradient.mul_(upstream * self.scale)
        return self.gradient.index_copy_(0, self.rows, (self.row_gradient * upstream).to(self.gradient.dtype))


class OnePassLoss(torch.autograd.Function):
    """The loss as autograd sees it. The first backward uses up the stored gradient; further ones compute it anew."""

    @staticmethod
    def forward(ctx: Any, config: LossConfig, targets: Tensor, quality: Tensor | None, *logits: Tensor) -> Tensor:
        """Give the sum over all levels, float32 or float64."""
        ctx.config = config
        ctx.save_for_backward(targets, quality, *logits)
        ctx.levels = level_losses(logits, targets, config, quality)
        total = torch.stack([level.value for level in ctx.levels]).sum()
        return total if logits[0].dtype == torch.float64 else total.float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Give the gradient of every level, in its own dtype and layout."""
        targets, quality, *logits = ctx.saved_tensors
        levels = ctx.levels or level_losses(logits, targets, ctx.config, quality)
        ctx.levels = None
        pairs = zip(levels, logits, strict=True)
        return None, None, None, *(level.scaled_gradient(upstream).view(x.shape) for level, x in pairs)


def level_losses(
    logits: Sequence[Tensor], targets: Tensor, config: LossConfig, quality: Tensor | None
) -> list[LevelLoss]:
    """Give value and gradient of every level; arguments as of `losses.classification_loss`."""
    sizes = [level.shape[1] for level in logits]
    qualities = [None] * len(sizes) if quality is None else [part.flatten() for part in quality.split(sizes, dim=1)]
    levels = zip(logits, targets.split(sizes, dim=1), qualities, strict=True)
    return [_level_loss(x.reshape(-1, x.shape[2]), own.flatten(), config, q) for x, own, q in levels]


def _level_loss(logits: Tensor, own: Tensor, config: LossConfig, quality: Tensor | None) -> LevelLoss:
    rows = (own != BACKGROUND).nonzero()[:, 0]
    value, gradient, scale = _background(logits, rows, config)
    objects = own[rows] >= 0
    chosen = rows[objects]
    row_quality = None if quality is None else quality[chosen]
    row_value, row_gradient = _by_formula(logits[chosen], own[chosen], config, row_quality)
    all_rows = row_gradient.new_zeros(len(rows), logits.shape[1])
    all_rows[objects] = row_gradient
    return LevelLoss(value + row_value, gradient, scale, rows, all_rows)


def _background(logits: Tensor, rows: Tensor, config: LossConfig) -> tuple[Tensor, Tensor, float]:
    """Give the loss of the background, its gradient, and the factor that the gradient still needs."""
    own_weight, other_weight = weights(config)
    share = config.label_smoothing / 2
    gradient = empty_like(logits)
    constants = hardness(config)
    value = (1 - share) * other_weight * _kernel(logits, rows, constants, gradient)
    if not share:
        return value, gradient, other_weight
    # Smoothed background is an object by this share, H(-x). A negative slope gives -H(-x): F(-a x + b) / -a.
    mirrored = empty_like(logits)
    value -= share * own_weight * _kernel(logits, rows, constants._replace(slope=-constants.slope), mirrored)
    gradient.mul_((1 - share) * other_weight).sub_(mirrored, alpha=share * own_weight)
    return value, gradient, 1.0


def _kernel(logits: Tensor, rows: Tensor, constants: Hardness, gradient: Tensor) -> Tensor:
    if logits.device.type == "cuda":
        try:
            from focalcli.detection.focal_triton import background_on_gpu
        except ImportError:
            return background_in_blocks(logits, rows, constants, gradient)
        return background_on_gpu(logits, rows, constants, gradient)
    return background_in_blocks(logits, rows, constants, gradient)


def _by_formula(logits: Tensor, own: Tensor, config: LossConfig, quality: Tensor | None) -> tuple[Tensor, Tensor]:
    """Give the loss of anchors (P, C) that have an object, and its gradient."""
    with torch.enable_grad():
        x = (logits if logits.dtype == torch.float64 else logits.float()).detach().requires_grad_()
        value = anchor_losses(x, own, config, quality).sum(dtype=torch.float64)
    (gradient,) = torch.autograd.grad(value, x)
    return value.detach(), gradient
