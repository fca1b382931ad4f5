"""Every option that changes what an epoch shows: the same seed gives the same bytes, however many workers load."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from focalcli.ranks.world import World
from focalcli.training.deliveries import deliveries
from focalcli.training.prepare import prepare
from focalcli.training.samples import Batch
from tests.training.small import FAST

ALONE = World(0, 1, torch.device("cpu"))
EVERYTHING = {"augment": "strong", "multi_scale": 0.5, "balance": 0.9, "empty_share": 0.1, "tile": 64, "views": 1}
MORE = {"batch": 3, "epochs": 2, "force": True}


def shown(data: Path, **changes: Any) -> list[Batch]:
    """Give the batches of two epochs."""
    plan = prepare(msgspec.structs.replace(FAST, **MORE, **changes), data)
    batch_plan = plan.batches(ALONE)
    steps: Iterator[list[Batch]] = deliveries(plan, batch_plan, None, pin=False, from_step=0)
    return [batch for _ in range(2 * batch_plan.steps) for batch in next(steps)]


def same(one: list[Batch], other: list[Batch]) -> bool:
    """Say whether photos, objects and positions are equal to the last bit."""
    tensors = [[(b.images, *b.objects, b.positions) for b in batches] for batches in (one, other)]
    return len(one) == len(other) and all(
        a.shape == b.shape and torch.equal(a, b)
        for x, y in zip(*tensors, strict=True)
        for a, b in zip(x, y, strict=True)
    )


@pytest.mark.parametrize("option", EVERYTHING)
def test_a_seed_decides_everything(squares: Path, option: str) -> None:
    change = {option: EVERYTHING[option]}
    one = shown(squares, **change)
    assert same(one, shown(squares, **change))
    assert not same(one, shown(squares, **change, seed=1))
    assert not same(one, shown(squares))


@pytest.mark.e2e
def test_workers_change_nothing_with_all_of_them(squares: Path) -> None:
    assert same(shown(squares, **EVERYTHING), shown(squares, **EVERYTHING, workers=2))
