"""Which detections and objects of the same image and class overlap, and by how much.

All pairs are looked at in blocks, two of them at a time, so that memory does not grow with the data set.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from focalcli.evaluation.columns import Bools, Floats, Ints, Truth

PAIRS_AT_ONCE = 1 << 18


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
    some = np.flatnonzero(np.isin(group, object_group))
    first, count = np.zeros(len(group), np.int64), np.zeros(len(group), np.int64)
    first[some] = np.searchsorted(object_group, group[some])
    count[some] = np.searchsorted(object_group, group[some], side="right") - first[some]
    ends = np.cumsum(count)

    def part(begin: int, end: int) -> tuple[Ints, Ints, Floats]:
        """Look at the pairs of some detections."""
        counts = count[begin:end]
        detection = np.repeat(np.arange(begin, end), counts)
        starts = ends[begin:end] - counts
        step = np.arange(len(detection)) - np.repeat(starts - starts[0], counts)
        found = objects[first[detection] + step]
        iou = box_iou(boxes[detection], truth.xywh[found], truth.region[found])
        enough = iou >= lowest
        return detection[enough], found[enough], iou[enough]

    with ThreadPoolExecutor(2) as pool:
        parts = [*pool.map(part, *_cuts(ends))]
    parts.append((np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)))
    detections, found_objects, ious = zip(*parts, strict=True)
    return np.concatenate(detections), np.concatenate(found_objects), np.concatenate(ious)


def box_iou(detections: Floats, objects: Floats, region: Bools) -> Floats:
    """Give the IoU of n pairs of xywh boxes; with a region, the share of the detection that it covers.

    The order of the operations is `bbIou`'s of pycocotools, so that the last bit is the same.
    """
    (x, y, width, height), (x2, y2, width2, height2) = detections.T, objects.T
    across = np.minimum(x + width, x2 + width2) - np.maximum(x, x2)
    down = np.minimum(y + height, y2 + height2) - np.maximum(y, y2)
    overlap = np.where((across > 0) & (down > 0), across * down, 0.0)
    own = width * height
    union = np.where(region, own, own + width2 * height2 - overlap)
    iou: Floats = np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0)
    return iou


def _cuts(ends: Ints) -> tuple[list[int], list[int]]:
    """Cut detections, with the running sum of their pairs, where about `PAIRS_AT_ONCE` are full: begins and ends."""
    cuts = [0]
    while cuts[-1] < len(ends):
        done = ends[cuts[-1] - 1] if cuts[-1] else 0
        cuts.append(max(int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")), cuts[-1] + 1))
    return cuts[:-1], cuts[1:]
