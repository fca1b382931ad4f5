"""RetinaNet: backbone, feature pyramid P3 to P7, two heads. From RGB bytes to logits and deltas, level by level.

Targets and losses are in `targets.py`, detections in `postprocess.py`: this module is the network and nothing else.
"""

from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from focalcli.config import ModelConfig
from focalcli.detection.anchors import pyramid_anchors
from focalcli.detection.backbones import build_backbone
from focalcli.detection.frozen_norm import fold_frozen_norms
from focalcli.detection.heads import build_heads
from focalcli.detection.plain_conv import train_quicker


class HeadOutputs(NamedTuple):
    """What the heads say, a tensor a level from P3 to P7: logits (N, R_l, C), deltas (N, R_l, 4)."""

    logits: list[Tensor]
    deltas: list[Tensor]


class TopLevels(LastLevelP6P7):  # type: ignore[misc]  # torchvision has no types
    """P6 and P7, always in float32: they cost next to nothing.

    oneDNN's bfloat16 gradient of a 3 x 3 convolution of stride 2 on a single cell reads memory that nobody wrote (torch
    2.14.1; tests/detection/test_retinanet.py shows when it can go).
    """

    def forward(self, p: list[Tensor], c: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        """Add P6 and P7 to `p`; arguments as torchvision's FeaturePyramidNetwork gives them."""
        kind = c[-1].device.type
        if not torch.is_autocast_enabled(kind):
            return self._added(p, c, names)
        with torch.autocast(kind, enabled=False):
            source = (p if self.use_P5 else c)[-1].float()
            added, names = self._added([source], [source], names)
            return [*p, *added[1:]], names

    def _added(self, p: list[Tensor], c: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        levels: tuple[list[Tensor], list[str]] = super().forward(p, c, names)
        return levels


class Backbone(nn.Module):
    """Body and pyramid together, under torchvision's names `body` and `fpn`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.body, channels, self.stages = build_backbone(
            config.backbone, config.backbone_norm_eps, stride_in_1x1=config.backbone_stride_in_1x1
        )
        width = config.pyramid_channels
        top = TopLevels(width if config.pyramid_top == "p5" else channels[-1], width)
        top.use_P5 = config.pyramid_top == "p5"  # torchvision guesses it from equal counts of channels
        self.fpn = FeaturePyramidNetwork(channels, width, extra_blocks=top)

    def features(self, images: Tensor) -> list[Tensor]:
        """Give C3, C4, C5 of normalised images (N, 3, H, W)."""
        return list(self.body(images))

    def pyramid(self, features: list[Tensor]) -> list[Tensor]:
        """Give P3 to P7 from C3, C4, C5."""
        named = OrderedDict((str(i), feature) for i, feature in enumerate(features))
        return list(self.fpn(named).values())


class RetinaNet(nn.Module):
    """The detector's network. Parameter names are torchvision's, so its state dicts load unchanged."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.head = build_heads(config)
        # On the CPU even where the weights are only outlined: see `checkpoint`.
        mean, std = (torch.tensor(values, device="cpu").view(1, 3, 1, 1) * 255 for values in (config.mean, config.std))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("scale", 1 / std, persistent=False)
        self._anchors: dict[tuple[int, int, torch.device], list[Tensor]] = {}

    def normalise(self, images: Tensor) -> Tensor:
        """Turn RGB (N, 3, H, W) in 0..255, bytes or floats, into what the backbone was trained on."""
        return (images.to(self.mean.dtype) - self.mean) * self.scale

    def forward(self, images: Tensor | list[Tensor]) -> HeadOutputs:
        """Run the network on RGB images (N, 3, H, W) in 0..255, or on their C3 to C5; H and W multiples of 32."""
        features = images if isinstance(images, list) else self.backbone.features(self.normalise(images))
        return self.predict(self.backbone.pyramid(features))

    def predict(self, levels: list[Tensor]) -> HeadOutputs:
        """Run the heads on P3 to P7."""
        return HeadOutputs(self.head["classification_head"](levels), self.head["regression_head"](levels))

    def anchors(self, image_size: tuple[int, int], device: torch.device) -> list[Tensor]:
        """Give the anchors of an input of this size, one (R_l, 4) tensor a level, kept for the next call."""
        key = (*image_size, device)
        if key not in self._anchors:
            with torch.inference_mode(False):  # a later training step may use them too
                self._anchors[key] = [level.to(device) for level in pyramid_anchors(self.config.anchors, image_size)]
        return self._anchors[key]

    def load_torchvision(self, state: dict[str, Tensor]) -> None:
        """Load a state dict of torchvision's RetinaNet; its batch counters have no meaning here and are dropped."""
        own = self.state_dict()
        self.load_state_dict({k: v for k, v in state.items() if k in own or not k.endswith("num_batches_tracked")})


def build_retinanet(config: ModelConfig) -> RetinaNet:
    """Give a RetinaNet with random weights, frozen batch norm folded away, in channels_last memory."""
    model = RetinaNet(config)
    fold_frozen_norms(model.backbone.body)
    train_quicker(model)
    model.to(memory_format=torch.channels_last)
    return model
