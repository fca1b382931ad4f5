"""A network that only answers: what training computes anew for each batch is computed once.

Norms are folded for good and weights cast beforehand. On a CPU in float32 weights are packed as oneDNN wants them,
activations are part of the convolution's pass, nothing is copied to be padded, and one photo takes the same kernels as
many. Outputs are those of the network before, up to the order of sums where oneDNN then takes another kernel.
"""

import copy
from typing import TypeGuard, cast

import torch
from torch import Tensor, nn

from focalcli.detection.frozen_norm import FoldedConv2d, autocast, convolved, form_of
from focalcli.detection.fused_conv import LIMITS, has_one_pass, one_pass
from focalcli.detection.geometry import Geometry, Margins, evenly, grown, pad, same_margins
from focalcli.detection.plain_conv import PlainConv2d
from focalcli.detection.retinanet import RetinaNet, TopLevels


class FixedConv2d(nn.Conv2d):
    """A convolution with its final numbers, and the activation behind it."""

    def __init__(self, conv: nn.Conv2d, activation: nn.Module, *, weight: Tensor, bias: Tensor) -> None:
        super().__init__(**form_of(conv), device="meta")
        self.geometry = Geometry.of(conv)
        self.same_padding = isinstance(conv, FoldedConv2d) and conv.same_padding
        self.activation = copy.copy(activation)
        self.weight, self.bias = nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)
        if isinstance(self.activation, nn.ReLU | nn.Hardtanh | nn.SiLU):
            self.activation.inplace = True
        self._packed: dict[int, Tensor] = {}  # by rows of zeros before the kernel; no weights of the model's

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and apply the activation."""
        [x] = autocast(x)
        if not _packs(x, self.weight):
            bias = cast(Tensor, self.bias)
            return convolved(x, self.weight, bias, self.geometry, self.activation, self._margins(x))
        geometry, zeros, margins = self.geometry, 0, self._margins(x)
        if margins and (even := evenly(margins, geometry)):
            geometry, zeros = even
        else:
            x = pad(x, margins)
        if zeros not in self._packed:
            self._packed[zeros] = _pack(x, grown(self.weight, zeros), geometry)
        limit = LIMITS.get(type(self.activation))
        y = one_pass(x, self._packed[zeros], cast(Tensor, self.bias), geometry, limit)
        activated: Tensor = y if limit else self.activation(y)
        return activated

    def _margins(self, x: Tensor) -> Margins | None:
        return same_margins(x, self.kernel_size, self.geometry.stride) if self.same_padding else None


def _packs(x: Tensor, weight: Tensor) -> bool:
    """Say whether oneDNN computes this in float32; bfloat16 goes the way of training."""
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and has_one_pass(torch.float32)
        and not torch.compiler.is_compiling()
    )


def _pack(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """Give weights as oneDNN wants them for inputs like `x`; with others it computes the same, if not as fast."""
    stride, padding, dilation, groups = geometry
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
        weight, padding, stride, dilation, groups, list(x.shape)
    )
    return packed


@torch.no_grad()
def fix(model: RetinaNet, dtype: torch.dtype) -> None:
    """Make `model` fit for answering only, in place; its convolutions hold `dtype`, as autocast would make them.

    It cannot be trained or saved afterwards.
    """
    _fix(model, dtype)
    model.requires_grad_(False)


def _fix(module: nn.Module, dtype: torch.dtype) -> None:
    for i, (name, child) in enumerate(list(module.named_children())):
        if isinstance(child, TopLevels) and dtype != torch.float32:
            continue
        if isinstance(child, FoldedConv2d):
            weight, bias = child.folded()
            setattr(module, name, FixedConv2d(child, child.activation, weight=weight, bias=bias).to(dtype))
        elif _is_plain(child):
            weight, bias = child.weight.detach(), cast(Tensor, child.bias).detach()
            setattr(module, name, FixedConv2d(child, _relu_behind(module, i), weight=weight, bias=bias).to(dtype))
        elif isinstance(child, nn.Conv2d):
            child.to(dtype)
        else:
            _fix(child, dtype)


def _relu_behind(module: nn.Module, i: int) -> nn.Module:
    """Take the ReLU behind the i-th part of a sequence out of it; where there is none, give what does nothing."""
    if isinstance(module, nn.Sequential) and i + 1 < len(module) and isinstance(relu := module[i + 1], nn.ReLU):
        module[i + 1] = nn.Identity()
        return relu
    return nn.Identity()


def _is_plain(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Say whether a module is a convolution of torch's own, with a bias, padded with as many zeros as numbers say."""
    return (
        type(module) in (nn.Conv2d, PlainConv2d)
        and module.bias is not None
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )
