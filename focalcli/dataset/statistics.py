"""What a data set holds, in numbers: classes and their imbalance, sizes and shapes of boxes, boxes per photo."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from focalcli.dataset.types import Dataset, Flag, Floats, Ints

Mask = npt.NDArray[np.bool_]

# COCO's limits in square pixels of the photo, measured on the annotation's own area.
SMALL, LARGE = 32.0**2, 96.0**2
QUANTILES = {"min": 0.0, "p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
COMMON_SIZES = 5


def statistics(dataset: Dataset) -> dict[str, Any]:
    """Give everything as plain values: the whole, then below `splits` each split in the same words."""
    everything = np.ones(len(dataset.images), dtype=np.bool_)
    split = np.array([image.split for image in dataset.images], dtype=object)
    parts = {name: _part(dataset, np.asarray(split == name, dtype=np.bool_)) for name in dataset.splits}
    return {**_part(dataset, everything), "splits": parts}


def _part(dataset: Dataset, chosen: Mask) -> dict[str, Any]:
    """Describe the photos where the mask (images,) is true, and their boxes."""
    boxes = dataset.boxes if chosen.all() else dataset.boxes.take(chosen[dataset.boxes.image])
    counts = np.bincount(boxes.image, minlength=len(chosen))[chosen]
    labelled = np.array([image.labelled for image in dataset.images], dtype=np.bool_)[chosen]
    photo = np.array([(image.width, image.height) for image in dataset.images], dtype=np.float64).reshape(-1, 2)
    sides = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
    classes = _classes(dataset, boxes.category, boxes.image)
    return {
        "images": int(chosen.sum()),
        "boxes": len(boxes),
        "empty_images": int(((counts == 0) & labelled).sum()),
        "unlabelled_images": int(((counts == 0) & ~labelled).sum()),
        "crowd_boxes": int(np.count_nonzero(boxes.flags & Flag.CROWD.value)),
        "imbalance": _imbalance([row["boxes"] for row in classes]),
        "classes": classes,
        "box_area": _areas(boxes.area),
        "box_width": quantiles(sides[:, 0]),
        "box_height": quantiles(sides[:, 1]),
        "box_relative_side": quantiles(_relative(sides, photo[boxes.image])),
        "box_aspect": quantiles(_aspect(sides)),
        "boxes_per_image": {"mean": _mean(counts.astype(np.float64)), **quantiles(counts.astype(np.float64))},
        "image_width": quantiles(photo[chosen, 0]),
        "image_height": quantiles(photo[chosen, 1]),
        "image_sizes": _sizes(photo[chosen]),
    }


def quantiles(values: Floats) -> dict[str, float | None]:
    """Give minimum, quantiles and maximum of values (n,), None where there are none; linear between neighbours.

    >>> import numpy as np
    >>> quantiles(np.array([1.0, 2, 3]))["p25"]
    1.5
    """
    if not len(values):
        return dict.fromkeys(QUANTILES)
    found = np.quantile(values, list(QUANTILES.values()))
    return {name: round(float(value), 4) for name, value in zip(QUANTILES, found, strict=True)}


def _aspect(sides: Floats) -> Floats:
    """Give width / height of sides (n, 2), the largest number where it is beyond all numbers."""
    with np.errstate(over="ignore"):
        aspect: Floats = np.minimum(sides[:, 0] / sides[:, 1], np.finfo(np.float64).max)
    return aspect


def _classes(dataset: Dataset, category: Ints, image: Ints) -> list[dict[str, Any]]:
    """Count the boxes of each class, and the photos that show it, in the order of the classes."""
    number = len(dataset.categories)
    boxes = np.bincount(category, minlength=number)
    pairs = np.unique(image * max(number, 1) + category)
    images = np.bincount(pairs % max(number, 1), minlength=number)
    share = boxes / max(len(category), 1)
    return [
        {
            "name": c.name,
            "id": c.source_id,
            "boxes": int(boxes[i]),
            "images": int(images[i]),
            "share": round(float(share[i]), 4),
        }
        for i, c in enumerate(dataset.categories)
    ]


def _imbalance(boxes: list[int]) -> float | None:
    """Give how many objects the most frequent class has for one of the rarest that has any."""
    present = [count for count in boxes if count]
    return round(max(present) / min(present), 2) if present else None


def _areas(area: Floats) -> dict[str, int]:
    small, large = area < SMALL, area >= LARGE
    return {"small": int(small.sum()), "medium": int((~small & ~large).sum()), "large": int(large.sum())}


def relative_sides(dataset: Dataset) -> Floats:
    """Give the square root of the share of its photo that each box covers; photos without a size are left out."""
    photo = np.array([(image.width, image.height) for image in dataset.images], dtype=np.float64).reshape(-1, 2)
    return _relative(dataset.boxes.xyxy[:, 2:] - dataset.boxes.xyxy[:, :2], photo[dataset.boxes.image])


def _relative(sides: Floats, photo: Floats) -> Floats:
    """Give the square root of the share of the photo that each box covers; photos without a size are left out."""
    known = photo.prod(axis=1) > 0
    ratio: Floats = np.sqrt(sides[known].prod(axis=1) / photo[known].prod(axis=1))
    return ratio


def _sizes(photo: Floats) -> dict[str, Any]:
    """Count the sizes of photos (n, 2): how many differ, and the most common."""
    counted = Counter(f"{int(width)}x{int(height)}" for width, height in photo)
    common = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:COMMON_SIZES]
    return {"distinct": len(counted), "common": dict(common)}


def _mean(values: Floats) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None
