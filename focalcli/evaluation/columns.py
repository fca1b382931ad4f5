"""Objects and detections of a whole data set as parallel columns, the form all measures read.

500,000 detections are 28 MB here. Boxes are float64 xywh, as COCO files hold them: turning them into xyxy and back
would lose the last bit, and with it the equality with pycocotools at a threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focalcli.dataset.types import Dataset, Flag

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Regions a detector may fill as it likes: matched any number of times, never counted.
REGION_FLAGS = Flag.CROWD | Flag.IGNORE | Flag.GROUP
# COCOeval overwrites `ignore` by `iscrowd`, so in COCO's own files nothing else makes a region.
COCO_REGION_FLAGS = Flag.CROWD


@dataclass(frozen=True, slots=True)
class Truth:
    """m objects: xywh (m, 4), image and category (m,) positions, area (m,), region (m,) true for crowds; and counts.

    `image_order` (images,) ranks the images as pycocotools does, by source id: it decides between equal scores.
    """

    xywh: Floats
    image: Ints
    category: Ints
    area: Floats
    region: Bools
    image_order: Ints
    num_categories: int

    @property
    def num_images(self) -> int:
        """Give the number of images, with and without objects."""
        return len(self.image_order)


@dataclass(frozen=True, slots=True)
class Predictions:
    """n detections: xywh (n, 4) float64 pixels, image and category (n,) positions in the data set, score (n,)."""

    xywh: Floats
    image: Ints
    category: Ints
    score: Floats

    def __len__(self) -> int:
        """Give n."""
        return len(self.score)

    def take(self, rows: Ints | Bools) -> "Predictions":
        """Give the detections at these positions, or where the mask is true."""
        return Predictions(self.xywh[rows], self.image[rows], self.category[rows], self.score[rows])


def truth_of(dataset: Dataset) -> Truth:
    """Give the objects of a data set; crowds, ignore regions and groups become regions."""
    boxes = dataset.boxes
    flags = COCO_REGION_FLAGS if dataset.format == "coco" else REGION_FLAGS
    return Truth(
        xywh=xyxy_to_xywh(boxes.xyxy),
        image=boxes.image,
        category=boxes.category,
        area=boxes.area,
        region=(boxes.flags & int(flags)) != 0,
        image_order=_image_order(dataset),
        num_categories=len(dataset.categories),
    )


def join(parts: Sequence[Predictions]) -> Predictions:
    """Give the detections of all parts, in order: of ranks, or of files."""
    parts = parts or [no_predictions()]
    return Predictions(
        np.concatenate([part.xywh for part in parts]),
        np.concatenate([part.image for part in parts]),
        np.concatenate([part.category for part in parts]),
        np.concatenate([part.score for part in parts]),
    )


def no_predictions() -> Predictions:
    """Give columns of length zero."""
    return Predictions(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def xyxy_to_xywh(boxes: Floats) -> Floats:
    """Give the width and height the file held: `(x + w) - x` differs from w in the last bits, a short decimal does not.

    The difference is moved to the nearest number of 9 decimals where that is within the rounding of the sum.
    """
    size = boxes[:, 2:] - boxes[:, :2]
    decimal = np.round(size, 9)
    rounding = np.spacing(np.abs(boxes).max(axis=1, initial=1.0, keepdims=True))
    return np.concatenate([boxes[:, :2], np.where(np.abs(decimal - size) <= rounding, decimal, size)], axis=1)


def _image_order(dataset: Dataset) -> Ints:
    ids = [image.source_id for image in dataset.images]
    if not all(isinstance(value, int) for value in ids):
        return np.arange(len(ids))
    order = np.empty(len(ids), np.int64)
    order[np.argsort(np.array(ids, np.int64), kind="stable")] = np.arange(len(ids))
    return order
