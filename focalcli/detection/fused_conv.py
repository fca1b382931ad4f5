"""Convolution, shift and activation in one pass, for training on a CPU, with quicker gradients.

torch applies an activation in a pass of its own over what the convolution wrote, and in a network of thin layers that
costs as much as the convolution: in bfloat16 8 x 24 x 80 x 80 -> 144 channels with ReLU6 took 3.7 ms of one core, fused
1.6. The numbers are the same to the bit, since clamping and rounding commute (tests/detection/test_fused_conv.py).
In float32 a step on BCCD (4 x 416 x 544) took two AVX-512 cores 862 ms with layers and gradients of torch, with these
704: medians, in turns.

A map that TensorFlow's SAME wants padded is kept for the backward pass as it was, and padded again there: the layer
before keeps it, too, so that it takes no memory twice.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from focalcli.detection.depthwise import depthwise_gradients, has_fast_gradients
from focalcli.detection.geometry import Geometry, Margins, copied_into, evenly, grown, without
from focalcli.detection.products import by_products, weight_gradient

# Where an activation ends: 6, infinity, or None where there is none.
LIMITS: dict[type[nn.Module], float | None] = {nn.Identity: None, nn.ReLU: float("inf"), nn.ReLU6: 6.0}


def fuses(x: Tensor, weight: Tensor, activation: nn.Module) -> bool:
    """Say whether `fused_conv2d` can take these and this activation; an exporter is to see the plain layers."""
    return (
        not torch.compiler.is_compiling()
        and x.device.type == "cpu"
        and x.dtype == weight.dtype
        and x.dtype in (torch.float32, torch.bfloat16)
        and type(activation) in LIMITS
        and has_one_pass(x.dtype)
    )


@cache
def has_one_pass(dtype: torch.dtype) -> bool:
    """Say whether `one_pass` computes in this number format here: bfloat16 needs AVX-512, or an Arm with it."""
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def fused_conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    activation: nn.Module,
    margins: Margins | None = None,
) -> Tensor:
    """Give activation(conv2d(x, weight, bias)) for x (N, C, H, W), with `margins` of zeros around it; see `fuses`."""
    around = margins if margins and any(margins) else None
    result: Tensor = _FusedConv2d.apply(x, weight, bias, geometry, LIMITS[type(activation)], around)
    return result


def one_pass(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, limit: float | None) -> Tensor:
    """Give the convolution clamped to 0 and `limit`, or as it is without one; no gradient. oneDNN's own weights fit."""
    stride, padding, dilation, groups = geometry
    name, limits = ("none", []) if limit is None else ("relu", []) if limit == float("inf") else _CLAMP
    y: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, padding, stride, dilation, groups, name, limits, ""
    )
    return y


_CLAMP: tuple[str, list[float]] = ("hardtanh", [0.0, 6.0])


class _FusedConv2d(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        geometry: Geometry,
        limit: float | None,
        margins: Margins | None,
    ) -> Tensor:
        y = _with_zeros_around(x, weight, bias, geometry, limit, margins)
        ctx.save_for_backward(x, weight, *([] if limit is None else [y]))
        ctx.geometry, ctx.limit, ctx.margins = geometry, limit, margins
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *outputs = ctx.saved_tensors
        for y in outputs:
            gradient = torch.ops.aten.hardtanh_backward(gradient, y, 0.0, ctx.limit)
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        if ctx.margins:
            x = copied_into(x, ctx.margins)
        of_x, of_weight, of_bias = gradients(gradient, x, weight, ctx.geometry, ctx.needs_input_grad[:3])
        if ctx.margins and of_x is not None:
            of_x = without(of_x, ctx.margins)
        return of_x, of_weight, of_bias, None, None, None


def _with_zeros_around(
    x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, limit: float | None, margins: Margins | None
) -> Tensor:
    """Give the convolution of x with margins; in float32 without copying it, where that can be."""
    if margins is None:
        return one_pass(x, weight, bias, geometry, limit)
    even = evenly(margins, geometry) if x.dtype == torch.float32 else None
    if even is None:
        return one_pass(copied_into(x, margins), weight, bias, geometry, limit)
    around, zeros = even
    return one_pass(x, grown(weight, zeros), bias, around, limit)


def gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """Give the gradients of input, weight and bias, those that are wanted, from that of the output, channels_last."""
    stride, padding, dilation, groups = geometry
    if has_fast_gradients(weight, geometry):
        return depthwise_gradients(gradient, x, weight, stride[0], padding=padding[0], wanted=wanted)
    quicker = wanted[1] and by_products(x, weight, geometry)
    of_x, of_weight, of_bias = torch.ops.aten.convolution_backward(
        gradient,
        x,
        weight,
        [len(weight)],
        stride,
        padding,
        dilation,
        False,
        [0, 0],
        groups,
        (wanted[0], wanted[1] and not quicker, wanted[2] and not quicker),
    )
    if quicker:
        of_weight = weight_gradient(gradient, x, weight.shape[-1])
        of_bias = gradient.sum((0, 2, 3)) if wanted[2] else None
    return of_x, of_weight, of_bias
