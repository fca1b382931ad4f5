"""Average precision as Pascal VOC computes it: IoU 0.5, difficult objects ignored.

VOCevaldet.m: each detection goes for the object it overlaps most, taken or not; the second to come is false. All-point
is the area under the falling envelope (2010 on), 11-point the mean of its height at recall 0, 0.1, ... 1 (2007).
"""

import numpy as np

from focalcli.dataset.types import Dataset, Flag
from focalcli.evaluation.columns import Bools, Floats, Predictions, truth_of
from focalcli.evaluation.metrics import Table
from focalcli.evaluation.overlaps import groups, overlaps

VOC_IOU = 0.5


def voc_average_precision(dataset: Dataset, predictions: Predictions) -> Table:
    """Give `VOC` (all points) and `VOC07` (11 points) by class (C,), NaN where a class has no object that counts."""
    truth = truth_of(dataset)
    difficult = truth.region | ((dataset.boxes.flags & int(Flag.DIFFICULT)) != 0)
    order = np.lexsort((-predictions.score, predictions.category))
    found = predictions.take(order)
    detection, candidate, iou = overlaps(truth, found.xywh, groups(truth, found.image, found.category), VOC_IOU)
    best = np.lexsort((candidate, -iou, detection))
    first = best[np.flatnonzero(np.diff(detection[best], prepend=-1))]
    target = np.full(len(found), -1)
    target[detection[first]] = candidate[first]
    hit = target >= 0
    true = hit & ~np.append(difficult, False)[target]
    _, earliest = np.unique(np.where(true, target, -1), return_index=True)
    only = np.zeros(len(found), np.bool_)
    only[earliest] = True
    counts = ~(hit & np.append(difficult, False)[target])
    table: Table = {"VOC": np.full(truth.num_categories, np.nan), "VOC07": np.full(truth.num_categories, np.nan)}
    for category in range(truth.num_categories):
        here = (found.category == category) & counts
        objects = int(((truth.category == category) & ~difficult).sum())
        if objects:
            table["VOC"][category], table["VOC07"][category] = _areas((true & only)[here], objects)
    return table


def _areas(true: Bools, objects: int) -> tuple[float, float]:
    """Give the area under the envelope, and its mean at 11 recalls, of detections in falling order of score."""
    recall: Floats = np.cumsum(true) / objects
    precision = np.cumsum(true) / np.arange(1, len(true) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    area = float((envelope * np.diff(recall, prepend=0.0)).sum())
    heights = np.append(envelope, 0.0)[np.searchsorted(recall, np.linspace(0, 1, 11), side="left")]
    return area, float(heights.mean())
