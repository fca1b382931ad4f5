"""From a data set to batches: read, change, fit, stack. What a sample is depends on the seed and its key only."""

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data import Dataset as TorchDataset

from focalcli.dataset.types import Dataset, Flag
from focalcli.detection.targets import Objects, Targets, pad_objects
from focalcli.errors import FocalError
from focalcli.images.decode import Pixels, read_image
from focalcli.images.fit import Fit
from focalcli.images.sizes import MAX_PIXELS
from focalcli.images.tiff import open_windows
from focalcli.images.tiles import Tile
from focalcli.ranks.world import World
from focalcli.training.augment import Augmentation, Sample
from focalcli.training.mixtures import mixed
from focalcli.training.sampling import Weights, copies, drawn, length
from focalcli.training.whereabouts import Whereabouts

_NOT_OBJECTS = int(Flag.CROWD | Flag.IGNORE)


class Key(NamedTuple):
    """Names a sample: which drawing of changes, position in `Dataset.images`, and the size, in parts of the usual.

    The drawing is the epoch, unless views are fixed; a photo that an epoch repeats is drawn as if `COPY` epochs later.
    """

    draw: int
    position: int
    scale: float = 1.0


COPY = 1 << 20


class Batch(NamedTuple):
    """Photos (N, 3, H, W) uint8, channels_last, their objects, and their positions (N,) in the data set.

    Where the backbone is frozen, its features C3 to C5 stand for the photos, and `images` is empty; `targets` may be
    known already.
    """

    images: Tensor
    objects: Objects
    positions: Tensor
    features: list[Tensor] | None = None
    targets: Targets | None = None

    @property
    def input_size(self) -> tuple[int, int]:
        """Give (H, W) of the network input; C3 has an eighth of it."""
        height, width = self.images.shape[-2:] if self.features is None else self.features[0].shape[-2:]
        return (height, width) if self.features is None else (height * 8, width * 8)


@dataclass(frozen=True)
class Samples(TorchDataset[Sample]):
    """The photos of a data set as fitted, changed samples, by key."""

    dataset: Dataset
    fit: Fit
    augmentation: Augmentation
    seed: int
    tiles: tuple[Tile, ...] | None = None  # where each photo of the data set lies in its file

    def __getitem__(self, key: Key) -> Sample:
        """Read, change and fit one photo. Raises what `read_image` raises."""
        seed = sample_seed(self.seed, key.draw, key.position)
        changed = self.augmentation(self._mixed(key.position, seed), seed)
        size = (changed.image.shape[0], changed.image.shape[1])
        fit = self.fit if key.scale == 1 else self.fit.scaled(key.scale)
        return Sample(fit.apply(changed.image), fit.forward_boxes(changed.boxes, size), changed.classes)

    def _mixed(self, position: int, seed: int) -> Sample:
        """Read a photo; where augmentation is strong, make a mixture of it and others."""
        sample = self.original(position)
        if not self.augmentation.mixes:
            return sample
        generator, count = np.random.default_rng(seed), len(self.dataset.images)
        return mixed(sample, self.original, count, generator=generator, fill=self.fit.fill)

    def original(self, position: int) -> Sample:
        """Read one photo or tile as it is. Raises what `read_image` raises."""
        image = self.dataset.images[position]
        assert image.path is not None, f"{image.key}: no photo"
        pixels = read_image(image.path) if self.tiles is None else read_tile(image.path, self.tiles[position])
        return Sample(pixels, *self._objects(position))

    def load(self, keys: Sequence[Key]) -> Batch:
        """Make a batch: pad photos to one size and objects to one count."""
        samples = [self[key] for key in keys]
        images = torch.from_numpy(self.fit.pad([sample.image for sample in samples]))
        return Batch(images, objects_of(samples), positions_of(keys))

    def _objects(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Give boxes and classes of a photo; crowds and ignored regions are no objects to learn."""
        boxes = self.dataset.boxes
        start, end = np.searchsorted(boxes.image, [position, position + 1])
        rows = np.arange(start, end)[boxes.flags[start:end] & _NOT_OBJECTS == 0]
        return boxes.xyxy[rows], boxes.category[rows]


def read_tile(path: Path, tile: Tile) -> Pixels:
    """Read a part of a photo; of a TIFF that allows it no more than that part."""
    y, x, height, width = tile
    photo = open_windows(path, max_pixels=MAX_PIXELS) or read_image(path)
    return np.ascontiguousarray(photo[y : y + height, x : x + width])


def sample_seed(seed: int, epoch: int, position: int) -> int:
    """Give the seed of one sample, well mixed, the same on every machine and in every process."""
    return int(np.random.SeedSequence((seed, epoch, position)).generate_state(1)[0])


def objects_of(samples: Sequence[Any]) -> Objects:
    """Pad the objects of samples, `boxes` and `classes`, to one count."""
    boxes = [torch.from_numpy(sample.boxes).float() for sample in samples]
    return pad_objects(boxes, [torch.from_numpy(sample.classes) for sample in samples])


def positions_of(keys: Sequence[Key]) -> Tensor:
    """Give the positions (N,) in the data set."""
    return torch.tensor([key.position for key in keys], dtype=torch.long)


class Source(Protocol):
    """Makes batches of keys."""

    def load(self, keys: Sequence[Key], /) -> Any:
        """Make a batch."""


class _Delivery(TorchDataset[Any]):
    """Batches of a source. An unreadable photo's error is delivered too: a worker would mangle it."""

    def __init__(self, source: Source, whereabouts: Whereabouts | None) -> None:
        self.source, self.whereabouts = source, whereabouts

    def __getitems__(self, keys: Sequence[Key]) -> Any:
        worker = get_worker_info()
        if worker and self.whereabouts:
            self.whereabouts.reads(worker.id, [key.position for key in keys])
        try:
            return self.source.load(keys)
        except FocalError as error:
            return error


def _as_it_is(batch: Any) -> Any:
    return batch


@dataclass(frozen=True)
class BatchPlan:
    """Which positions form which batch of an epoch: shuffled, photos of like shape together, dealt to the ranks."""

    dataset: Dataset
    batch: int
    seed: int
    world: World
    group: int = 1  # batches that make one step: every step has all of them, on every rank
    views: int = 0  # fixed drawings of a photo that epochs take in turns; 0 draws anew each epoch
    weights: Weights | None = None  # how often an epoch shows each photo; None: once
    scales: tuple[float, ...] = (1.0,)  # sizes of a step, in parts of the usual, drawn anew for each

    @property
    def steps(self) -> int:
        """Give the number of optimiser steps of an epoch; the last one may be smaller than the others."""
        photos = len(self.dataset.images) if self.weights is None else length(self.weights)
        return max(-(-photos // self._photos_a_step), 1)

    @property
    def _photos_a_step(self) -> int:
        return self.batch * self.world.size * self.group

    def step_keys(self, epoch: int) -> list[list[list[Key]]]:
        """Give for each step of the epoch the keys of this rank's `group` batches; a batch may be empty at the end."""
        generator = np.random.default_rng(np.random.SeedSequence((self.seed, epoch)))
        order = self._grouped_by_shape(self._positions(generator))
        draws = (epoch + copies(order)) % self.views if self.views else epoch + copies(order) * COPY
        ranks = self.world.size * self.group
        steps = []
        for part in np.array_split(np.stack([draws, order], 1), self.steps):
            batches = np.array_split(part, ranks)
            mine = batches[self.world.rank * self.group : (self.world.rank + 1) * self.group]
            steps.append([[(int(draw), int(position)) for draw, position in batch] for batch in mine])
        generator.shuffle(steps)
        scales = generator.choice(self.scales, len(steps)).tolist()
        return [[[Key(*key, scale) for key in b] for b in s] for s, scale in zip(steps, scales, strict=True)]

    def _positions(self, generator: np.random.Generator) -> np.ndarray:
        """Give the photos of an epoch, shuffled."""
        if self.weights is None:
            return generator.permutation(len(self.dataset.images))
        return drawn(self.weights, generator)

    def _grouped_by_shape(self, order: np.ndarray) -> np.ndarray:
        """Sort by aspect ratio within windows of 16 steps, however these are split: little padding, new mixtures."""
        ratio = np.array([image.height / max(image.width, 1) for image in self.dataset.images])
        window = 16 * self._photos_a_step
        parts = [order[i : i + window] for i in range(0, len(order), window)]
        return np.concatenate([part[np.argsort(ratio[part], kind="stable")] for part in parts]) if parts else order


def _leave_signals_to_the_parent(worker: int) -> None:
    """Go on when a terminal or a scheduler signals the whole group: the parent finishes its step, then ends us."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def batches(
    source: Source,
    keys: Sequence[list[Key]],
    *,
    workers: int,
    pin: bool,
    whereabouts: Whereabouts | None = None,
    timeout: float = 0,
) -> Iterator[Any]:
    """Give what the source makes of each list of keys, in order, prepared ahead by worker processes.

    Raises:
        DataError, InputNotFound: a photo cannot be read; the first in order is named.
        RuntimeError: a worker was killed, or gave nothing for `timeout` seconds; `whereabouts` knows what it read.
    """
    loader = DataLoader(
        _Delivery(source, whereabouts),
        batch_sampler=keys,
        collate_fn=_as_it_is,
        num_workers=workers,
        pin_memory=pin,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_leave_signals_to_the_parent,
        timeout=timeout if workers else 0,
    )
    for batch in loader:
        if isinstance(batch, FocalError):
            raise batch
        yield batch
