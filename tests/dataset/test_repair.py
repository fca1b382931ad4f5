"""Boxes are made sound by arithmetic; what changed is told by masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalcli.dataset.repair import repair


def fix(*box: float, size: tuple[float, float] = (100, 50)) -> tuple[list[float], dict[str, bool]]:
    fixed = repair(np.array([box], dtype=np.float64), np.array([size], dtype=np.float64))
    masks = {name: bool(getattr(fixed, name)[0]) for name in ("infinite", "swapped", "empty", "clipped", "rounded")}
    return fixed.xyxy[0].tolist(), {name: True for name, on in masks.items() if on}


def test_no_boxes_need_nothing() -> None:
    fixed = repair(np.zeros((0, 4)), np.zeros((0, 2)))
    assert fixed.xyxy.shape == (0, 4) and fixed.empty.shape == (0,)


@pytest.mark.parametrize(
    ("box", "result", "masks"),
    [
        ((1, 2, 3, 4), [1, 2, 3, 4], set()),
        ((0, 0, 100, 50), [0, 0, 100, 50], set()),
        ((3, 4, 1, 2), [1, 2, 3, 4], {"swapped"}),
        ((-5, 2, 3, 60), [0, 2, 3, 50], {"clipped"}),
        ((-0.5, 2, 3, 4), [0, 2, 3, 4], {"rounded"}),
        ((-0.51, 2, 3, 4), [0, 2, 3, 4], {"clipped"}),
        ((5, 5, 5, 9), [5, 5, 5, 9], {"empty"}),
        ((101, 5, 109, 9), [100, 5, 100, 9], {"empty"}),
        ((9, 5, -3, 9), [0, 5, 9, 9], {"swapped", "clipped"}),
    ],
)
def test_each_fault_is_repaired_and_told(box: tuple[float, ...], result: list[float], masks: set[str]) -> None:
    fixed, told = fix(*box)
    assert fixed == result and set(told) == masks


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_told_and_nothing_else(value: float) -> None:
    assert fix(value, 2, 3, 4)[1] == {"infinite": True}


boxes = st.lists(st.floats(-200, 200), min_size=4, max_size=4)


@given(boxes)
def test_a_repaired_box_lies_inside_and_needs_no_repair(box: list[float]) -> None:
    fixed, told = fix(*box)
    if "empty" in told:
        return
    x0, y0, x1, y1 = fixed
    assert 0 <= x0 < x1 <= 100 and 0 <= y0 < y1 <= 50
    assert fix(*fixed) == (fixed, {})
