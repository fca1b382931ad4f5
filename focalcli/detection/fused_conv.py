"""Convolution, shift and activation in one pass, for training on a CPU in bfloat16.

torch applies an activation in a pass of its own over what the convolution wrote, and in a network of thin layers that
costs as much as the convolution: 8 x 24 x 80 x 80 -> 144 channels with ReLU6 took 3.7 ms of one core, fused 1.6. The
numbers are the same to the bit, since clamping and rounding commute (tests/detection/test_fused_conv.py).
"""

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from focalcli.detection.depthwise import depthwise_gradients, has_fast_gradients


class Geometry(NamedTuple):
    """How a kernel moves over its input, as `conv2d` takes it; one number a side."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


# Where an activation ends: 6, infinity, or None where there is none.
LIMITS: dict[type[nn.Module], float | None] = {nn.Identity: None, nn.ReLU: float("inf"), nn.ReLU6: 6.0}


def fuses(x: Tensor, activation: nn.Module) -> bool:
    """Say whether `fused_conv2d` can take this input and this activation; an exporter is to see the plain layers."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.bfloat16
        and type(activation) in LIMITS
        and has_one_pass(torch.bfloat16)
        and not torch.compiler.is_compiling()
    )


@cache
def has_one_pass(dtype: torch.dtype) -> bool:
    """Say whether `one_pass` computes in this number format here: bfloat16 needs AVX-512, or an Arm with it."""
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def fused_conv2d(x: Tensor, weight: Tensor, bias: Tensor, geometry: Geometry, activation: nn.Module) -> Tensor:
    """Give activation(conv2d(x, weight, bias)) for x (N, C, H, W) in bfloat16; see `fuses`."""
    result: Tensor = _FusedConv2d.apply(x, weight, bias, geometry, LIMITS[type(activation)])
    return result


def one_pass(x: Tensor, weight: Tensor, bias: Tensor, geometry: Geometry, limit: float | None) -> Tensor:
    """Give the convolution clamped to 0 and `limit`, or as it is without one; no gradient. oneDNN's own weights fit."""
    stride, padding, dilation, groups = geometry
    name, limits = ("none", []) if limit is None else ("relu", []) if limit == float("inf") else _CLAMP
    y: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, padding, stride, dilation, groups, name, limits, ""
    )
    return y


class _FusedConv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, geometry: Geometry, limit: float | None) -> Tensor:
        y = one_pass(x, weight, bias, geometry, limit)
        ctx.save_for_backward(x, weight, *([] if limit is None else [y]))
        ctx.geometry, ctx.limit = geometry, limit
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *outputs = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        for y in outputs:
            gradient = torch.ops.aten.hardtanh_backward(gradient, y, 0.0, ctx.limit)
        return (*gradients(gradient, x, weight, ctx.geometry, ctx.needs_input_grad[:3]), None, None)


_CLAMP: tuple[str, list[float]] = ("hardtanh", [0.0, 6.0])


def gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """Give the gradients of input, weight and bias, those that are wanted."""
    stride, padding, dilation, groups = geometry
    if has_fast_gradients(weight, groups):
        return depthwise_gradients(gradient, x, weight, stride[0], padding=padding[0], wanted=wanted)
    found: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
        gradient, x, weight, [len(weight)], stride, padding, dilation, False, [0, 0], groups, wanted
    )
    return found
