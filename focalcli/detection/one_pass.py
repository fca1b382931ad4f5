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
class LevelGradient:
    """The gradient of a level (R, C): that of background, to be times `scale`; the other rows with theirs."""

    gradient: Tensor
    scale: float
    rows: Tensor
    row_gradient: Tensor

    def scaled_gradient(self, upstream: Tensor) -> Tensor:
        """Give the gradient times `upstream`, in the memory of `gradient`."""
        self.gradient.mul_(upstream * self.scale)
        return self.gradient.index_copy_(0, self.rows, (self.row_gradient * upstream).to(self.gradient.dtype))


class OnePassLoss(torch.autograd.Function):
    """The loss as autograd sees it. The first backward uses up the stored gradient; further ones compute it anew.

    Where `last_use` says that nobody needs the logits any more, the gradient takes their place in memory, and there is
    no further backward.
    """

    @staticmethod
    def forward(
        ctx: Any, config: LossConfig, targets: Tensor, quality: Tensor | None, last_use: bool, *logits: Tensor
    ) -> Tensor:
        """Give the sum over all levels, float32 or float64."""
        ctx.config, ctx.shapes = config, [level.shape for level in logits]
        ctx.save_for_backward(targets, quality, *([] if last_use else logits))
        total, ctx.levels = loss_of_levels(logits, targets, config, quality, last_use=last_use)
        return total if logits[0].dtype == torch.float64 else total.float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Give the gradient of every level, in its own dtype and layout."""
        targets, quality, *logits = ctx.saved_tensors
        levels = ctx.levels or loss_of_levels(logits, targets, ctx.config, quality)[1]
        ctx.levels = None
        pairs = zip(levels, ctx.shapes, strict=True)
        return None, None, None, None, *(level.scaled_gradient(upstream).view(shape) for level, shape in pairs)


def loss_of_levels(
    logits: Sequence[Tensor], targets: Tensor, config: LossConfig, quality: Tensor | None, *, last_use: bool = False
) -> tuple[Tensor, list[LevelGradient]]:
    """Give the sum over all levels, float64, and their gradients; arguments as of `losses.classification_loss`."""
    sizes = [level.shape[1] for level in logits]
    flat = [level.reshape(-1, level.shape[2]) for level in logits]
    owns = [own.flatten() for own in targets.split(sizes, dim=1)]
    rows = [(own != BACKGROUND).nonzero()[:, 0] for own in owns]
    own = _picked(owns, rows)
    objects = own >= 0
    overlap = None
    if quality is not None:
        overlap = _picked([part.flatten() for part in quality.split(sizes, dim=1)], rows)[objects]
    value, gradient = _by_formula(_picked(flat, rows)[objects], own[objects], config, overlap)
    row_gradients = gradient.new_zeros(len(own), gradient.shape[1])
    row_gradients[objects] = gradient
    found = [_background(level, left_out, config, last_use) for level, left_out in zip(flat, rows, strict=True)]
    parts = zip(found, rows, row_gradients.split([len(part) for part in rows]), strict=True)
    total = torch.stack([value, *(background for background, _, _ in found)]).sum()
    return total, [LevelGradient(gradient, scale, place, part) for (_, gradient, scale), place, part in parts]


def _picked(levels: Sequence[Tensor], rows: Sequence[Tensor]) -> Tensor:
    """Give those rows of all levels, one after the other."""
    return torch.cat([level[place] for level, place in zip(levels, rows, strict=True)])


def _background(logits: Tensor, rows: Tensor, config: LossConfig, last_use: bool) -> tuple[Tensor, Tensor, float]:
    """Give the loss of the background, its gradient, and the factor that the gradient still needs."""
    own_weight, other_weight = weights(config)
    share = config.label_smoothing / 2
    gradient = logits if last_use and not share else empty_like(logits)
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
