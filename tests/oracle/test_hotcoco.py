"""Kinds of errors and calibration equal hotcoco's, an independent program that follows tidecv."""

import numpy as np
import pytest

from focalcli.evaluation.coco import matches_of
from focalcli.evaluation.columns import truth_of
from focalcli.evaluation.confusion import confusion
from focalcli.evaluation.error_kinds import KINDS, error_kinds
from focalcli.evaluation.reliability import reliability_of
from tests.oracle.test_pycocotools import as_dataset, as_predictions, random_case

hotcoco = pytest.importorskip("hotcoco", reason="the oracle hotcoco is not installed")

THEIR_KINDS = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")


@pytest.mark.parametrize("seed", range(20))
def test_reasons_equal_hotcoco(seed: int) -> None:
    """Scores are all different: with ties, which of two errors is repaired is chance."""
    coco, results = random_case(seed, images=8, classes=3, objects=40, detections=120, decimals=2)
    for row, score in zip(results, np.random.default_rng(seed).permutation(len(results)), strict=True):
        row["score"] = (float(score) + 0.5) / len(results)
    for row in coco["annotations"]:
        row["iscrowd"] = 0
    dataset, predictions = as_dataset(coco), as_predictions(coco, results)
    truth = hotcoco.COCO(coco)
    theirs = hotcoco.COCOeval(truth, truth.load_res(results), "bbox")
    theirs.evaluate()
    ours, tide = error_kinds(truth_of(dataset), predictions), theirs.tide_errors()
    assert [ours.counts[kind] for kind in KINDS] == [tide["counts"][kind] for kind in THEIR_KINDS]
    assert ours.ap == pytest.approx(tide["ap_base"], abs=1e-12)
    assert [ours.costs[kind] for kind in KINDS] == pytest.approx(
        [tide["delta_ap"][kind] for kind in THEIR_KINDS], abs=1e-9
    )
    ece = theirs.calibration(n_bins=10)["ece"]
    assert reliability_of(matches_of(dataset, predictions)).ece == pytest.approx(ece, abs=1e-9)
    matrix = confusion(truth_of(dataset), predictions, np.zeros(3)).matrix
    assert np.array_equal(matrix, theirs.confusion_matrix(iou_thr=0.5, max_det=1000)["matrix"])
