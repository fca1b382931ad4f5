"""How a kernel moves over a map, and the zeros around the map that it moves over."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Geometry(NamedTuple):
    """How a kernel moves over its input, as `conv2d` takes it; one number a side."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @classmethod
    def of(cls, conv: nn.Conv2d) -> "Geometry":
        """Give how a convolution's kernel moves; where its padding is a word, no number of it will fit."""
        return cls(conv.stride, conv.padding, conv.dilation, conv.groups)  # type: ignore[arg-type]


class Margins(NamedTuple):
    """Rows and columns of zeros around a map, in the order in which `F.pad` takes them."""

    left: int
    right: int
    top: int
    bottom: int


def same_margins(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Margins:
    """Give TensorFlow's SAME margins for (N, C, H, W): output = input / stride rounded up, the odd pixel at the end."""
    vertical, horizontal = (
        max((-(-size // step) - 1) * step + taps - size, 0)
        for size, taps, step in zip(x.shape[-2:], kernel, stride, strict=True)
    )
    top, left = vertical // 2, horizontal // 2
    return Margins(left, horizontal - left, top, vertical - top)


def pad(x: Tensor, margins: Margins | None) -> Tensor:
    """Put zeros around (N, C, H, W), where there are to be any."""
    return F.pad(x, margins) if margins and any(margins) else x


def evenly(margins: Margins, geometry: Geometry) -> tuple[Geometry, int] | None:
    """Give a geometry that pads on all sides alike instead, and the zeros before a kernel that make up for it.

    Where the right side wants a pixel more than the left, the left gets it too, and the kernel a first row and column
    of zeros to meet it with: padding a map apart costs a pass over it. None where rows and columns differ.
    """
    left, right, top, bottom = margins
    if (left, right) != (top, bottom) or geometry.dilation != (1, 1) or geometry.padding != (0, 0):
        return None
    return geometry._replace(padding=(right, right)), right - left


def grown(weight: Tensor, zeros: int) -> Tensor:
    """Give a kernel with that many rows and columns of zeros before it."""
    return F.pad(weight, (zeros, 0, zeros, 0)).contiguous(memory_format=torch.channels_last) if zeros else weight


def copied_into(x: Tensor, margins: Margins) -> Tensor:
    """Give what `pad` gives, in channels_last memory and without writing anything twice; no gradient."""
    n, channels, height, width = x.shape
    left, right, top, bottom = margins
    padded = x.new_empty(n, top + height + bottom, left + width + right, channels)
    padded[:, top : top + height, left : left + width] = x.permute(0, 2, 3, 1)
    for margin in (padded[:, :top], padded[:, top + height :], padded[:, :, :left], padded[:, :, left + width :]):
        margin.zero_()
    return padded.permute(0, 3, 1, 2)


def without(padded: Tensor, margins: Margins) -> Tensor:
    """Give the view of (N, C, H, W) that lies inside the margins."""
    left, right, top, bottom = margins
    return padded[..., top : padded.shape[-2] - bottom, left : padded.shape[-1] - right]
