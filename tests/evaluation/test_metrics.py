"""AP and AR by hand; what pycocotools says of harder cases is in tests/oracle/test_pycocotools.py."""

import math

import numpy as np
import pytest

from focalcli.dataset.types import Flag
from focalcli.evaluation.coco import evaluate, matches_of
from focalcli.evaluation.metrics import mean_over_classes, per_class
from focalcli.evaluation.settings import Settings
from tests.evaluation.cases import dataset, predictions

ONE = Settings(iou=(0.5,), max_dets=(100,), areas={"all": (0.0, 1e10)})


def test_without_objects_there_is_no_number() -> None:
    values = evaluate(dataset(images=2), predictions((0, 0, 0, 0, 10, 10, 0.9))).values
    assert len(values) == 12
    assert all(math.isnan(value) for value in values.values())


def test_without_detections_every_number_with_objects_is_zero() -> None:
    values = evaluate(dataset((0, 0, 10, 10, 20, 20)), predictions()).values
    assert values["AP"] == values["AP50"] == values["AR100"] == values["APs"] == 0
    assert math.isnan(values["APl"])


def test_a_perfect_answer_scores_one() -> None:
    values = evaluate(dataset((0, 0, 10, 10, 20, 20)), predictions((0, 0, 10, 10, 20, 20, 0.3))).values
    assert values["AP"] == pytest.approx(1, abs=1e-15)
    assert values["AR1"] == 1


def test_average_precision_by_hand() -> None:
    """Two objects; hit, miss, hit by score: precision 1 up to recall .5 (51 points), 2/3 beyond (50 points)."""
    data = dataset((0, 0, 0, 0, 10, 10), (0, 0, 50, 50, 10, 10), classes=("cat",))
    found = predictions((0, 0, 0, 0, 10, 10, 0.9), (0, 0, 30, 0, 10, 10, 0.8), (0, 0, 50, 50, 10, 10, 0.7))
    metrics = evaluate(data, found, ONE)
    assert metrics.values["AP"] == pytest.approx((51 * 1 + 50 * 2 / 3) / 101, abs=1e-12)
    assert metrics.classes[0].objects == 2


def test_recall_keeps_the_best_detections_of_each_image() -> None:
    data = dataset((0, 0, 0, 0, 10, 10), (0, 0, 50, 50, 10, 10), classes=("cat",))
    found = predictions((0, 0, 0, 0, 10, 10, 0.9), (0, 0, 50, 50, 10, 10, 0.7))
    values = evaluate(data, found, Settings(iou=(0.5,), max_dets=(1, 2))).values
    assert (values["AR1"], values["AR2"]) == (0.5, 1.0)


def test_crowds_are_neither_missed_nor_false() -> None:
    """Two detections in a crowd are ignored, so the one on the object is alone and right."""
    data = dataset((0, 0, 0, 0, 50, 50), (0, 0, 60, 60, 20, 20), classes=("cat",), flags={0: Flag.CROWD})
    found = predictions((0, 0, 0, 0, 9, 9, 0.9), (0, 0, 20, 20, 9, 9, 0.8), (0, 0, 60, 60, 20, 20, 0.7))
    assert evaluate(data, found, ONE).values["AP"] == pytest.approx(1, abs=1e-12)


def test_a_class_without_objects_does_not_count_in_the_mean() -> None:
    metrics = evaluate(dataset((0, 0, 0, 0, 10, 10)), predictions((0, 0, 0, 0, 10, 10, 1), (0, 1, 5, 5, 9, 9, 1)))
    assert metrics.ap50 == pytest.approx(1, abs=1e-12)
    assert math.isnan(metrics.classes[1].values["AP"])


def test_weights_measure_the_data_set_in_which_images_are_repeated() -> None:
    rng = np.random.default_rng(0)
    objects = [(int(i), int(rng.integers(2)), *rng.uniform(0, 60, 2), 20, 20) for i in rng.integers(0, 4, 12)]
    found = [(*row[:2], row[2] + rng.normal(0, 4), row[3], 20, 20, rng.random()) for row in objects * 2]
    matches = matches_of(dataset(*objects, images=4), predictions(*found))
    times = np.array([2, 0, 1, 3])
    # image i becomes times[i] images of the same content
    place = {(i, k): int(times[:i].sum()) + k for i in range(4) for k in range(times[i])}
    repeated = dataset(
        *((place[row[0], k], *row[1:]) for row in objects for k in range(times[row[0]])), images=int(times.sum())
    )
    again = predictions(*((place[row[0], k], *row[1:]) for row in found for k in range(times[row[0]])))
    assert mean_over_classes(per_class(matches, times)) == pytest.approx(
        evaluate(repeated, again).values, abs=1e-12, nan_ok=True
    )
