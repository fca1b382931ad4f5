"""Gradients of a depthwise convolution that are fast on a CPU.

oneDNN has a fast kernel for the weights' gradient where a kernel is up to three columns wide; for 5 x 5 it falls back
to one that takes most of a training step of EfficientNet-Lite0's backbone. The gradients of the columns do not depend
on each other, so wider kernels are taken three columns at a time. Measured on two AVX-512 cores in float32,
milliseconds: 8 x 672 x 20 x 20 18.3 -> 6.2, 8 x 144 x 83 x 83 at stride 2 34.3 -> 12.0.

In bfloat16 the input's gradient at stride 2 is slow, too. It has an equal that is fast, a forward convolution of the
output's gradient with zeros between its cells (8 x 672 x 23 x 31, 5 x 5: 27 -> 6).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from focalcli.detection.geometry import Geometry, Margins, copied_into

_COLUMNS = 3  # that oneDNN's fast kernel has at most
_LANES = 16  # channels that it takes at a time


def has_fast_gradients(weight: Tensor, geometry: Geometry) -> bool:
    """Say whether `depthwise_gradients` serves a convolution with this weight (C, 1, k, k): a kernel a channel."""
    stride, padding, dilation, groups = geometry
    side = weight.shape[-1]
    return (
        weight.shape == (groups, 1, side, side)
        and groups % _LANES == 0
        and side % 2 == 1
        and stride in ((1, 1), (2, 2))
        and padding[0] == padding[1]
        and dilation == (1, 1)
    )


def depthwise_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, *, padding: int, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Give the gradients of input, weight and bias that are `wanted`, from that of the output, channels_last."""
    return (
        _input_gradient(gradient, x, weight, stride, padding) if wanted[0] else None,
        _weight_gradient(gradient, x, weight, stride, padding) if wanted[1] else None,
        gradient.sum((0, 2, 3), dtype=torch.float32).to(weight.dtype) if wanted[2] else None,
    )


def _input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """Give the gradient of the input; in bfloat16 the output's, spread `stride` apart, under the turned kernel."""
    if gradient.dtype != torch.bfloat16:
        return _backward(gradient, x, weight, stride, (padding, padding), (True, False, False))[0]
    kernel, channels = weight.shape[-1], len(weight)
    if stride > 1:
        height, width = (size + 2 * padding - kernel + 1 for size in x.shape[-2:])
        spread = gradient.new_zeros((len(x), height, width, channels)).permute(0, 3, 1, 2)
        spread[:, :, ::stride, ::stride] = gradient
        gradient = spread
    return F.conv2d(gradient, weight.flip(2, 3), None, 1, kernel - 1 - padding, 1, channels)


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """Give the gradient of the weights, some columns of the kernel at a time.

    Column c of a kernel saw at output w what column 0 saw at output w + c / stride. So other columns are those of a
    narrow kernel again once the output's gradient has moved that far to the right; the output of the narrow kernel
    is wider, and its additional cells have the gradient 0. With the rows one behind the other in memory, and their
    zeros at their ends, moving to the right takes no more than starting earlier.
    """
    kernel = weight.shape[-1]
    if kernel <= _COLUMNS:
        return _backward(gradient, x, weight, stride, (padding, padding), (False, True, False))[1]
    if padding:
        x = copied_into(x, Margins(padding, padding, 0, 0))
    n, channels, height, width = gradient.shape
    wide, reach = (x.shape[-1] - _COLUMNS) // stride + 1, (kernel - _COLUMNS) // stride
    cells = n * height * wide
    line = gradient.new_empty(reach + cells, channels)
    rows = line[reach:].view(n, height, wide, channels)
    rows[:, :, :width] = gradient.permute(0, 2, 3, 1)
    rows[:, :, width:].zero_()
    line[:reach].zero_()
    found = torch.empty_like(weight)
    for column in range(0, kernel - 1, _COLUMNS - 1):  # they share a column, so that steps suit strides of 1 and 2
        first = reach - column // stride
        moved = line[first : first + cells].view(n, height, wide, channels).permute(0, 3, 1, 2)
        part = slice(column, column + _COLUMNS)
        found[..., part] = _backward(moved, x, weight[..., part], stride, (padding, 0), (False, True, False))[1]
    return found


def _backward(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: tuple[int, int], wanted: tuple[bool, bool, bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Ask torch for gradients of input and weight."""
    strides, ones = [stride, stride], [1, 1]
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, strides, list(padding), ones, False, [0, 0], len(weight), wanted
    )
    return found
