"""What a score threshold does: precision, recall and F1 of each class at every threshold, and the best of them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from focalcli.evaluation.columns import Floats, Ints
from focalcli.evaluation.matches import IGNORED, TRUE, Matches


class Point(NamedTuple):
    """Precision, recall and F1 of the scores of at least `threshold`; NaN where there is nothing to divide by."""

    threshold: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Curve:
    """k thresholds, the distinct scores of a class in falling order, with what they give (k,); and its objects.

    Detections that are ignored (on crowds) do not count. Recall and F1 are NaN where there is no object.
    """

    threshold: Floats
    precision: Floats
    recall: Floats
    objects: int

    @property
    def f1(self) -> Floats:
        """Give the harmonic mean of precision and recall, 0 where both are 0."""
        total = self.precision + self.recall
        return np.divide(2 * self.precision * self.recall, total, out=np.zeros_like(total), where=total != 0)

    def at(self, threshold: float) -> Point:
        """Give the point of a threshold: that of the lowest score at or above it."""
        index = int(np.searchsorted(-self.threshold, -threshold, side="right")) - 1
        if index < 0:
            return Point(threshold, float("nan"), 0.0 if self.objects else float("nan"), 0.0)
        return Point(threshold, *(float(values[index]) for values in (self.precision, self.recall, self.f1)))

    def best_f1(self) -> Point:
        """Give the point of the highest F1, the highest threshold among equals; NaN without objects or detections."""
        if not len(self.threshold) or not self.objects:
            return Point(float("nan"), float("nan"), 0.0 if self.objects else float("nan"), float("nan"))
        return self.at(float(self.threshold[int(np.argmax(self.f1))]))


def class_curves(matches: Matches, weights: Ints | None = None) -> tuple[Curve, ...]:
    """Give the curve of each class at IoU 0.5 (`Settings.analysis_iou`); `weights` says how often an image counts."""
    fate = matches.fates(matches.settings.analysis_iou)
    weights = np.ones(matches.truth.num_images, np.int64) if weights is None else weights
    counted = matches.counted[0]
    owner, kind = matches.truth.image[counted], matches.truth.category[counted]
    objects = np.bincount(kind, weights[owner], matches.truth.num_categories).astype(int)
    kept = np.flatnonzero((fate != IGNORED) & (weights[matches.image] > 0))
    bounds = np.searchsorted(matches.category[kept], np.arange(matches.truth.num_categories + 1))
    weight, true = weights[matches.image[kept]], fate[kept] == TRUE
    return tuple(
        _curve(matches.score[kept[a:b]], true[a:b] * weight[a:b], weight[a:b], int(number))
        for a, b, number in zip(bounds[:-1], bounds[1:], objects, strict=True)
    )


def _curve(score: Floats, true: Ints, count: Ints, objects: int) -> Curve:
    """Count along falling scores; equal scores are one threshold."""
    last = np.flatnonzero(np.diff(score, append=-np.inf))
    found = np.cumsum(true)[last]
    recall = found / objects if objects else np.full(len(last), np.nan)
    return Curve(score[last], found / np.cumsum(count)[last], recall, objects)


def pooled_curve(matches: Matches) -> Curve:
    """Give the curve of all classes together, as if they were one."""
    fate = matches.fates(matches.settings.analysis_iou)
    order = np.argsort(-matches.score, kind="stable")
    order = order[fate[order] != IGNORED]
    true = (fate[order] == TRUE).astype(np.int64)
    return _curve(matches.score[order], true, np.ones_like(true), int(matches.counted[0].sum()))
