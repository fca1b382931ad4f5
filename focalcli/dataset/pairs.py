"""Boxes that repeat each other, exactly or nearly, found without comparing all with all."""

import numpy as np
import numpy.typing as npt

from focalcli.dataset.types import Boxes, Floats, Ints

NEAR = 0.9
ROUNDING = 1e-9
"""So that a pair exactly at the limit is not lost to the last bit of a sum."""


def repeated(boxes: Boxes) -> npt.NDArray[np.bool_]:
    """Give (n,) true where an earlier box of the same photo and class has the same corners and flags."""
    keys = (boxes.flags, *boxes.xyxy.T, boxes.category, boxes.image)
    order = np.lexsort(keys)  # stable: of equals, the first in the source comes first
    same = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for key in keys:
        same &= key[order[1:]] == key[order[:-1]]
    again = np.zeros(len(boxes), dtype=np.bool_)
    again[order[1:][same]] = True
    return again


def close_pairs(boxes: Boxes, least: float = NEAR) -> tuple[Ints, Ints]:
    """Give rows (k,), (k,) of the pairs within a photo whose IoU is at least `least`.

    With rows sorted by left edge, a partner of a box of width w starts within (1 - least) w of it: what is not
    covered on the left is lost to the intersection, whatever the rest does. Step 1 compares neighbours, step 2 those
    one apart, each in one pass over the rows that still have a candidate.
    """
    order = np.lexsort((boxes.xyxy[:, 0], boxes.image))
    xyxy, image = boxes.xyxy[order], boxes.image[order]
    reach = xyxy[:, 0] + (1 - least + ROUNDING) * (xyxy[:, 2] - xyxy[:, 0])
    here = np.arange(len(order))
    firsts, seconds = [here[:0]], [here[:0]]
    step = 1
    while len(here := here[here + step < len(order)]):
        there = here + step
        here = here[(image[there] == image[here]) & (xyxy[there, 0] <= reach[here])]
        hits = here[_iou(xyxy[here], xyxy[here + step]) >= least]
        firsts.append(order[hits])
        seconds.append(order[hits + step])
        step += 1
    return np.concatenate(firsts), np.concatenate(seconds)


def _iou(a: Floats, b: Floats) -> Floats:
    """Give (n,) the IoU of boxes with area, row by row."""
    inside = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None).prod(axis=1)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - inside
    ratio: Floats = inside / union
    return ratio
