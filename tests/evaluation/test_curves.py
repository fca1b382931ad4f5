"""Precision, recall, F1 and calibration at IoU 0.5, by hand."""

import math

import numpy as np
import pytest

from focalcli.dataset.types import Flag
from focalcli.evaluation.coco import matches_of
from focalcli.evaluation.curves import class_curves, pooled_curve
from focalcli.evaluation.reliability import reliability, reliability_of
from tests.evaluation.cases import dataset, predictions

TWO_CATS = dataset((0, 0, 0, 0, 10, 10), (0, 0, 50, 50, 10, 10))
# hit, miss and hit at equal scores, miss
FOUND = predictions(
    (0, 0, 0, 0, 10, 10, 0.9), (0, 0, 30, 0, 10, 10, 0.6), (0, 0, 50, 50, 10, 10, 0.6), (0, 0, 70, 0, 9, 9, 0.2)
)


def test_a_curve_without_detections_has_no_point() -> None:
    cats, dogs = class_curves(matches_of(TWO_CATS, predictions()))
    assert (len(cats.threshold), cats.objects, dogs.objects) == (0, 2, 0)
    assert cats.best_f1().recall == 0
    assert math.isnan(cats.best_f1().threshold)
    assert math.isnan(dogs.best_f1().recall)


def test_equal_scores_are_one_threshold() -> None:
    cats = class_curves(matches_of(TWO_CATS, FOUND))[0]
    assert cats.threshold.tolist() == [0.9, 0.6, 0.2]
    assert cats.precision == pytest.approx([1, 2 / 3, 2 / 4])
    assert cats.recall == pytest.approx([1 / 2, 1, 1])
    assert cats.f1 == pytest.approx([2 / 3, 4 / 5, 2 / 3])
    assert cats.best_f1() == pytest.approx((0.6, 2 / 3, 1, 4 / 5))


@pytest.mark.parametrize(("threshold", "index"), [(0.9, 0), (0.7, 0), (0.6, 1), (0.0, 2)])
def test_a_threshold_counts_scores_at_or_above_it(threshold: float, index: int) -> None:
    cats = class_curves(matches_of(TWO_CATS, FOUND))[0]
    assert cats.at(threshold).recall == cats.recall[index]


def test_above_all_scores_nothing_is_found() -> None:
    point = class_curves(matches_of(TWO_CATS, FOUND))[0].at(0.95)
    assert (point.recall, point.f1) == (0, 0)
    assert math.isnan(point.precision)


def test_detections_in_crowds_count_neither_way() -> None:
    data = dataset((0, 0, 0, 0, 10, 10), (0, 0, 50, 50, 40, 40), flags={1: Flag.CROWD})
    found = predictions((0, 0, 0, 0, 10, 10, 0.5), (0, 0, 60, 60, 10, 10, 0.9))
    cats = class_curves(matches_of(data, found))[0]
    assert (cats.threshold.tolist(), cats.precision.tolist(), cats.objects) == ([0.5], [1.0], 1)


def test_weights_choose_images() -> None:
    data = dataset((0, 0, 0, 0, 10, 10), (1, 0, 0, 0, 10, 10), images=2)
    found = predictions((0, 0, 0, 0, 10, 10, 0.5), (1, 0, 50, 50, 10, 10, 0.9))
    matches = matches_of(data, found)
    assert class_curves(matches, np.array([1, 0]))[0].precision.tolist() == [1.0]
    assert class_curves(matches, np.array([0, 1]))[0].precision.tolist() == [0.0]


def test_the_pooled_curve_takes_all_classes_as_one() -> None:
    data = dataset((0, 0, 0, 0, 10, 10), (0, 1, 50, 50, 10, 10))
    found = predictions((0, 0, 0, 0, 10, 10, 0.5), (0, 1, 50, 50, 10, 10, 0.9))
    assert pooled_curve(matches_of(data, found)).recall.tolist() == [0.5, 1.0]


def test_honest_scores_have_no_calibration_error() -> None:
    score = np.array([0.75] * 4 + [0.5] * 2)
    assert reliability(score, np.array([1, 1, 1, 0, 1, 0], bool)).ece == pytest.approx(0)


def test_calibration_error_is_the_weighted_gap() -> None:
    """Two bins: 3 at 0.9, one right (gap 0.9 - 1/3); 1 at 0.2, right (gap 0.8)."""
    result = reliability(np.array([0.9, 0.9, 0.9, 0.2]), np.array([1, 0, 0, 1], bool))
    assert result.ece == pytest.approx((3 * (0.9 - 1 / 3) + 0.8) / 4)
    assert [(row.low, row.number) for row in result.bins] == [(0.1, 1), (0.8, 3)]


def test_without_detections_calibration_is_unknown() -> None:
    assert math.isnan(reliability_of(matches_of(TWO_CATS, predictions())).ece)
