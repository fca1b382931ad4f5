"""How well a model's anchors cover the objects of a data set at its training size: asked before the first epoch."""

import numpy as np
import torch

from focalcli.config import AnchorConfig
from focalcli.dataset.types import Dataset, Flag
from focalcli.detection.coverage import Coverage, anchor_coverage
from focalcli.images.fit import Fit


def learnable(dataset: Dataset) -> np.ndarray:
    """Give the rows of the boxes that are objects to learn: no crowds, no ignored regions, both sides above 0."""
    boxes = dataset.boxes
    sides = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
    return np.flatnonzero((boxes.flags & int(Flag.CROWD | Flag.IGNORE) == 0) & (sides > 0).all(axis=1))


def coverage(dataset: Dataset, fit: Fit, anchors: AnchorConfig, *, object_iou: float = 0.5) -> Coverage:
    """Give the coverage of the `learnable` objects, in that order, when every photo is fitted alone."""
    rows = learnable(dataset)
    boxes, inputs = network_boxes(dataset, fit, rows)
    return anchor_coverage(torch.from_numpy(boxes), torch.from_numpy(inputs), anchors, object_iou=object_iou)


def network_boxes(dataset: Dataset, fit: Fit, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give boxes (n, 4) in the network frame and the padded input (n, 2), height and width, of their photos."""
    sizes = np.array([(image.height, image.width) for image in dataset.images], np.int64).reshape(-1, 2)
    distinct, which = np.unique(sizes, axis=0, return_inverse=True)
    shapes = [(fit.shape((h, w)), fit.padded_shape((h, w))) for h, w in distinct.tolist()]
    fitted, padded = np.array(shapes, np.float64).reshape(-1, 2, 2).transpose(1, 0, 2)
    image = which.reshape(-1)[dataset.boxes.image[rows]]
    scale = (fitted / np.maximum(distinct, 1))[image]
    return (dataset.boxes.xyxy[rows] * scale[:, [1, 0, 1, 0]]).astype(np.float32), padded[image].astype(np.float32)
