"""How a kernel moves over a map, and the zeros around the map that it moves over."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F


class Geometry(NamedTuple):
    """How a kernel moves over its input, as `conv2d` takes it; one number a side."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


class Margins(NamedTuple):
    """Rows and columns of zeros around a map, in the order in which `F.pad` takes them."""

    left: int
    right: int
    top: int
    bottom: int


def same_totals(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> tuple[int, int]:
    """Give the rows and columns that TensorFlow's SAME adds to (N, C, H, W): output = input / stride rounded up."""
    vertical, horizontal = (
        max((-(-size // step) - 1) * step + taps - size, 0)
        for size, taps, step in zip(x.shape[-2:], kernel, stride, strict=True)
    )
    return vertical, horizontal


def same_margins(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Margins:
    """Give TensorFlow's SAME margins for (N, C, H, W): see `same_totals`, the odd pixel at right and bottom."""
    vertical, horizontal = same_totals(x, kernel, stride)
    top, left = vertical // 2, horizontal // 2
    return Margins(left, horizontal - left, top, vertical - top)


def pad(x: Tensor, margins: Margins | None) -> Tensor:
    """Put zeros around (N, C, H, W), where there are to be any."""
    return F.pad(x, margins) if margins and any(margins) else x


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
