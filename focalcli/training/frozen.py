"""Training on a frozen backbone: its features are computed apart from the step, or come from a `FeatureStore`.

Each photo passes the backbone padded as it would be alone; its features are then padded with zeros to those of the
batch. So what is known of a photo does not depend on its neighbours' shapes, and a training with a store has the losses
of one without.

Some convolutions round differently in batches of different sizes. So that neither a kill nor what the workers
prepared ahead changes a bit, the views of a batch come from the store all together, or are all computed together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from focalcli.detection.retinanet import RetinaNet
from focalcli.detection.targets import Objects, Targets
from focalcli.ranks.world import World
from focalcli.training.augment import Sample
from focalcli.training.cached_features import open_store
from focalcli.training.feature_store import FeatureStore, View
from focalcli.training.known_targets import KnownTargets
from focalcli.training.prepare import Plan
from focalcli.training.samples import Batch, Key, Samples, objects_of, positions_of


class Loaded(NamedTuple):
    """A batch on its way: the places whose features the store has, and photos of the others, stacked by shape.

    Features do not travel from a worker to the trainer: mapping their files a second time costs less than a copy.
    """

    keys: list[Key]
    objects: Objects
    known: list[int]
    photos: list[tuple[list[int], Tensor]]


@dataclass(frozen=True)
class FrozenSamples:
    """Samples of a data set, or what the store has of them."""

    samples: Samples
    store: FeatureStore | None

    def load(self, keys: Sequence[Key]) -> Loaded:
        """Find views in the store, where it has all that it should have of the batch; else read and change photos."""
        views = self.store.get_all(keys) if self.store else {}
        if self.store:
            self.store.read_ahead([keys[place] for place in views])
        drawn = self._drawn(keys, [place for place in range(len(keys)) if place not in views])
        both = {**views, **drawn}
        objects = objects_of([both[place] for place in range(len(keys))])
        return Loaded(list(keys), objects, list(views), self._grouped(keys, drawn))

    def photos(self, keys: Sequence[Key], places: Sequence[int]) -> list[tuple[list[int], Tensor]]:
        """Read and change photos of a batch; stack those of one padded shape."""
        return self._grouped(keys, self._drawn(keys, places))

    def _drawn(self, keys: Sequence[Key], places: Sequence[int]) -> dict[int, Sample]:
        return {place: self.samples[keys[place]] for place in places}

    def _grouped(self, keys: Sequence[Key], drawn: dict[int, Sample]) -> list[tuple[list[int], Tensor]]:
        """Stack photos whose padded shapes alone are the same; those that the store will hold apart from others."""
        fit, groups = self.samples.fit, dict[tuple[tuple[int, int], bool], list[int]]()
        for place, sample in drawn.items():
            height, width = sample.image.shape[:2]
            held = self.store is not None and self.store.holds(keys[place])
            groups.setdefault((fit.rounded_up((height, width)), held), []).append(place)
        stacks = [fit.pad([drawn[place].image for place in places]) for places in groups.values()]
        return [(places, torch.from_numpy(stack)) for places, stack in zip(groups.values(), stacks, strict=True)]


@dataclass(frozen=True)
class FrozenBackbone:
    """Turns loaded batches into batches of features, and fills the store."""

    model: RetinaNet
    precision: torch.dtype
    samples: FrozenSamples
    known: KnownTargets

    @property
    def store(self) -> FeatureStore | None:
        """Give where features are kept, if anywhere."""
        return self.samples.store

    def batches(self, stream: Iterator[Loaded]) -> Iterator[Batch]:
        """Give each batch with its features."""
        for loaded in stream:
            known = self._levels(loaded)
            views = [known[place] for place in range(len(loaded.keys))]
            features = [padded(levels) for levels in zip(*views, strict=True)] or None
            batch = Batch(_NO_PHOTOS, loaded.objects, positions_of(loaded.keys), features)
            yield batch._replace(targets=self._targets(loaded.keys, batch))

    def _targets(self, keys: list[Key], batch: Batch) -> Targets | None:
        """Give what the batch's anchors should answer, where views come again; on a GPU that is quicker found anew."""
        device = self.model.mean.device
        if not self.store or not batch.features or device.type != "cpu":
            return None
        anchors = torch.cat(self.model.anchors(batch.input_size, device))
        return self.known.of(keys, batch.objects, anchors, batch.input_size)

    def _levels(self, loaded: Loaded) -> dict[int, list[Tensor]]:
        """Give the features of the photos, by place: from the store, which may have them by now, or computed and kept.

        Views that have gone since a worker found them are computed again.
        """
        views = self.store.get_all(loaded.keys) if self.store else {}
        found = {place: view.levels for place, view in views.items()}
        lost = [] if found else loaded.known
        for places, images in (*loaded.photos, *self.samples.photos(loaded.keys, lost)):
            if places[0] in found:
                continue
            levels = [level.permute(0, 2, 3, 1) for level in self._features(images)]
            for row, place in enumerate(places):
                found[place] = [level[row] for level in levels]
                self._keep(loaded, place, found[place])
        return found

    @torch.no_grad()
    def _features(self, images: Tensor) -> list[Tensor]:
        device = self.model.mean.device
        with torch.autocast(device.type, self.precision, enabled=self.precision != torch.float32):
            return self.model.backbone.features(self.model.normalise(images.to(device, non_blocking=True)))

    def _keep(self, loaded: Loaded, place: int, levels: list[Tensor]) -> None:
        if self.store and self.store.holds(loaded.keys[place]):
            boxes, classes, present = (part[place] for part in loaded.objects)
            self.store.put(loaded.keys[place], View(levels, boxes[present].numpy(), classes[present].numpy()))


_NO_PHOTOS = torch.zeros(0, 3, 0, 0, dtype=torch.uint8)


def frozen_backbone(plan: Plan, model: RetinaNet, precision: torch.dtype, world: World) -> FrozenBackbone | None:
    """Give the backbone that a plan does not train, with the store it names; None where it is trained."""
    if plan.config.freeze != "backbone":
        return None
    samples = FrozenSamples(plan.samples(), open_store(plan, model, precision, ranks=world.size))
    return FrozenBackbone(model, precision, samples, KnownTargets(model.config.loss))


def padded(levels: Sequence[Tensor]) -> Tensor:
    """Stack (H, W, C) features of different sizes as (N, C, H, W) in channels_last memory, zeros at right and bottom.

    >>> padded([torch.ones(1, 2, 1), torch.ones(2, 1, 1)]).flatten(1).tolist()
    [[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]]
    """
    height, width = (max(level.shape[axis] for level in levels) for axis in (0, 1))
    shape = (len(levels), height, width, levels[0].shape[2])
    stacked = torch.empty(shape, dtype=levels[0].dtype, device=levels[0].device)
    for row, level in zip(stacked, levels, strict=True):
        rows, columns = level.shape[:2]
        row[:rows, :columns] = level
        row[:rows, columns:].zero_()
        row[rows:].zero_()
    return stacked.permute(0, 3, 1, 2)
