"""Frozen batch norm folded into the convolution before it, in training too.

A frozen norm is an affine map with fixed numbers: conv(x, w) * scale + shift = conv(x, w * scale, shift). Folding
saves a pass over every activation in both directions and changes no result beyond rounding. Parameter names stay
those of the network before folding.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from focalcli.detection.fused_conv import fused_conv2d, fuses
from focalcli.detection.geometry import Geometry, Margins, pad, same_margins


class FoldedNorm(nn.Module):
    """Stands where a batch norm stood, with its arrays under their names; the convolution before it does its work."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, getattr(norm, name).detach().clone())
        self.eps = norm.eps
        self.activation = getattr(norm, "act", None) or nn.Identity()

    def affine(self) -> tuple[Tensor, Tensor]:
        """Give scale and shift (C,)."""
        scale = self.get_buffer("weight") * torch.rsqrt(self.get_buffer("running_var") + self.eps)
        return scale, self.get_buffer("bias") - self.get_buffer("running_mean") * scale

    def forward(self, x: Tensor) -> Tensor:
        """Give `x`: affine part and activation happened in the convolution."""
        return x


class FoldedConv2d(nn.Conv2d):
    """A convolution that applies the frozen norm behind it. `weight` is trained as it was before folding."""

    def __init__(self, conv: nn.Conv2d, norm: FoldedNorm) -> None:
        super().__init__(**form_of(conv), bias=False, device="meta")
        self.weight = conv.weight
        self.same_padding = type(conv).__name__ == "Conv2dSame"
        # A tuple keeps the norm from being registered twice; deep copies still copy the pair together.
        self._norm = (norm,)

    @property
    def activation(self) -> nn.Module:
        """Give the activation that the norm carried."""
        return self._norm[0].activation

    def folded(self) -> tuple[Tensor, Tensor]:
        """Give the scaled weights, and the shift (C,)."""
        scale, shift = self._norm[0].affine()
        return self.weight * scale[:, None, None, None], shift

    def forward(self, x: Tensor) -> Tensor:
        """Convolve with the scaled weights and the shift as bias, then apply the activation that the norm carried."""
        weight, shift = self.folded()
        margins = same_margins(x, self.kernel_size, self.stride) if self.same_padding else None
        return convolved(x, weight, shift, Geometry.of(self), self.activation, margins)


def form_of(conv: nn.Conv2d) -> dict[str, Any]:
    """Give the arguments that make a convolution of the same channels, kernel and geometry."""
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
    return {name: getattr(conv, name) for name in names}


def convolved(
    x: Tensor, weight: Tensor, shift: Tensor, geometry: Geometry, activation: nn.Module, margins: Margins | None
) -> Tensor:
    """Give activation(conv2d(x, weight, shift)) with `margins` of zeros around x, in one pass where that can be."""
    x, weight, shift = autocast(x, weight, shift)
    if fuses(x, weight, activation):
        return fused_conv2d(x, weight, shift, geometry, activation, margins)
    activated: Tensor = activation(F.conv2d(pad(x, margins), weight, shift, *geometry))
    return activated


def autocast(*tensors: Tensor) -> list[Tensor]:
    """Cast as autocast would for a convolution; it does not look into functions with their own gradient."""
    kind = tensors[0].device.type
    if not torch.is_autocast_enabled(kind):
        return list(tensors)
    return [tensor.to(torch.get_autocast_dtype(kind)) for tensor in tensors]


def fold_frozen_norms(module: nn.Module) -> None:
    """Fold every batch norm of `module` that directly follows a convolution without bias, in place.

    A pair is a convolution and the next child of the same parent, with as many channels.
    """
    children = list(module.named_children())
    for (conv_name, conv), (norm_name, norm) in pairwise(children):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and conv.out_channels == norm.num_features:
            assert conv.bias is None, f"{conv_name}: a convolution with bias before a batch norm"
            folded = FoldedNorm(norm)
            setattr(module, conv_name, FoldedConv2d(conv, folded))
            setattr(module, norm_name, folded)
    for _, child in module.named_children():
        fold_frozen_norms(child)
