"""One optimiser step: targets of all its batches, one normaliser, then loss and gradient batch by batch.

The positives are counted over every batch of the step, on all ranks, before any gradient is taken. So the result does
not depend on how the photos of a step are split into batches and over ranks.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from focalcli.config import LossConfig
from focalcli.detection.box_losses import box_loss, predicted_quality
from focalcli.detection.losses import SOFT_KINDS, classification_loss
from focalcli.detection.retinanet import HeadOutputs, RetinaNet
from focalcli.detection.targets import Objects, Targets, build_targets
from focalcli.ranks.world import World
from focalcli.training.samples import Batch


@dataclass(frozen=True, slots=True)
class StepLosses:
    """What one step cost, summed over ranks: the two losses over the positives, and how many there were."""

    classification: float
    box: float
    positives: int
    forced: int
    gradient_norm: float

    @property
    def total(self) -> float:
        """Give the sum that was minimised."""
        return self.classification + self.box


def losses(outputs: HeadOutputs, targets: Targets, config: LossConfig, anchors: Tensor) -> Tensor:
    """Give classification and box loss (2,) of a batch as sums, not yet divided; anchors (R, 4) of all levels.

    The logits are used up.
    """
    deltas = torch.cat(outputs.deltas, 1).flatten(0, 1)[targets.positives].float()
    quality = predicted_quality(deltas, targets) if config.kind in SOFT_KINDS else None
    classification = classification_loss(outputs.logits, targets.classes, config, quality, anchors, last_use=True)
    box = box_loss(deltas, targets.deltas, targets.anchors, targets.boxes, config) * config.box_weight
    return torch.stack([classification, box])


@dataclass
class Stepper:
    """Everything a step needs and keeps: the network, its optimiser, the number format, the world."""

    model: RetinaNet
    optimizer: torch.optim.Optimizer
    world: World
    precision: torch.dtype
    clip_norm: float
    compile: bool = False

    def __post_init__(self) -> None:
        """Join the ranks' gradients by torch's own DistributedDataParallel; scale them only in float16.

        Compiled, the network is the same module with the same weights.
        """
        self.scaler = torch.amp.GradScaler(self.world.device.type, enabled=self.precision == torch.float16)
        self._network: nn.Module = self.model
        if self.compile:
            self._network = cast(nn.Module, torch.compile(self.model))
        if self.world.size > 1:
            self._network = DistributedDataParallel(self._network, gradient_as_bucket_view=True)

    def run(self, batches: Sequence[Batch]) -> StepLosses:
        """Take one step on the batches of this rank and give its losses; weights change in place."""
        device = self.world.device
        batches = [batch for batch in batches if len(batch.positions)]
        objects = [Objects(*(part.to(device, non_blocking=True) for part in batch.objects)) for batch in batches]
        targets = [self._targets(batch, found) for batch, found in zip(batches, objects, strict=True)]
        counts = torch.tensor([sum(len(t.positives) for t in targets), 0], device=device)
        counts[1] = sum(t.forced.sum() for t in targets)
        counts = self.world.sum(counts)
        parts = torch.zeros(2, device=device)
        self.optimizer.zero_grad(set_to_none=True)
        for i, (batch, target) in enumerate(zip(batches, targets, strict=True)):
            with self._joined(last=i == len(batches) - 1):
                part = self._losses(batch, target) / counts[0].clamp(min=1)
                # Ranks' gradients are averaged, so each weighs its own by their number to make a sum.
                self.scaler.scale(part.sum() * self.world.size).backward()
            parts += part.detach()
        if not batches:
            self._join_without_photos()
        norm = self._clipped_norm()
        # The one wait for the device that a step ends with: what to do next depends on these numbers.
        told = torch.cat([self.world.sum(parts), counts.float(), norm[None]]).tolist()
        done = StepLosses(told[0], told[1], int(told[2]), int(told[3]), told[4])
        if math.isfinite(done.total):
            self._update()
        return done

    def autocast(self) -> torch.autocast:
        """Give the number format in which the network computes, to run it in."""
        return torch.autocast(self.world.device.type, self.precision, enabled=self.precision != torch.float32)

    def _targets(self, batch: Batch, objects: Objects) -> Targets:
        return batch.targets or build_targets(objects, self._anchors(batch), self.model.config.loss)

    def _anchors(self, batch: Batch) -> Tensor:
        return torch.cat(self.model.anchors(batch.input_size, self.world.device))

    def _losses(self, batch: Batch, target: Targets) -> Tensor:
        seen = [part.to(self.world.device, non_blocking=True) for part in batch.features or [batch.images]]
        with self.autocast():
            outputs = self._network(seen if batch.features else seen[0])
        return losses(outputs, target, self.model.config.loss, self._anchors(batch))

    def _joined(self, *, last: bool) -> AbstractContextManager[None]:
        """Join the ranks' gradients in the last backward pass of the step only."""
        if isinstance(self._network, DistributedDataParallel) and not last:
            no_sync: AbstractContextManager[None] = self._network.no_sync()
            return no_sync
        return nullcontext()

    def _join_without_photos(self) -> None:
        """Take part in joining gradients with zeros, where this rank has no photo in this step."""
        if self.world.size > 1:
            outputs = self._network(torch.zeros(1, 3, 32, 32, dtype=torch.uint8, device=self.world.device))
            (sum(level.sum() for levels in outputs for level in levels) * 0.0).backward()

    def _clipped_norm(self) -> Tensor:
        """Clip the gradient and give its norm (); 0 where no photo has given any."""
        trained = [p for p in self.model.parameters() if p.grad is not None]
        if not trained:
            return torch.zeros((), device=self.world.device)
        self.scaler.unscale_(self.optimizer)
        return nn.utils.clip_grad_norm_(trained, self.clip_norm or float("inf"))

    def _update(self) -> None:
        """Move the weights, where there is a gradient."""
        if any(p.grad is not None for p in self.model.parameters()):
            self.scaler.step(self.optimizer)
            self.scaler.update()
