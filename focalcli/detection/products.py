"""Weights' gradients of dense convolutions as products of matrices, quicker on AVX2 cores than oneDNN's.

A weight's gradient sums over all cells what the kernel saw there times the gradient of what it said: a product of
matrices, once what it saw is written out, a row a cell. Written out in blocks that the caches hold, this takes less
time than oneDNN's float32 kernel for AVX2. Measured on two cores, whole steps in turns, medians in milliseconds: lite0
at 8 x 320 x 320 and 80 classes 1,868 -> 1,716, ResNet-50 with 256-wide heads at 2 x 416 x 544 6,453 -> 5,552.
With AVX-512 it is no quicker (1 x 1 kernels by products: a step of 1,041 ms then took 1,028 to 1,142), so others keep
what they had.
"""

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from focalcli.detection.geometry import Geometry

_BLOCK = 1 << 19  # numbers written out at a time: 2 MiB
_FEWEST = 32  # outputs of a kernel of more than a cell; with 27 oneDNN was quicker


def by_products(x: Tensor, weight: Tensor, geometry: Geometry) -> bool:
    """Say whether `weight_gradient` is the quicker way to the gradient of this convolution's weights."""
    side = weight.shape[-1]
    return (
        x.dtype == torch.float32
        and side % 2 == 1
        and weight.shape[-2] == side
        and geometry == Geometry((1, 1), (side // 2, side // 2), (1, 1), 1)
        and (side == 1 or len(weight) >= _FEWEST)
        and has_quick_products()
    )


@cache
def has_quick_products() -> bool:
    """Say whether this processor is of the kind that products were measured to be quicker on."""
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


def weight_gradient(gradient: Tensor, x: Tensor, side: int) -> Tensor:
    """Give the gradient (O, C, side, side) of the weights from that of the output (N, O, H, W), for x (N, C, H, W)."""
    outputs, channels = gradient.shape[1], x.shape[1]
    seen = side * side * channels
    answers, inputs = gradient.permute(0, 2, 3, 1), x.permute(0, 2, 3, 1)
    if side == 1:
        pairs = iter([(inputs.reshape(-1, channels), answers.reshape(-1, outputs))])
    else:
        pairs = _written_out(inputs, answers, side)
    # The longer side of the product as its rows: that way it is quicker.
    if seen < outputs:
        total = gradient.new_zeros(outputs, seen)
        for what, answer in pairs:
            total.addmm_(answer.t(), what)
    else:
        turned = gradient.new_zeros(seen, outputs)
        for what, answer in pairs:
            turned.addmm_(what.t(), answer)
        total = turned.t()
    return total.reshape(outputs, side, side, channels).permute(0, 3, 1, 2)


def _written_out(inputs: Tensor, answers: Tensor, side: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Give block by block what the kernel saw, (cells, side * side * C), and the gradient there, (cells, O).

    Both are given as (N, H, W, ...). A block is some photos, or some rows of one; it is overwritten with the next.
    """
    photos, height, width, channels = inputs.shape
    half, reach = side // 2, side * channels
    padded = F.pad(inputs, (0, 0, half, half, half, half))
    photo, row, column, _ = padded.stride()
    windows = padded.as_strided((photos, height, width, side, reach), (photo, row, column, row, 1))
    rows = min(max(_BLOCK // (width * side * reach), 1), height)
    together = max(_BLOCK // (height * width * side * reach), 1)
    block = inputs.new_empty(min(together, photos) * rows * width * side * reach)
    for first in range(0, photos, together):
        for top in range(0, height, rows):
            part = windows[first : first + together, top : top + rows]
            written = block[: part.numel()].view(part.shape).copy_(part)
            answer = answers[first : first + together, top : top + rows]
            yield written.view(-1, side * reach), answer.reshape(-1, answers.shape[-1])
