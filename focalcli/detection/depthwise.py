"""Gradients of a depthwise convolution that are fast on a CPU in bfloat16.

oneDNN's bfloat16 kernels leave two gradients of depthwise convolutions slow, and two thirds of a training step of
EfficientNet-Lite0 went there. Both have an equal that is fast (measured on two cores, 8 x 672 x 20 x 28 and
8 x 672 x 23 x 31, 5 x 5, milliseconds): the weights' gradient as that of a convolution in groups of 16 channels, of
which the diagonal is kept (42 -> 12), and the input's gradient at stride 2 as a forward convolution of the gradient
with zeros between its cells (27 -> 6).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_GROUP = 16  # channels a group: one AVX-512 register of float32


def has_fast_gradients(weight: Tensor, groups: int) -> bool:
    """Say whether `depthwise_gradients` serves a convolution with this weight (C, 1, k, k): a kernel a channel."""
    return groups == len(weight) and weight.shape[1] == 1 and groups % _GROUP == 0


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
    """Give the gradient of the input: the output's gradient, spread `stride` apart, under the turned kernel."""
    kernel, channels = weight.shape[-1], len(weight)
    if stride > 1:
        height, width = (size + 2 * padding - kernel + 1 for size in x.shape[-2:])
        spread = gradient.new_zeros((len(x), height, width, channels)).permute(0, 3, 1, 2)
        spread[:, :, ::stride, ::stride] = gradient
        gradient = spread
    return F.conv2d(gradient, weight.flip(2, 3), None, 1, kernel - 1 - padding, 1, channels)


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """Give the gradient of the weights; 3 x 3 kernels are fast as they are."""
    kernel, channels = weight.shape[-1], len(weight)
    per_group = 1 if kernel == 3 else _GROUP
    _, grouped, _ = torch.ops.aten.convolution_backward(
        gradient,
        x,
        weight.expand(-1, per_group, -1, -1),
        None,
        [stride, stride],
        [padding, padding],
        [1, 1],
        False,
        [0, 0],
        channels // per_group,
        [False, True, False],
    )
    channel = torch.arange(channels, device=x.device)
    diagonal: Tensor = grouped[channel, channel % per_group].unsqueeze(1)
    return diagonal
