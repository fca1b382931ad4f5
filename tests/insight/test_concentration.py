"""Shares of the loss by hand, and that gamma moves the loss to the hard examples."""

import numpy as np
import pytest

from focalcli.insight.concentration import _CENTRES, Wrongness, as_csv, shares, summary


def counts(objects: dict[float, int], background: dict[float, int]) -> Wrongness:
    columns = []
    for side in (objects, background):
        column = np.zeros(len(_CENTRES), np.int64)
        for z, count in side.items():
            column[np.abs(_CENTRES - z).argmin()] += count
        columns.append(column)
    return Wrongness(*columns, 0.01)


def test_a_side_without_examples_is_left_out() -> None:
    assert [share.side for share in shares(counts({}, {0.0: 3}), [2.0])] == ["background"]
    assert "objects_hardest_20%" not in summary(counts({}, {0.0: 3}), [2.0])["gammas"][0]


def test_the_share_of_the_hardest_by_hand() -> None:
    """99 easy at z = -4 and one hard at z = 4: CE softplus(4) = 4.018 against 99 x .01815, so 69 % in the hardest."""
    [share] = shares(counts({}, {-4.0: 99, 4.0: 1}), [0.0])
    assert share.of_hardest(0.01) == pytest.approx(4.018 / (4.018 + 99 * 0.01815), rel=0.01)


def test_gamma_moves_the_loss_to_the_hardest() -> None:
    spread = counts({0.0: 10, 2.0: 5}, {float(z): 1000 for z in range(-8, 0)} | {2.0: 20})
    rows = summary(spread)["gammas"]
    hardest = [row["background_hardest_1%"] for row in rows]
    assert hardest == sorted(hardest) and hardest[0] < 0.7 < hardest[-1]
    ratios = [row["ratio"] / (row["alpha"] / (1 - row["alpha"])) for row in rows]
    assert ratios == sorted(ratios)


def test_the_csv_has_a_curve_a_side_and_gamma() -> None:
    lines = as_csv(shares(counts({0.0: 1}, {0.0: 1}), [0.0, 2.0])).splitlines()
    assert lines[0] == "side,gamma,examples,loss" and len(lines) == 1 + 4 * 200
    assert lines[-1] == "background,2,1,1"
