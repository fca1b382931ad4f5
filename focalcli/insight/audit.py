"""Where labels and a model that has not seen them disagree, ranked by what the disagreement costs in loss.

missing   a detection where no label is:            loss of its score as background, -log(1 - s), times how free it is
spurious  a label that no detection supports:       -log of the strongest support, s * IoU, of any class
class     a label whose place another class claims: difference of the losses of both classes
loose     a label whose box a detection contradicts: loss of its overlap against what detections usually overlap

All four read the same detections, and support of a label counts by score and overlap together, because a confident
detection beside a label says little about it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from focalcli.dataset.types import Dataset, Flag
from focalcli.evaluation.columns import Floats, Ints, Predictions
from focalcli.training.coverage import learnable

Kind = Literal["missing", "spurious", "class", "loose"]
KINDS: tuple[Kind, ...] = ("missing", "spurious", "class", "loose")

_SAME_PLACE = 0.5  # overlap from which two boxes speak of one object
_STILL_ITS_OWN = 0.25  # overlap below which a detection is not a better box for a label, but another object
_FLOOR = 0.01  # score of what was not detected at all: the prior of a new model


@dataclass(frozen=True, slots=True)
class Finding:
    """A label to look at. row: of `Dataset.boxes`, -1 for a missing object; box and category: the suggestion, xyxy.

    loss: the higher, the surer; comparable within a kind. image: position in `Dataset.images`.
    """

    kind: Kind
    image: int
    row: int
    box: tuple[float, float, float, float]
    category: int
    loss: float


def audit(dataset: Dataset, predictions: Predictions) -> list[Finding]:
    """Give all findings, each kind sorted by loss, the surest first; one for every label and kind, however small.

    `predictions` hold low scores too: a model's detections from 0.05 up. Photos nobody has labelled are left out.
    """
    rows = learnable(dataset)
    boxes = dataset.boxes
    every = np.arange(len(dataset.images) + 1)
    label_bounds = np.searchsorted(boxes.image[rows], every)
    regions = np.flatnonzero(boxes.flags & int(Flag.CROWD | Flag.IGNORE))
    region_bounds = np.searchsorted(boxes.image[regions], every)
    order = np.lexsort((-predictions.score, predictions.image))
    found = predictions.take(order)
    bounds = np.searchsorted(found.image, every)
    findings: list[Finding] = []
    usual = _usual_overlap(dataset, found)
    for image in np.flatnonzero([photo.labelled for photo in dataset.images]).tolist():
        mine = rows[label_bounds[image] : label_bounds[image + 1]]
        seen = found.take(np.arange(bounds[image], bounds[image + 1]))
        around = boxes.xyxy[regions[region_bounds[image] : region_bounds[image + 1]]]
        findings += _of_image(dataset, image, mine, seen, around, usual)
    return sorted(findings, key=lambda f: (KINDS.index(f.kind), -f.loss, f.image, f.row))


def _of_image(
    dataset: Dataset, image: int, rows: Ints, seen: Predictions, regions: Floats, usual: Floats
) -> list[Finding]:
    labels, own = dataset.boxes.xyxy[rows], dataset.boxes.category[rows]
    spots = _xyxy(seen.xywh)
    overlap = pairwise_iou(labels, spots)
    findings = _missing(image, spots, seen, overlap, pairwise_iou(regions, spots))
    # A detection speaks of the label it overlaps most: in a crowd it touches others too.
    nearest = overlap.argmax(axis=0) if len(rows) else np.zeros(len(spots), np.int64)
    for position, row in enumerate(rows):
        strongest = (seen.score * np.clip(overlap[position] / _SAME_PLACE, 0, 1)).max(initial=_FLOOR)
        findings.append(_finding("spurious", image, int(row), labels[position], int(own[position]), -np.log(strongest)))
        near = np.flatnonzero((nearest == position) & (overlap[position] > 0.1))
        label = int(row), labels[position], int(own[position])
        findings += _of_label(image, label, spots[near], seen.take(near), overlap[position, near], usual)
    return findings


def _missing(image: int, spots: Floats, seen: Predictions, overlap: Floats, region: Floats) -> list[Finding]:
    """Give one finding for each place with a detection: the strongest of the place speaks, of whatever class."""
    covered = overlap.max(axis=0, initial=0.0)
    free = np.clip(1 - covered / _SAME_PLACE, 0, 1)
    free[region.max(axis=0, initial=0.0) > 0] = 0
    findings, taken = [], np.zeros(len(spots), bool)
    among = pairwise_iou(spots, spots)
    for i in range(len(spots)):  # scores descend
        if not taken[i] and free[i] > 0:
            loss = -np.log1p(-min(float(seen.score[i]), 0.9999)) * float(free[i])
            findings.append(_finding("missing", image, -1, spots[i], int(seen.category[i]), loss))
        taken |= among[i] >= _SAME_PLACE
    return findings


def _of_label(
    image: int, label: tuple[int, Floats, int], spots: Floats, near: Predictions, overlap: Floats, usual: Floats
) -> list[Finding]:
    """Give the class and the loose finding of a label (row, box, class) from the detections that speak of it."""
    row, box, own = label
    support = near.score * np.clip(overlap / _SAME_PLACE, 0, 1)
    claim = _strongest(support, near.category == own)
    findings = []
    other = near.category != own
    if other.any():
        best = int(np.argmax(np.where(other, support, -1)))
        rival = max(float(support[best]), _FLOOR)
        # Loss of the label's class less loss of the rival: both at the place, each with its complement.
        loss = (-np.log(claim) - np.log1p(-min(rival, 0.99))) - (-np.log(rival) - np.log1p(-min(claim, 0.99)))
        findings.append(_finding("class", image, row, box, int(near.category[best]), float(loss)))
    touching = overlap >= _STILL_ITS_OWN
    if touching.any():
        best = int(np.argmax(touching * near.score * overlap * np.where(near.category == own, 1.0, 0.5)))
        lack = max(-np.log(max(float(overlap[best]), 1e-6)) + np.log(usual[own]), 0.0)
        findings.append(_finding("loose", image, row, spots[best], own, float(near.score[best]) * lack))
    return findings


def _usual_overlap(dataset: Dataset, found: Predictions) -> Floats:
    """Give for each class the median overlap of labels with their strongest detection: boxes of some are vaguer."""
    rows = learnable(dataset)
    boxes, spots = dataset.boxes, _xyxy(found.xywh)
    start, end = (np.searchsorted(found.image, boxes.image[rows], side) for side in ("left", "right"))
    usual: list[list[float]] = [[] for _ in dataset.categories]
    for row, low, high in zip(rows, start, end, strict=True):
        overlap = pairwise_iou(boxes.xyxy[row : row + 1], spots[low:high])[0]
        good = overlap >= _SAME_PLACE
        if good.any():
            usual[boxes.category[row]].append(float(overlap[good][0]))
    return np.array([np.median(values) if values else 1.0 for values in usual])


def _strongest(support: Floats, chosen: np.ndarray) -> float:
    return max(float(support[chosen].max(initial=0.0)), _FLOOR)


def _finding(kind: Kind, image: int, row: int, box: Floats, category: int, loss: float) -> Finding:
    x1, y1, x2, y2 = (float(side) for side in box)
    return Finding(kind, image, row, (x1, y1, x2, y2), category, max(float(loss), 0.0))


def _xyxy(xywh: Floats) -> Floats:
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)


def pairwise_iou(first: Floats, second: Floats) -> Floats:
    """Give the overlaps (m, n) of boxes (m, 4) with boxes (n, 4), xyxy."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    overlap: Floats = shared / np.maximum(areas[0][:, None] + areas[1][None, :] - shared, 1e-9)
    return overlap
