"""Do scores mean what they say: of detections scored 0.8, are eight in ten right?"""

from typing import NamedTuple

import numpy as np

from focalcli.evaluation.columns import Bools, Floats
from focalcli.evaluation.matches import IGNORED, TRUE, Matches

BINS = 10


class Bin(NamedTuple):
    """Detections with scores in (low, high], the first bin with 0: how many, mean score, share that is right."""

    low: float
    high: float
    number: int
    score: float
    right: float


class Reliability(NamedTuple):
    """The bins that hold detections, and the expected calibration error: the mean gap, weighted by detections."""

    bins: tuple[Bin, ...]
    ece: float


def reliability(score: Floats, right: Bools) -> Reliability:
    """Compare the scores (n,) of detections with whether they are right (n,) (Guo et al. 2017, arXiv 1706.04599)."""
    place = np.clip(np.ceil(score * BINS).astype(int) - 1, 0, BINS - 1)
    bins = tuple(
        Bin(i / BINS, (i + 1) / BINS, int(here.sum()), float(score[here].mean()), float(right[here].mean()))
        for i in range(BINS)
        if (here := place == i).any()
    )
    gaps = sum(row.number * abs(row.score - row.right) for row in bins)
    return Reliability(bins, gaps / len(score) if len(score) else float("nan"))


def reliability_of(matches: Matches) -> Reliability:
    """Judge all detections that count, at IoU 0.5 (`Settings.analysis_iou`)."""
    fate = matches.fates(matches.settings.analysis_iou)
    counts = fate != IGNORED
    return reliability(matches.score[counts], fate[counts] == TRUE)
