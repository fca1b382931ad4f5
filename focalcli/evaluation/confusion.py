"""Which class is taken for which: objects and detections meet by overlap alone."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from focalcli.evaluation.columns import Floats, Ints, Predictions, Truth
from focalcli.evaluation.matches import match
from focalcli.evaluation.settings import Settings


class Confusion(NamedTuple):
    """matrix (C + 1, C + 1): rows are annotated classes, columns detected ones, the last of each is background.

    `thresholds` (C,): the scores from which detections count.
    """

    matrix: Ints
    thresholds: Floats


def confusion(truth: Truth, predictions: Predictions, thresholds: Floats, *, iou: float = 0.5) -> Confusion:
    """Count pairs that overlap by `iou`; the best scored detection chooses first, whatever the classes.

    An object nobody found counts in the last column, a detection of nothing in the last row; what lies in a crowd
    does not count.
    """
    counts = predictions.score >= thresholds[predictions.category]
    found = predictions.take(counts)
    alone = replace(truth, category=np.zeros_like(truth.category), num_categories=1)
    settings = Settings(iou=(iou,), max_dets=(max(len(found), 1),), areas={"all": (0.0, np.inf)})
    matches = match(alone, replace(found, category=np.zeros_like(found.category)), settings)
    partner = matches.partners(0)
    detected = found.category[matches.row]
    background = truth.num_categories
    annotated = np.where(partner >= 0, np.append(truth.category, background)[partner], background)
    in_region = np.append(truth.region, False)[partner]
    missed = np.setdiff1d(np.flatnonzero(~truth.region), partner)
    rows = np.concatenate([annotated[~in_region], truth.category[missed]])
    columns = np.concatenate([detected[~in_region], np.full(len(missed), background)])
    matrix = np.zeros((background + 1, background + 1), np.int64)
    np.add.at(matrix, (rows, columns), 1)
    return Confusion(matrix, thresholds)
