"""Depthwise convolution whose backward pass is fast on a CPU in bfloat16.

oneDNN's bfloat16 kernels leave two gradients of depthwise convolutions slow, and two thirds of a training step of
EfficientNet-Lite0 went there. Both have an equal that is fast (measured on two cores, 8 x 672 x 20 x 28 and
8 x 672 x 23 x 31, 5 x 5, milliseconds): the weights' gradient as that of a convolution in groups of 16 channels, of
which the diagonal is kept (42 -> 12), and the input's gradient at stride 2 as a forward convolution of the gradient
with zeros between its cells (27 -> 6).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_GROUP = 16  # channels a group: one AVX-512 register of float32


def depthwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    """Convolve (N, C, H, W) with a (k, k) kernel a channel, weight (C, 1, k, k) and bias (C,), as `conv2d` does."""
    if _slow_backward(x, weight):
        result: Tensor = _Depthwise.apply(x, weight, bias, stride, padding)
        return result
    return F.conv2d(x, weight, bias, stride, padding, 1, len(weight))


def _slow_backward(x: Tensor, weight: Tensor) -> bool:
    """Say whether this call will need one of the gradients that oneDNN is slow at."""
    trains = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    return trains and x.device.type == "cpu" and x.dtype == torch.bfloat16 and len(weight) % _GROUP == 0


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, bias, stride, padding, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        return (
            _input_gradient(gradient, x, weight, ctx.stride, ctx.padding) if wants_x else None,
            _weight_gradient(gradient, x, weight, ctx.stride, ctx.padding) if wants_weight else None,
            gradient.sum((0, 2, 3), dtype=torch.float32).to(weight.dtype) if wants_bias else None,
            None,
            None,
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
