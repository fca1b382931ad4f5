"""Which detection found which object: COCO's greedy matching, for all thresholds and areas at once.

The rule is pycocotools' (`COCOeval.evaluateImg`): within an image and class, detections choose by descending score
among the objects still free; an object that counts is preferred to one that does not, then the larger IoU, then the
later object. Only pairs above the lowest threshold are looked at, and the first choices of all images are made in one
step, then the second ones, and so on.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focalcli.evaluation.columns import Bools, Floats, Ints, Predictions, Truth
from focalcli.evaluation.settings import Settings

FALSE, TRUE, IGNORED = 0, 1, 2
PAIRS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Claims:
    """Who took what in one area: positions of threshold, detection and object (k,), by threshold, then detection."""

    level: Ints
    detection: Ints
    object: Ints


@dataclass(frozen=True, slots=True)
class Matches:
    """The n detections that were kept, sorted by class, then by descending score, and the objects they took.

    row, image, category, score, rank (n,): position in the predictions, image, class, score, and place among its
    image's detections of the class. outside (A, n): its own area is not in the range, so it does not count unless it
    takes an object that does. counted (A, m): the objects that count. claims: one for each area.
    """

    settings: Settings
    truth: Truth
    row: Ints
    image: Ints
    category: Ints
    score: Floats
    rank: Ints
    outside: Bools
    counted: Bools
    claims: tuple[Claims, ...]

    def partners(self, level: int, area: int = 0) -> Ints:
        """Give (n,) the position of the object each detection took at a threshold, -1 none."""
        claims = self.claims[area]
        here = claims.level == level
        partner = np.full(len(self.row), -1, np.int64)
        partner[claims.detection[here]] = claims.object[here]
        return partner

    def fates(self, level: int, area: int = 0) -> npt.NDArray[np.int8]:
        """Give (n,) FALSE, TRUE or IGNORED at a threshold."""
        partner = self.partners(level, area)
        fate = np.where(self.outside[area], IGNORED, FALSE).astype(np.int8)
        taken = partner >= 0
        fate[taken] = np.where(self.counted[area, partner[taken]], TRUE, IGNORED)
        return fate


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Overlaps: detection and object positions and IoU (p,), by round, detection, falling IoU, later object first."""

    detection: Ints
    object: Ints
    iou: Floats
    rounds: Ints


def match(truth: Truth, predictions: Predictions, settings: Settings) -> Matches:
    """Match detections to objects of the same image and class."""
    group, row, rank = _kept(truth, predictions, settings.max_dets[-1])
    thresholds = np.minimum(np.array(settings.iou), 1 - 1e-10)
    pairs = _pairs(truth, predictions.xywh[row], group, float(thresholds[0]))
    category = predictions.category[row]
    order = np.lexsort((-predictions.score[row], category))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    row = row[order]
    area = predictions.xywh[row, 2] * predictions.xywh[row, 3]
    limits = settings.areas.values()
    counted = np.array([~truth.region & ~_outside(truth.area, limit) for limit in limits])
    return Matches(
        settings,
        truth,
        row=row,
        image=predictions.image[row],
        category=category[order],
        score=predictions.score[row],
        rank=rank[order],
        outside=np.array([_outside(area, limit) for limit in limits]),
        counted=counted,
        claims=tuple(_choose(pairs, thresholds, which, truth.region, place) for which in counted),
    )


def box_iou(detections: Floats, objects: Floats, region: Bools) -> Floats:
    """Give the IoU of n pairs of xywh boxes; with a region, the share of the detection that it covers.

    The order of the operations is `bbIou`'s of pycocotools, so that the last bit is the same.
    """
    corner = np.minimum(detections[:, :2] + detections[:, 2:], objects[:, :2] + objects[:, 2:])
    sides = corner - np.maximum(detections[:, :2], objects[:, :2])
    overlap = np.where((sides > 0).all(axis=1), sides[:, 0] * sides[:, 1], 0.0)
    own = detections[:, 2] * detections[:, 3]
    union = np.where(region, own, own + objects[:, 2] * objects[:, 3] - overlap)
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)


def _outside(area: Floats, limits: tuple[float, float]) -> Bools:
    return (area < limits[0]) | (area > limits[1])


def _kept(truth: Truth, predictions: Predictions, limit: int) -> tuple[Ints, Ints, Ints]:
    """Give group, row and rank of the best `limit` detections of each image and class, by group and rank."""
    group = groups(truth, predictions.image, predictions.category)
    row = np.lexsort((-predictions.score, group))
    group = group[row]
    rank = _position_in_run(group)
    kept = rank < limit
    return group[kept], row[kept], rank[kept]


def _position_in_run(values: Ints) -> Ints:
    """Give each element's distance from the first of its run of equal values."""
    starts = np.flatnonzero(np.diff(values, prepend=-1))
    return np.arange(len(values)) - np.repeat(starts, np.diff(starts, append=len(values)))


def _pairs(truth: Truth, boxes: Floats, group: Ints, lowest: float) -> _Pairs:
    """Give all pairs of the same group whose IoU is at least `lowest`, ordered for `_choose`."""
    detection, found, iou = overlaps(truth, boxes, group, lowest)
    new = np.diff(detection, prepend=-1) > 0
    rounds = _position_in_run(group[detection[new]])[np.cumsum(new) - 1]
    order = np.lexsort((-found, -iou, detection, rounds))
    bounds = np.searchsorted(rounds[order], np.arange(rounds.max(initial=-1) + 2))
    return _Pairs(detection[order], found[order], iou[order], bounds)


def groups(truth: Truth, image: Ints, category: Ints) -> Ints:
    """Give image and class as one number, in pycocotools' image order."""
    return truth.image_order[image] * truth.num_categories + category


def overlaps(truth: Truth, boxes: Floats, group: Ints, lowest: float) -> tuple[Ints, Ints, Floats]:
    """Give detection, object and IoU of all pairs of the same image and class whose IoU is at least `lowest`.

    Boxes are xywh (n, 4), `group` (n,) is `groups` of the detections; the pairs come by detection.
    """
    object_group = groups(truth, truth.image, truth.category)
    objects = np.argsort(object_group, kind="stable")
    object_group = object_group[objects]
    first = np.searchsorted(object_group, group)
    count = np.searchsorted(object_group, group, side="right") - first
    ends = np.cumsum(count)
    parts: list[tuple[Ints, Ints, Floats]] = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    begin = 0
    while begin < len(count):
        done = ends[begin - 1] if begin else 0
        end = max(int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")), begin + 1)
        part = count[begin:end]
        detection = np.repeat(np.arange(begin, end), part)
        step = np.arange(part.sum()) - np.repeat(ends[begin:end] - part - done, part)
        found = objects[first[detection] + step]
        iou = box_iou(boxes[detection], truth.xywh[found], truth.region[found])
        enough = iou >= lowest
        parts.append((detection[enough], found[enough], iou[enough]))
        begin = end
    detections, found_objects, ious = zip(*parts, strict=True)
    return np.concatenate(detections), np.concatenate(found_objects), np.concatenate(ious)


def _choose(pairs: _Pairs, thresholds: Floats, counted: Bools, region: Bools, place: Ints) -> Claims:
    """Let every detection take its object at each threshold; `place` gives a detection's position in the claims."""
    taken = np.zeros((len(thresholds), len(counted)), np.bool_)
    parts = [np.zeros((3, 0), np.int64)]
    for begin, end in zip(pairs.rounds[:-1], pairs.rounds[1:], strict=True):
        detection, candidate, iou = (column[begin:end] for column in (pairs.detection, pairs.object, pairs.iou))
        order = np.lexsort((~counted[candidate], detection))
        detection, candidate, iou = detection[order], candidate[order], iou[order]
        free = (iou >= thresholds[:, None]) & (~taken[:, candidate] | region[candidate])
        starts = np.flatnonzero(np.diff(detection, prepend=-1))
        first = np.minimum.reduceat(np.where(free, np.arange(len(detection)), len(detection)), starts, axis=1)
        level, chooser = np.nonzero(first < len(detection))
        chosen = candidate[first[level, chooser]]
        taken[level, chosen] = True
        parts.append(np.stack([level, place[detection[starts[chooser]]], chosen]))
    level, detection, chosen = np.concatenate(parts, axis=1)
    order = np.lexsort((detection, level))
    return Claims(level[order], detection[order], chosen[order])
