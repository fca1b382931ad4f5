"""Plain convolutions, those with no frozen norm behind them, trained with the gradients of `fused_conv`."""

import torch
from torch import Tensor, nn

from focalcli.detection.fused_conv import fused_conv2d, fuses
from focalcli.detection.geometry import Geometry
from focalcli.detection.products import by_products

_NOTHING = nn.Identity()


class PlainConv2d(nn.Conv2d):
    """A convolution of torch's own but for how its gradients are computed."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        geometry = Geometry.of(self)
        if self.padding_mode == "zeros" and not torch.is_autocast_enabled("cpu") and self._gains(x, geometry):
            return fused_conv2d(x, self.weight, self.bias, geometry, _NOTHING)
        return super().forward(x)

    def _gains(self, x: Tensor, geometry: Geometry) -> bool:
        trains = self.weight.requires_grad and torch.is_grad_enabled()
        return trains and fuses(x, self.weight, _NOTHING) and by_products(x, self.weight, geometry)


def train_quicker(module: nn.Module) -> None:
    """Make every convolution of torch's own in `module` a `PlainConv2d`, in place; names and weights stay."""
    for child in module.modules():
        if type(child) is nn.Conv2d:
            child.__class__ = PlainConv2d  # which differs in `forward` alone
