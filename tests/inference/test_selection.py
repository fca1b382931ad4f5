from math import inf

import numpy as np
import pytest
from msgspec.structs import replace

from focalcli.config import PostprocessConfig
from focalcli.errors import UsageError
from focalcli.inference.detections import Detections
from focalcli.inference.options import SelectionConfig
from focalcli.inference.selection import Selection
from tests.inference.mock_runtime import CONFIG

OWN = CONFIG.postprocess


def of(**options: object) -> Selection:
    return Selection.of(CONFIG, SelectionConfig(**options))


def detections(*rows: tuple) -> Detections:
    """Rows of x1, y1, x2, y2, score, class."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64))


def test_by_default_the_model_decides() -> None:
    selection = of()
    assert selection.thresholds == (0.05,) * 3 and selection.done_by_model
    assert selection.postprocess(OWN) == OWN
    own = replace(OWN, class_thresholds=(0.1, 0.2, 0.3))
    assert Selection.of(replace(CONFIG, postprocess=own), SelectionConfig()).postprocess(own) == own


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [("0.5", (0.5, 0.5, 0.5)), ("green=0.9,0.3", (0.3, 0.9, 0.3)), ("blue=0", (0.05, 0.05, 0))],
)
def test_thresholds_for_all_and_for_classes(threshold: str, expected: tuple[float, ...]) -> None:
    assert of(threshold=threshold).thresholds == expected


def test_classes_that_are_not_wanted_reach_no_threshold() -> None:
    assert of(classes="blue, red").thresholds == (0.05, inf, 0.05)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": "red,grene"}, "--classes: the model has no class 'grene', did you mean green?"),
        ({"threshold": "0.1,rd=0.3"}, "--threshold: the model has no class 'rd', did you mean red?"),
        ({"threshold": "high"}, "--threshold: 'high' is no score from 0 to 1"),
        ({"threshold": "red=1.5"}, "--threshold: 'red=1.5' is no score from 0 to 1"),
        ({"threshold": "nan"}, "--threshold: 'nan' is no score from 0 to 1"),
    ],
)
def test_what_the_model_does_not_have_is_named(options: dict, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        of(**options)
    assert str(caught.value).startswith(words)


def test_the_model_is_asked_for_all_that_is_needed() -> None:
    assert of(threshold="0.01").postprocess(OWN).class_thresholds == (0.01,) * 3
    assert of(iou=0.7, max_dets=7).postprocess(OWN) == replace(OWN, nms_iou=0.7, max_detections=7)
    soft = of(nms="soft").postprocess(OWN)
    assert soft == PostprocessConfig(nms_iou=1.0, max_detections=1000)


def test_a_score_equal_to_the_threshold_passes_and_an_empty_box_does_not() -> None:
    found = detections((0, 0, 9, 9, 0.5, 0), (0, 0, 9, 9, 0.3, 1), (4, 0, 4, 9, 0.3, 1), (0, 0, 9, 9, 0.29, 1))
    kept = of(threshold="0.3").passing(found)
    assert kept.scores.tolist() == pytest.approx([0.5, 0.3])


def test_each_class_has_its_own_threshold() -> None:
    found = detections((0, 0, 9, 9, 0.9, 1), (0, 0, 9, 9, 0.8, 1), (0, 0, 9, 9, 0.5, 2), (0, 0, 9, 9, 0.2, 0))
    kept = of(threshold="0.3,green=0.85,red=0.1").passing(found)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.5, 0.2]) and kept.classes.tolist() == [1, 2, 0]


# Two boxes of 10 x 10, one moved by 5: 50 of 150 pixels are shared, IoU 1/3; a third lies apart.
THREE = detections((0, 0, 10, 10, 0.6, 0), (40, 0, 50, 10, 0.5, 0), (5, 0, 15, 10, 0.2, 0))


@pytest.mark.parametrize(("iou", "scores"), [(0.33, [0.6, 0.5]), (0.34, [0.6, 0.5, 0.2])])
def test_boxes_that_overlap_by_more_than_iou_are_one_object(iou: float, scores: list[float]) -> None:
    assert of(iou=iou).suppress(THREE).scores.tolist() == pytest.approx(scores)


def test_weighted_takes_the_mean_of_the_boxes_of_an_object() -> None:
    found = of(nms="weighted", iou=0.3).suppress(THREE)
    # x1: (0 * .6 + 5 * .2) / .8 = 1.25
    np.testing.assert_allclose(found.boxes, [[1.25, 0, 11.25, 10], [40, 0, 50, 10]], atol=1e-5)
    assert found.scores.tolist() == pytest.approx([0.6, 0.5])


def test_soft_lowers_the_scores_of_overlapping_boxes() -> None:
    found = of(nms="soft").suppress(THREE)
    # .2 * exp(-(1/3)^2 / .5) = .2 * .8007
    assert found.scores.tolist() == pytest.approx([0.6, 0.5, 0.2 * np.exp(-2 / 9)])
    assert found.boxes.tolist() == THREE.boxes.tolist()


def test_agnostic_lets_classes_suppress_each_other() -> None:
    found = detections((0, 0, 10, 10, 0.9, 0), (0, 0, 10, 9, 0.8, 1), (50, 0, 60, 10, 0.7, 1))
    assert len(of().suppress(found)) == 3
    assert of(agnostic=True).suppress(found).classes.tolist() == [0, 1]


def test_soft_scores_must_pass_again() -> None:
    found = detections((0, 0, 10, 10, 0.9, 0), (0, 0, 10, 10, 0.3, 0))
    assert len(of(nms="soft", threshold="0.2").suppress(found)) == 1


def test_the_limit_keeps_the_best() -> None:
    found = detections((0, 0, 9, 9, 0.9, 0), (20, 0, 29, 9, 0.8, 0))
    assert of(max_dets=1).first(found, None).scores.tolist() == pytest.approx([0.9])
    assert len(of().first(found, None)) == 2
