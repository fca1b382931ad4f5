"""Label errors put in on purpose, to measure an audit: which labels were touched, and how, is known."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from focalcli.dataset.types import Boxes, Dataset
from focalcli.insight.audit import KINDS, pairwise_iou
from focalcli.training.coverage import learnable


class Injected(NamedTuple):
    """A data set with errors. kind (n,) of each box, "" for a true one; removed: the boxes taken out."""

    dataset: Dataset
    kind: np.ndarray
    removed: Boxes


def inject(dataset: Dataset, *, share: float, seed: int) -> Injected:
    """Spoil `share` of the labels, a quarter each: taken out, put on background, given another class, moved or resized.

    Moved boxes keep 0.3 to 0.6 of their overlap; boxes on background have a true box's size and touch no label.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(learnable(dataset))
    each = max(round(share * len(rows) / len(KINDS)), 1)
    taken, templates, swapped, moved = (np.sort(rows[i * each : (i + 1) * each]) for i in range(4))
    boxes = dataset.boxes
    kind = np.full(len(boxes), "", dtype="<U8")
    category, xyxy = boxes.category.copy(), boxes.xyxy.copy()
    if len(dataset.categories) > 1:
        category[swapped] = (category[swapped] + rng.integers(1, len(dataset.categories), each)) % len(
            dataset.categories
        )
        kind[swapped] = "class"
    for row in moved:
        xyxy[row] = _loosened(xyxy[row], rng)
    kind[moved] = "loose"
    added = {int(row): box for row in templates if (box := _elsewhere(dataset, int(row), rng)) is not None}
    changed = replace(boxes, category=category, xyxy=xyxy)
    kept = np.setdiff1d(np.arange(len(boxes)), taken)
    source = np.concatenate([kept, np.array(list(added), np.int64)])
    order = np.argsort(boxes.image[source], kind="stable")
    spoiled, kinds = changed.take(source), kind[source]
    spoiled.xyxy[len(kept) :] = np.array(list(added.values())).reshape(-1, 4)
    kinds[len(kept) :] = "spurious"
    return Injected(replace(dataset, boxes=spoiled.take(order)), kinds[order], boxes.take(taken))


def _loosened(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    size = np.tile(box[2:] - box[:2], 2)
    while True:
        candidate = box + rng.uniform(-0.35, 0.35, 4) * size
        if 0.3 <= pairwise_iou(box[None], candidate[None])[0, 0] <= 0.6:
            return np.asarray(candidate)


def _elsewhere(dataset: Dataset, row: int, rng: np.random.Generator) -> np.ndarray | None:
    """Give a box of the size of `row` in its photo that touches no label; None where 200 tries found no room."""
    boxes = dataset.boxes
    image = dataset.images[boxes.image[row]]
    labels = boxes.xyxy[boxes.image == boxes.image[row]]
    size = boxes.xyxy[row, 2:] - boxes.xyxy[row, :2]
    for _ in range(200):
        corner = rng.uniform(0, 1, 2) * (np.array([image.width, image.height]) - size)
        candidate = np.concatenate([corner, corner + size])
        if (pairwise_iou(candidate[None], labels) <= 0.05).all():
            return np.asarray(candidate)
    return None
