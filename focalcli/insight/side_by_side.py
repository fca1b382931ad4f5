"""Last layers trained side by side on the same features, one for each loss, as if each were alone.

All layers start alike but for their prior, see the same photos in the same order, and take the same number of steps.
They are the channels of one convolution, so the features are read once for all; a sum of losses that share no weight
has each loss's own gradient, and Adam treats each weight by itself.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from focalcli.config import LossConfig, ModelConfig
from focalcli.dataset.types import Dataset
from focalcli.detection.heads import by_anchor, prior_bias
from focalcli.detection.losses import classification_loss
from focalcli.detection.retinanet import RetinaNet
from focalcli.insight.observe import observe

STEPS, BATCH, RATE = 160, 4, 3e-3


class Features(NamedTuple):
    """What the last layer sees of one photo, and all that its loss and its detections need."""

    position: int
    tower: list[Tensor]
    deltas: list[Tensor]
    targets: Tensor
    anchors: list[Tensor]
    input_size: tuple[int, int]


def features(model: RetinaNet, dataset: Dataset) -> Iterator[Features]:
    """Compute what stays the same for all losses, photo by photo. Raises as `observe`."""
    head = model.head["classification_head"]
    for photo in observe(model, dataset):
        with torch.no_grad():
            tower = [head.get_submodule("conv")(level.clone()).detach() for level in photo.levels]
        deltas, anchors = [d.clone() for d in photo.outputs.deltas], photo.anchors
        yield Features(photo.position, tower, deltas, photo.targets.classes.clone(), anchors, photo.input_size)


def fit_layers(
    config: ModelConfig, settings: Sequence[LossConfig], photos: Sequence[Features], *, seed: int, steps: int = STEPS
) -> list[nn.Conv2d]:
    """Train a last layer with each loss, from its prior; same seed, same layers."""
    outputs = config.num_classes * config.anchors.per_cell
    device = photos[0].tower[0].device
    generator = torch.Generator().manual_seed(seed)
    one = torch.empty(outputs, config.head_channels, 3, 3).normal_(std=0.01, generator=generator)
    weight = one.repeat(len(settings), 1, 1, 1).to(device).requires_grad_()
    priors = torch.tensor([prior_bias(loss.prior) for loss in settings])
    bias = priors.repeat_interleave(outputs).to(device).requires_grad_()
    optimizer = torch.optim.Adam([weight, bias], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = np.random.default_rng(seed)
    for _ in range(steps):
        chosen = [photos[i] for i in order.choice(len(photos), min(BATCH, len(photos)), replace=False)]
        positives = max(sum(int((photo.targets >= 0).sum()) for photo in chosen), 1)
        optimizer.zero_grad()
        for alike in _of_one_size(chosen):
            (_losses(weight, bias, settings, alike, config.num_classes) / positives).backward()
        optimizer.step()
        schedule.step()
    return [_layer(w.detach(), b.detach()) for w, b in zip(weight.split(outputs), bias.split(outputs), strict=True)]


def logits_of(layer: nn.Conv2d, photo: Features, num_classes: int) -> list[Tensor]:
    """Give what a layer says of one photo, level by level."""
    return [by_anchor(layer(level), num_classes) for level in photo.tower]


def _losses(
    weight: Tensor, bias: Tensor, settings: Sequence[LossConfig], photos: Sequence[Features], num_classes: int
) -> Tensor:
    """Give the sum of all settings' losses on photos of one size, a scalar."""
    towers = [torch.cat(level) for level in zip(*(photo.tower for photo in photos), strict=True)]
    targets = torch.cat([photo.targets for photo in photos])
    anchors = torch.cat(photos[0].anchors)
    # (N, S x A x C, H, W) of every level to (S, N, R, C): one copy, of which each loss reads a part.
    every = [F.conv2d(level, weight, bias, padding=1).permute(0, 2, 3, 1).flatten(1, 2) for level in towers]
    cells = torch.cat(every, dim=1).unflatten(2, (len(settings), -1)).permute(2, 0, 1, 3)
    logits = cells.reshape(len(settings), len(photos), -1, num_classes)
    parts = [
        classification_loss([own], targets, loss, anchors=anchors)
        for own, loss in zip(logits.unbind(), settings, strict=True)
    ]
    return torch.stack(parts).sum()


def _of_one_size(photos: Sequence[Features]) -> Iterator[list[Features]]:
    for _, alike in groupby(sorted(photos, key=lambda photo: photo.input_size), key=lambda photo: photo.input_size):
        yield list(alike)


def _layer(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, device=weight.device)
    with torch.no_grad():
        layer.weight.copy_(weight)
        assert layer.bias is not None
        layer.bias.copy_(bias)
    return layer
