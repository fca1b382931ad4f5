"""Thresholds reach their target where one can, and temperature makes scores honest."""

import numpy as np
import pytest

from focalcli.config import ClassInfo, ModelConfig
from focalcli.errors import UsageError
from focalcli.evaluation.calibrate import calibrate
from focalcli.evaluation.coco import matches_of
from focalcli.evaluation.curves import Curve, class_curves
from focalcli.evaluation.reliability import reliability_of
from focalcli.evaluation.thresholds import Target, choose, choose_all, parse_target, scaled, temperature
from tests.evaluation.cases import dataset, predictions

# falling scores; right, right, wrong, right of 4 objects
CURVE = Curve(np.array([0.9, 0.8, 0.6, 0.4]), np.array([1, 1, 2 / 3, 3 / 4]), np.array([1 / 4, 2 / 4, 2 / 4, 3 / 4]), 4)


@pytest.mark.parametrize(
    ("text", "target"),
    [("f1", ("f1", 0)), ("precision=0.9", ("precision", 0.9)), ("recall=1", ("recall", 1))],
)
def test_targets_are_read(text: str, target: tuple[str, float]) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["", "f1=1", "precision", "recall=2", "recall=0", "ap=0.5", "recall=x"])
def test_other_words_are_no_targets(text: str) -> None:
    with pytest.raises(UsageError, match="is no target"):
        parse_target(text)


@pytest.mark.parametrize(
    ("target", "threshold", "reached"),
    [
        (Target("precision", 1.0), (0.8 + 0.6) / 2, True),  # most recall with it
        (Target("precision", 0.7), 0.4 * 1.99 / 2, True),
        (Target("recall", 0.5), (0.8 + 0.6) / 2, True),  # highest threshold with it
        (Target("recall", 0.9), 0.4 * 1.99 / 2, False),  # nearest
        (Target("f1"), 0.4 * 1.99 / 2, True),
    ],
)
def test_the_threshold_lies_half_way_below_the_score_that_reaches_the_target(
    target: Target, threshold: float, reached: bool
) -> None:
    point, done = choose(CURVE, target)
    assert (point.threshold, done) == (pytest.approx(threshold), reached)


def test_without_objects_or_detections_no_threshold_is_chosen() -> None:
    for data in (dataset(), dataset((0, 0, 0, 0, 9, 9))):
        point, done = choose(class_curves(matches_of(data, predictions()))[0], Target("f1"))
        assert np.isnan(point.threshold) and not done


def many(seed: int, images: int = 60) -> tuple[object, object]:
    """One object an image; detections are right as often as the square of their score says."""
    rng = np.random.default_rng(seed)
    objects = [(i, 0, 10 * k, 10, 9, 9) for i in range(images) for k in range(8)]
    score = rng.uniform(0.05, 1, len(objects))
    right = rng.random(len(objects)) < score**2
    found = [(*row[:3], 10 if hit else 60, 9, 9, s) for row, s, hit in zip(objects, score, right, strict=True)]
    return dataset(*objects, images=images, classes=("cat",)), predictions(*found)


def test_held_out_halves_say_about_the_same() -> None:
    data, found = many(0)
    [row] = choose_all(matches_of(data, found), Target("precision", 0.8), seed=0)
    assert row.reached and row.chosen.precision >= 0.8
    assert row.held_out.precision == pytest.approx(row.chosen.precision, abs=0.08)
    assert row.held_out.recall == pytest.approx(row.chosen.recall, abs=0.08)


def test_temperature_lowers_the_calibration_error_of_overconfident_scores() -> None:
    data, found = many(1, images=200)
    sharp = type(found)(found.xywh, found.image, found.category, scaled(found.score, 0.4))
    heat = temperature(matches_of(data, sharp))
    assert heat > 1.5
    mild = type(found)(found.xywh, found.image, found.category, scaled(sharp.score, heat))
    assert reliability_of(matches_of(data, mild)).ece < reliability_of(matches_of(data, sharp)).ece


def test_temperature_of_nothing_is_one() -> None:
    assert temperature(matches_of(dataset((0, 0, 0, 0, 9, 9)), predictions())) == 1


def test_scaling_by_one_changes_nothing() -> None:
    score = np.array([0.05, 0.5, 0.999])
    assert scaled(score, 1.0) == pytest.approx(score, abs=1e-12)


def test_a_calibrated_model_keeps_the_thresholds_of_classes_it_could_not_judge() -> None:
    config = ModelConfig(classes=(ClassInfo("zebra", 1), ClassInfo("cat", 5)))
    data, found = many(2)
    done = calibrate(config, data, found, Target("recall", 0.5), fit_temperature=False, seed=0)
    zebra, cat = done.config.postprocess.class_thresholds
    assert zebra == config.postprocess.score_threshold
    assert cat == done.classes[0].chosen.threshold
    assert done.config.postprocess.temperature == 1
    assert done.ece_before == pytest.approx(done.ece_after, abs=1e-9)
    # what is applied gives what was promised
    kept = found.take(found.score > cat)
    assert class_curves(matches_of(data, kept))[0].recall[-1] == pytest.approx(done.classes[0].chosen.recall)
