"""Anchor studies count what the anchors do, and fitting helps where the anchors do not suit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from focalcli.config import ClassInfo, ModelConfig
from focalcli.dataset.types import Boxes, Category, Dataset, Flag, Image
from focalcli.errors import DataError
from focalcli.insight.anchors import as_settings, fitted, study, what_if

MODEL = ModelConfig(classes=(ClassInfo("cell", 0),))


def dataset(sides: list[tuple[float, float]], size: tuple[int, int] = (320, 320)) -> Dataset:
    """One photo for each object, near its middle, each a pixel further from the cells' centres than the one before."""
    n = len(sides)
    w, h = np.array(sides, np.float64).reshape(-1, 2).T
    x, y = (side / 2 + 4 + np.arange(n) % 8 - half / 2 for side, half in ((size[0], w), (size[1], h)))
    ints = np.zeros(n, np.int64)
    boxes = Boxes(np.stack([x, y, x + w, y + h], 1), np.arange(n), ints, ints, w * h, ints, ints, ints)
    images = tuple(Image(f"{i}.jpg", None, size[0], size[1]) for i in range(n))
    return Dataset((Category("cell", 0),), images, boxes, Path("photos"))


def test_no_objects_and_no_classes_are_refused_in_one_line() -> None:
    with pytest.raises(DataError, match="photos: holds no object, anchors are measured on annotated objects"):
        study(dataset([]), MODEL)
    with pytest.raises(DataError, match="photos: holds no class"):
        study(replace(dataset([(9, 9)]), categories=()), MODEL)


def test_every_object_is_covered_forced_or_lost() -> None:
    """32 x 32 is an anchor's own shape; 10 x 10 overlaps the smallest at most (10 / 32)^2; 6 x 300 no shape well."""
    numbers = study(dataset([(32, 32), (10, 10), (6, 300)]), MODEL).summary()
    assert (numbers["objects"], numbers["covered"], numbers["forced"], numbers["lost"]) == (3, 1, 2, 0)


def test_crowds_are_no_objects() -> None:
    data = dataset([(32, 32), (10, 10)])
    flags = np.array([0, int(Flag.CROWD)])
    assert study(replace(data, boxes=replace(data.boxes, flags=flags)), MODEL).summary()["objects"] == 1


def test_classes_sizes_and_levels_each_hold_all_objects() -> None:
    report = study(dataset([(32, 32), (50, 50), (150, 120), (10, 10)]), MODEL).as_dict()
    for group in ("classes", "sizes", "levels"):
        assert sum(row["objects"] for row in report[group].values()) == 4


def test_fitted_anchors_cover_small_objects() -> None:
    data = dataset([(11 + i % 5, 12 + i % 4) for i in range(40)])
    better = fitted(data, MODEL)
    assert better.sizes[0] < 20
    rows = what_if(data, MODEL)
    assert rows["now"]["covered_share"] == 0 and rows["fitted"]["covered_share"] > 0.5
    assert as_settings(better).startswith(f"[train]\nanchor_size = {better.sizes[0]:.4g}\nanchor_ratios = [")
