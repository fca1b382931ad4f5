"""Confusions, kinds of errors, slices and worst images, each on a case small enough to see."""

import math

import numpy as np
import pytest

from focalcli.dataset.types import Flag
from focalcli.errors import UsageError
from focalcli.evaluation.coco import evaluate, matches_of
from focalcli.evaluation.columns import truth_of
from focalcli.evaluation.confusion import confusion
from focalcli.evaluation.error_kinds import KINDS, error_kinds
from focalcli.evaluation.reasons import explain, operating_thresholds, reasons_as_dict
from focalcli.evaluation.settings import COCO
from focalcli.evaluation.slices import by_crowding, by_folder, by_size, by_split
from focalcli.evaluation.worst import judge_images
from tests.evaluation.cases import dataset, predictions

CAT, DOG = 0, 1
# One of each: a cat and a dog, 20 x 20, apart.
DATA = dataset((0, CAT, 0, 0, 20, 20), (0, DOG, 60, 60, 20, 20))


def test_confusion_counts_rows_as_annotated_and_columns_as_detected() -> None:
    found = predictions((0, DOG, 0, 0, 20, 20, 0.9), (0, DOG, 30, 30, 9, 9, 0.9), (0, CAT, 60, 60, 20, 20, 0.1))
    matrix = confusion(truth_of(DATA), found, np.array([0.5, 0.5])).matrix
    #        cat dog nothing
    assert matrix.tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0]]
    assert confusion(truth_of(DATA), found, np.array([0.0, 0.5])).matrix.tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]


def test_confusion_of_nothing_is_all_missed_and_crowds_are_no_mistake() -> None:
    assert confusion(truth_of(DATA), predictions(), np.zeros(2)).matrix.tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]
    crowd = dataset((0, CAT, 0, 0, 50, 50), flags={0: Flag.CROWD})
    assert confusion(truth_of(crowd), predictions((0, DOG, 5, 5, 9, 9, 1.0)), np.zeros(2)).matrix.sum() == 0


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        ((0, CAT, 9, 0, 20, 20, 0.8), "localisation"),  # IoU 11/29 with the cat
        ((0, DOG, 0, 0, 20, 20, 0.8), "class"),
        ((0, CAT, 0, 0, 20, 20, 0.8), "duplicate"),
        ((0, CAT, 40, 40, 9, 9, 0.8), "background"),
        ((0, DOG, 9, 0, 20, 20, 0.8), "both"),
    ],
)
def test_each_kind_of_error(extra: tuple[float, ...], kind: str) -> None:
    """Both objects are found; one more detection is wrong in one way."""
    right = ((0, CAT, 0, 0, 20, 20, 0.9), (0, DOG, 60, 60, 20, 20, 0.9))
    errors = error_kinds(truth_of(DATA), predictions(*right, extra))
    assert {name: number for name, number in errors.counts.items() if number} == {kind: 1}


def test_an_object_without_any_box_near_it_is_missed_and_costs_its_share() -> None:
    """The dog is missed: AP50 is (1 + 0) / 2; without the dog it would be the cat's 1."""
    errors = error_kinds(truth_of(DATA), predictions((0, CAT, 0, 0, 20, 20, 0.9)))
    assert errors.counts["missed"] == 1
    assert (errors.ap, errors.costs["missed"]) == pytest.approx((0.5, 0.5))


def test_an_object_nearly_found_is_repaired_by_that_detection() -> None:
    errors = error_kinds(truth_of(DATA), predictions((0, CAT, 0, 0, 20, 20, 0.9), (0, DOG, 69, 60, 20, 20, 0.9)))
    assert errors.counts["missed"] == 0
    assert errors.costs["localisation"] == pytest.approx(0.5)


def test_without_detections_all_is_missed() -> None:
    errors = error_kinds(truth_of(DATA), predictions())
    assert errors.counts == dict.fromkeys(KINDS, 0) | {"missed": 2}


def test_slices_are_evaluations_of_their_images() -> None:
    rng = np.random.default_rng(0)
    objects = [(int(i), int(rng.integers(2)), *rng.uniform(0, 60, 2), 20, 20) for i in np.sort(rng.integers(0, 6, 20))]
    found = predictions(*((*row[:2], row[2] + rng.normal(0, 3), *row[3:], rng.random()) for row in objects))
    data = dataset(
        *objects, images=6, keys=[f"{'ab'[i % 2]}/{i}.jpg" for i in range(6)], splits=["train"] * 2 + ["val"] * 4
    )
    matches = matches_of(data, found)
    for parts, wanted in ((by_folder(data, matches), [0, 2, 4]), (by_split(data, matches), [0, 1])):
        alone = data.take_images(np.array(wanted))
        here = found.take(np.isin(found.image, wanted))
        moved = type(here)(here.xywh, np.searchsorted(wanted, here.image), here.category, here.score)
        assert parts[0].values == pytest.approx(evaluate(alone, moved).values, abs=1e-12, nan_ok=True)
        assert parts[0].images == len(wanted)
        assert sum(part.objects for part in parts) == 20


def test_crowding_parts_every_image_once() -> None:
    data = dataset(*[(2, CAT, 5 * i, 0, 4, 4) for i in range(6)], (1, CAT, 0, 0, 5, 5), images=3)
    parts = by_crowding(matches_of(data, predictions()))
    assert [(part.name, part.images, part.objects) for part in parts] == [("0", 1, 0), ("1", 1, 1), ("5 to 9", 1, 6)]
    assert math.isnan(parts[0].values["AP"])


def test_size_bins_are_sides_in_pixels() -> None:
    data = dataset((0, CAT, 0, 0, 10, 10), (0, CAT, 40, 40, 30, 30))
    small, large = by_size(data, predictions((0, CAT, 0, 0, 10, 10, 0.5)), [20], COCO)
    assert (small.name, small.objects, large.name, large.objects) == ("< 20", 1, "> 20", 1)
    assert (small.values["AP"], large.values["AP"]) == pytest.approx((1, 0))
    with pytest.raises(UsageError):
        by_size(data, predictions(), [20, 10], COCO)


def test_the_worst_image_has_most_mistakes_and_says_why() -> None:
    data = dataset((0, CAT, 0, 0, 20, 20), (1, CAT, 0, 0, 20, 20), (1, DOG, 50, 50, 20, 20), images=3)
    found = predictions((0, CAT, 0, 0, 20, 20, 0.9), (1, DOG, 30, 0, 9, 9, 0.9), (2, CAT, 0, 0, 9, 9, 0.1))
    verdicts = judge_images(error_kinds(truth_of(data), found), np.array([0.5, 0.5]))
    assert [verdict.image for verdict in verdicts] == [1, 0, 2]
    assert verdicts[0].why == "2 missed, 1 background"
    assert (verdicts[0].f1, verdicts[1].f1, verdicts[2].f1) == (0, 1, 1)
    assert verdicts[1].why == verdicts[2].why == "nothing wrong"


def test_thresholds_are_of_best_f1_and_a_class_without_one_takes_that_of_all() -> None:
    data = dataset((0, CAT, 0, 0, 20, 20))
    found = predictions((0, CAT, 0, 0, 20, 20, 0.7), (0, CAT, 50, 50, 20, 20, 0.3), (0, DOG, 5, 5, 9, 9, 0.1))
    assert operating_thresholds(matches_of(data, found)).tolist() == [0.7, 0.7]
    assert operating_thresholds(matches_of(data, predictions())).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("rows", [(), ((0, CAT, 0, 0, 20, 20, 0.9),)], ids=["nothing", "one"])
def test_reasons_can_be_told_of_any_case(rows: tuple[tuple[float, ...], ...]) -> None:
    for data in (DATA, dataset(images=2)):
        told = reasons_as_dict(explain(data, predictions(*rows), COCO))
        assert list(told) == ["errors", "confusion", "calibration", "slices", "worst"]
