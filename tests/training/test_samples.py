"""Batches: every photo once an epoch, the same whatever the workers, split over ranks without loss."""

from pathlib import Path

import numpy as np
import pytest
import torch

from focalcli.config import ClassInfo, model_config
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Dataset, Image, no_boxes
from focalcli.errors import DataError
from focalcli.images.fit import Fit
from focalcli.ranks.world import World
from focalcli.training.augment import Augmentation
from focalcli.training.samples import Batch, BatchPlan, Key, Samples, batches

ALONE = World(0, 1, torch.device("cpu"))
FIT = Fit.of(model_config("lite0", (ClassInfo("a", 1),)))


def samples(folder: Path, strength: str = "light") -> Samples:
    dataset = read_dataset(folder, split="train")
    return Samples(dataset, FIT, Augmentation(strength, flip="both", fill=(128, 128, 128)), seed=3)


def positions(plan: BatchPlan, epoch: int) -> list[int]:
    return [key[1] for step in plan.step_keys(epoch) for batch in step for key in batch]


def test_every_photo_comes_once_an_epoch_in_a_new_order(squares: Path) -> None:
    plan = BatchPlan(samples(squares).dataset, batch=3, seed=0, world=ALONE)
    assert plan.steps == 3
    assert sorted(positions(plan, 0)) == sorted(positions(plan, 1)) == list(range(8))
    assert positions(plan, 0) != positions(plan, 1)
    assert plan.step_keys(1) == plan.step_keys(1)


def test_ranks_share_a_step_without_doubles(squares: Path) -> None:
    """The steps of two ranks with batch 2 hold the photos of one rank with batch 4."""
    dataset = samples(squares).dataset
    one = BatchPlan(dataset, batch=4, seed=0, world=ALONE).step_keys(0)
    two = [BatchPlan(dataset, batch=2, seed=0, world=World(r, 2, ALONE.device)).step_keys(0) for r in (0, 1)]
    for whole, left, right in zip(one, *two, strict=True):
        assert whole == [left[0] + right[0]]


def test_accumulated_batches_hold_the_same_photos(squares: Path) -> None:
    dataset = samples(squares).dataset
    one = BatchPlan(dataset, batch=4, seed=0, world=ALONE).step_keys(0)
    parts = BatchPlan(dataset, batch=2, seed=0, world=ALONE, group=2).step_keys(0)
    assert [[a + b] for a, b in parts] == one


def test_windows_of_like_shapes_do_not_depend_on_the_split() -> None:
    """300 photos of many shapes, more than one window of 16 steps holds."""
    shapes = np.random.default_rng(0).integers(50, 100, (300, 2))
    images = tuple(Image(str(i), None, int(w), int(h)) for i, (w, h) in enumerate(shapes))
    dataset = Dataset((), images, no_boxes(), Path())
    one = BatchPlan(dataset, batch=8, seed=0, world=ALONE).step_keys(3)
    other = BatchPlan(dataset, batch=2, seed=0, world=ALONE, group=4).step_keys(3)
    assert [[key for batch in step for key in batch] for step in other] == [step[0] for step in one]


def test_more_ranks_than_photos_leaves_batches_empty(squares: Path) -> None:
    dataset = samples(squares).dataset
    plans = [BatchPlan(dataset, batch=4, seed=0, world=World(r, 16, ALONE.device)) for r in range(16)]
    assert {plan.steps for plan in plans} == {1}
    assert sum(len(plan.step_keys(0)[0][0]) for plan in plans) == 8


@pytest.mark.parametrize("strength", ["none", "light", "strong"])
def test_a_sample_depends_on_seed_epoch_and_position_only(squares: Path, strength: str) -> None:
    one, other = samples(squares, strength), samples(squares, strength)
    other[Key(0, 1)]  # having drawn before must not matter
    for key in (Key(0, 0), Key(0, 1), Key(5, 0)):
        assert (one[key].image == other[key].image).all() and (one[key].boxes == other[key].boxes).all()
    if strength != "none":
        assert any(one[Key(0, i)].image.tobytes() != one[Key(1, i)].image.tobytes() for i in range(4))


def test_boxes_stay_inside_and_keep_their_classes(squares: Path) -> None:
    drawn = samples(squares, "strong")
    for epoch in range(4):
        for position in range(8):
            sample = drawn[Key(epoch, position)]
            height, width = sample.image.shape[:2]
            assert sample.boxes.shape == (len(sample.classes), 4)
            assert (sample.boxes[:, :2] >= 0).all() and (sample.boxes[:, 2:] > sample.boxes[:, :2]).all()
            assert (sample.boxes[:, 2] <= width + 1e-3).all() and (sample.boxes[:, 3] <= height + 1e-3).all()


@pytest.mark.e2e
def test_workers_change_nothing(squares: Path) -> None:
    drawn = samples(squares)
    keys = [batch for step in BatchPlan(drawn.dataset, 4, 0, ALONE).step_keys(0) for batch in step]

    def collect(workers: int) -> list[Batch]:
        return list(batches(drawn, keys, workers=workers, pin=False))

    for one, other in zip(collect(0), collect(2), strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.positions, other.positions)
        assert all(torch.equal(a, b) for a, b in zip(one.objects, other.objects, strict=True))


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.e2e)])
def test_a_broken_photo_is_named(tmp_path: Path, workers: int) -> None:
    from tests.training.small import write_squares

    drawn = samples(write_squares(tmp_path))
    broken = drawn.dataset.images[2].path
    assert broken is not None
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(DataError, match=broken.name):
        list(batches(drawn, [[Key(0, 1)], [Key(0, 2)]], workers=workers, pin=False))
