"""The two heads of RetinaNet: four convolutions shared by all levels, then class logits or box deltas for each anchor.

Parameter names are torchvision's. Lin et al. 2017, arXiv 1708.02002, section 4.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from focalcli.config import ModelConfig


def tower(config: ModelConfig) -> nn.Sequential:
    """Give the convolutions before a head's last one, each with optional GroupNorm (32 groups) and ReLU."""
    blocks = []
    channels = config.pyramid_channels
    for _ in range(config.head_convs):
        layers: list[nn.Module] = [
            nn.Conv2d(channels, config.head_channels, 3, padding=1, bias=config.head_norm == "none"),
        ]
        if config.head_norm == "group":
            layers.append(nn.GroupNorm(min(32, config.head_channels), config.head_channels))
        blocks.append(nn.Sequential(*layers, nn.ReLU(inplace=True)))
        channels = config.head_channels
    for module in nn.Sequential(*blocks).modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return nn.Sequential(*blocks)


def _last(config: ModelConfig, outputs: int, bias: float) -> nn.Conv2d:
    """Give a head's last convolution: `outputs` numbers an anchor, its bias filled with one value."""
    conv = nn.Conv2d(config.head_channels, outputs * config.anchors.per_cell, 3, padding=1)
    nn.init.normal_(conv.weight, std=0.01)
    nn.init.constant_(conv.bias, bias)  # type: ignore[arg-type]
    return conv


def prior_bias(prior: float) -> float:
    """Give the logit of the prior, -log((1 - prior) / prior): at the start every anchor says `prior` (section 4.1)."""
    return -math.log((1 - prior) / prior)


class ClassificationHead(nn.Module):
    """Class logits: levels (N, F, H, W) -> levels (N, H * W * A, C)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.conv = tower(config)
        self.cls_logits = _last(config, config.num_classes, prior_bias(config.loss.prior))
        self.num_classes = config.num_classes

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Give logits a level."""
        return [by_anchor(self.cls_logits(self.conv(level)), self.num_classes) for level in levels]


class RegressionHead(nn.Module):
    """Box deltas: levels (N, F, H, W) -> levels (N, H * W * A, 4)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.conv = tower(config)
        self.bbox_reg = _last(config, 4, 0.0)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Give deltas a level."""
        return [by_anchor(self.bbox_reg(self.conv(level)), 4) for level in levels]


def build_heads(config: ModelConfig) -> nn.ModuleDict:
    """Give both heads under torchvision's names."""
    return nn.ModuleDict(
        OrderedDict(classification_head=ClassificationHead(config), regression_head=RegressionHead(config))
    )


def by_anchor(x: Tensor, outputs: int) -> Tensor:
    """Turn (N, A * outputs, H, W) into (N, H * W * A, outputs): a view, no copy, where x is channels_last."""
    n, _, height, width = x.shape
    anchors = x.shape[1] // outputs
    return x.permute(0, 2, 3, 1).reshape(n, height * width * anchors, outputs)
