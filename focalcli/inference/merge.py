"""From the boxes of several views, or of all candidates, to one box an object. In numpy: it runs without torch.

Boxes are compared within their group only: their class, or one group for all.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Bodla et al. 2017, arXiv 1704.04503, section 3: the width of the Gaussian that lowers scores.
SOFT_SIGMA = 0.5

# Two cut boxes are one object when their extents along the seam overlap by this much (1-D IoU).
SEAM_OVERLAP = 0.5

# A cut box is a part of a larger one when so much of it lies inside.
PART_INSIDE = 0.7


def hard_nms(boxes: Boxes, scores: Scores, groups: Ints, iou: float) -> Ints:
    """Give the positions of the boxes that no better one of their group overlaps by more than `iou`, best first."""
    return np.array([best for best, _ in _clusters(boxes, scores, groups, iou)], np.int64)


def weighted_nms(boxes: Boxes, scores: Scores, groups: Ints, iou: float) -> tuple[Ints, Boxes]:
    """Give the same positions, and for each the mean of all boxes it stands for, weighted by their scores.

    Gidaris and Komodakis 2015, arXiv 1505.01749, section 4.2, "bounding box voting".
    """
    kept, means = [], []
    for best, others in _clusters(boxes, scores, groups, iou):
        weights = scores[others, None].astype(np.float64)
        kept.append(best)
        means.append((boxes[others] * weights).sum(0) / max(weights.sum(), 1e-12))
    return np.array(kept, np.int64), np.array(means, np.float32).reshape(-1, 4)


def soft_nms(boxes: Boxes, scores: Scores, groups: Ints) -> tuple[Ints, Scores]:
    """Give all positions, best first, with scores that fall the more a better box of the group overlaps them.

    Bodla et al. 2017, arXiv 1704.04503, eq. 4.
    """
    lowered = scores.astype(np.float64)
    left = np.ones(len(scores), bool)
    order = []
    for _ in range(len(scores)):
        best = int(np.argmax(np.where(left, lowered, -1)))
        left[best] = False
        order.append(best)
        rivals = np.flatnonzero(left & (groups == groups[best]))
        overlap = box_iou(boxes[best], boxes[rivals])
        lowered[rivals] *= np.exp(-(overlap**2) / SOFT_SIGMA)
    positions = np.array(order, np.int64)
    return positions, lowered[positions].astype(np.float32)


def join_at_seams(boxes: Boxes, scores: Scores, groups: Ints, cut: Bools) -> tuple[Boxes, Scores, Bools]:
    """Join the parts of objects that tiles have cut: give boxes, scores, and which rows to keep.

    `cut` (n, 4) says which sides lie on an inner edge of their tile. Two parts that continue each other become their
    union with the better score; then a part that lies in a larger box of its group is dropped.
    """
    boxes, scores, cut = boxes.copy(), scores.copy(), cut.copy()
    keep, parts = np.ones(len(boxes), bool), np.flatnonzero(cut.any(axis=1))
    if not len(parts):
        return boxes, scores, keep
    best_first = parts[np.argsort(-scores[parts], kind="stable")]
    neighbours = _Neighbours(boxes)
    for part in best_first:
        while keep[part]:
            rivals = neighbours.of(boxes[part])
            rivals = rivals[
                keep[rivals] & cut[rivals].any(axis=1) & (groups[rivals] == groups[part]) & (rivals != part)
            ]
            other = next((i for i in rivals if _continues(boxes[part], cut[part], boxes[i], cut[i])), None)
            if other is None:
                break
            _join(part, other, boxes, cut)
            scores[part] = max(scores[part], scores[other])
            keep[other] = False
    neighbours = _Neighbours(boxes)
    areas = _area(boxes)
    for part in best_first[keep[best_first]]:
        rivals = neighbours.of(boxes[part])
        rivals = rivals[keep[rivals] & (groups[rivals] == groups[part]) & (areas[rivals] > areas[part])]
        keep[part] = not (_shared(boxes[part], boxes[rivals]) > PART_INSIDE).any()
    return boxes, scores, keep


def _join(part: int, other: int, boxes: Boxes, cut: Bools) -> None:
    """Put the union of both in the place of `part`; each side is cut if that of the box that reaches it is."""
    outer = np.where([1, 1, 0, 0], boxes[other] < boxes[part], boxes[other] > boxes[part])
    boxes[part] = np.where(outer, boxes[other], boxes[part])
    cut[part] = np.where(outer, cut[other], cut[part])


class _Neighbours:
    """Boxes sorted along x, so that the few near one are found among a hundred thousand."""

    def __init__(self, boxes: Boxes) -> None:
        self._by_x = np.argsort(boxes[:, 0], kind="stable")
        self._starts = boxes[self._by_x, 0]
        self._widest = float((boxes[:, 2] - boxes[:, 0]).max(initial=0))

    def of(self, box: Boxes) -> Ints:
        """Give the positions of all boxes that may share an x with `box` (4,)."""
        first = np.searchsorted(self._starts, box[0] - self._widest, side="left")
        last = np.searchsorted(self._starts, box[2], side="right")
        return self._by_x[first:last]


def _continues(one: Boxes, one_cut: Bools, other: Boxes, other_cut: Bools) -> bool:
    """Tell whether two parts overlap, are cut on facing sides, and have the same extent along the seam."""
    shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    whole = np.maximum(one[2:], other[2:]) - np.minimum(one[:2], other[:2])
    if (shared <= 0).any():
        return False
    facing = (one_cut[2:] & other_cut[:2]) | (one_cut[:2] & other_cut[2:])
    return bool((facing & (shared > SEAM_OVERLAP * whole)[::-1]).any())


def box_iou(box: Boxes, others: Boxes) -> npt.NDArray[np.float64]:
    """Give the IoU of a box (4,) with others (n, 4); 0 where both are empty."""
    inner = _intersection(box, others)
    union = _area(box[None]) + _area(others) - inner
    return np.divide(inner, union, out=np.zeros_like(inner), where=union > 0)


def _shared(box: Boxes, others: Boxes) -> npt.NDArray[np.float64]:
    """Give which part of a box lies in each of the others."""
    return _intersection(box, others) / max(float(_area(box[None])[0]), 1e-12)


def _intersection(box: Boxes, others: Boxes) -> npt.NDArray[np.float64]:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    sides = np.clip((high - low).astype(np.float64), 0, None)
    area: npt.NDArray[np.float64] = sides[:, 0] * sides[:, 1]
    return area


def _area(boxes: Boxes) -> npt.NDArray[np.float64]:
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)
    area: npt.NDArray[np.float64] = sides[:, 0] * sides[:, 1]
    return area


def _clusters(boxes: Boxes, scores: Scores, groups: Ints, iou: float) -> Iterator[tuple[int, Ints]]:
    """Give each box that stays, best first, with the positions of all it stands for, itself among them.

    Only boxes near it along x are looked at, so that a hundred thousand of them take seconds.
    """
    neighbours = _Neighbours(boxes)
    left = np.ones(len(boxes), bool)
    for best in np.argsort(-scores, kind="stable"):
        if not left[best]:
            continue
        near = neighbours.of(boxes[best])
        near = near[left[near] & (groups[near] == groups[best])]
        same = np.union1d(near[box_iou(boxes[best], boxes[near]) > iou], [best])
        left[same] = False
        yield int(best), same
