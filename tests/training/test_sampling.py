"""How often an epoch shows a photo: factors by hand, exact counts, and the sizes of a step."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from focalcli.config import FitConfig
from focalcli.dataset.types import Dataset
from focalcli.ranks.world import World
from focalcli.train_config import TrainConfig
from focalcli.training.prepare import scales
from focalcli.training.samples import COPY, BatchPlan, Key
from focalcli.training.sampling import copies, drawn, length, repeats, weights
from tests.training.test_tiles import dataset


def photos(*classes: list[int]) -> Dataset:
    """Give a data set of photos with one object for each class named."""
    whole = dataset(None, *[(0, 0, 9, 9)] * sum(map(len, classes)))
    image = np.repeat(np.arange(len(classes)), [len(found) for found in classes])
    category = np.array([number for found in classes for number in found], np.int64)
    return replace(
        whole, images=whole.images * len(classes), boxes=replace(whole.boxes, image=image, category=category)
    )


def test_every_photo_once_unless_asked() -> None:
    assert weights(photos([0], []), TrainConfig()) is None


def test_factors_by_hand() -> None:
    """Class 1 is in 1 of 4 photos: sqrt(0.64 / 0.25) = 1.6; class 0 in 3 of 4: its factor is below 1, so 1."""
    found = weights(photos([0], [0, 1, 1], [0], []), TrainConfig(balance=0.64))
    assert found is not None and found == pytest.approx([1, 1.6, 1, 1])
    assert repeats(np.zeros(0, np.int64), np.zeros(0, np.int64), 2, threshold=0.5).tolist() == [1, 1]


def test_empty_photos_are_held_to_their_share() -> None:
    """Three photos with objects and a share of 1/4: one of the six empty ones on average; never more than all."""
    data = photos([0], [0], [0], *[[]] * 6)
    found = weights(data, TrainConfig(empty_share=0.25))
    assert found is not None and found == pytest.approx([1, 1, 1] + [1 / 6] * 6) and length(found) == 4
    everything = weights(data, TrainConfig(empty_share=0.9))
    assert everything is not None and everything.tolist() == [1] * 9


def test_an_epoch_shows_each_photo_as_often_as_its_weight_rounded() -> None:
    found = np.array([1, 1.6, 2.3, 0.25, 0.25, 0.6])
    seen = [drawn(found, np.random.default_rng(epoch)) for epoch in range(400)]
    assert {len(order) for order in seen} == {6}
    counts = np.array([np.bincount(order, minlength=6) for order in seen])
    assert (counts >= np.floor(found)).all() and (counts <= np.ceil(found)).all()
    assert counts.mean(0) == pytest.approx(found, abs=0.08)


def test_a_repeated_photo_is_changed_anew() -> None:
    plan = BatchPlan(photos([0], [1]), 4, 0, World(0, 1, torch.device("cpu")), weights=np.array([1.0, 3.0]))
    keys = sorted(key for step in plan.step_keys(5) for batch in step for key in batch)
    assert keys == [Key(5, 0), Key(5, 1), Key(5 + COPY, 1), Key(5 + 2 * COPY, 1)]
    fixed = replace(plan, views=2)
    assert {key.draw for step in fixed.step_keys(5) for batch in step for key in batch if key.position == 1} == {0, 1}
    assert copies(np.zeros(0, np.int64)).tolist() == []


def test_sizes_of_a_step_are_multiples_of_the_divisor_and_the_same_for_all_ranks() -> None:
    """400 px, a quarter less or more: 320, 352, 384, 416, 448, 480."""
    found = scales(FitConfig(400, 672), 0.25)
    assert [round(scale * 400) for scale in found] == [320, 352, 384, 416, 448, 480]
    data = photos(*[[0]] * 8)
    plans = [BatchPlan(data, 1, 0, World(r, 2, torch.device("cpu")), scales=found) for r in (0, 1)]
    sizes = [[{key.scale for batch in step for key in batch} for step in plan.step_keys(0)] for plan in plans]
    assert sizes[0] == sizes[1] and len(set.union(*sizes[0])) > 1
