"""Photos made of several: a mosaic of four, and objects copied from one into another. Boxes stay exact.

Everything is drawn from one generator, so a mixture is a pure function of its seed and of the photos it asks for.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from focalcli.images.decode import Pixels
from focalcli.training.augment import MIN_VISIBLE, Floats, Sample

Colour = tuple[int, int, int]

MOSAIC_SHARE, PASTE_SHARE = 0.3, 0.3  # of the photos
_MOST_PASTED, _TRIES = 3, 10


def mixed(
    sample: Sample, other: Callable[[int], Sample], count: int, *, generator: np.random.Generator, fill: Colour
) -> Sample:
    """Make a mosaic of a photo and three others, or paste objects of another into it, or leave it as it is.

    `other` gives the photo at a position below `count`.
    """
    chance = generator.random()
    if chance < MOSAIC_SHARE:
        return mosaic([sample, *(other(int(i)) for i in generator.integers(count, size=3))], generator, fill)
    if chance < MOSAIC_SHARE + PASTE_SHARE:
        return pasted(sample, other(int(generator.integers(count))), generator)
    return sample


def mosaic(samples: list[Sample], generator: np.random.Generator, fill: Colour) -> Sample:
    """Give a canvas of the first photo's size with four photos around a point, each as long as 0.5 to 1 of its side.

    A photo's corner meets the point; what reaches over the canvas is cut off.
    """
    height, width = samples[0].image.shape[:2]
    x, y = (round(side * generator.uniform(0.3, 0.7)) for side in (width, height))
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = fill
    parts = []
    for place, sample in enumerate(samples):
        sample = resized(sample, max(height, width) * generator.uniform(0.5, 1.0))
        right, below = place % 2, place // 2
        tall, wide = sample.image.shape[:2]
        window = (x if right else 0, y if below else 0, width if right else x, height if below else y)
        parts.append(_placed(canvas, sample, (x if right else x - wide, y if below else y - tall), window))
    boxes, classes = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Sample(canvas, boxes, classes)


def resized(sample: Sample, longer: float) -> Sample:
    """Give a photo whose longer side has this length, rounded; boxes follow the rounded size exactly."""
    tall, wide = sample.image.shape[:2]
    scale = longer / max(tall, wide)
    height, width = (max(round(side * scale), 1) for side in (tall, wide))
    image = np.array(Image.fromarray(sample.image).resize((width, height), Image.Resampling.BILINEAR))
    return Sample(image, sample.boxes * np.array([width / wide, height / tall] * 2), sample.classes)


def _placed(
    canvas: Pixels, sample: Sample, corner: tuple[int, int], window: tuple[int, int, int, int]
) -> tuple[Floats, np.ndarray]:
    """Draw the part of a photo at `corner` that lies in the window (xyxy); give the boxes of what is to be seen."""
    left, top = corner
    tall, wide = sample.image.shape[:2]
    x1, y1, x2, y2 = max(window[0], left), max(window[1], top), min(window[2], left + wide), min(window[3], top + tall)
    if x2 > x1 and y2 > y1:
        canvas[y1:y2, x1:x2] = sample.image[y1 - top : y2 - top, x1 - left : x2 - left]
    moved = sample.boxes + np.array([left, top, left, top])
    inside = np.clip(moved, [x1, y1, x1, y1], [max(x2, x1), max(y2, y1)] * 2)
    kept = _area(inside) >= np.maximum(MIN_VISIBLE * _area(moved), 1.0)
    return inside[kept], sample.classes[kept]


def pasted(sample: Sample, source: Sample, generator: np.random.Generator) -> Sample:
    """Copy up to three objects of `source`, as rectangles, to places where they hide no object.

    Only objects that no other overlaps are copied, so nothing comes along unlabelled.
    """
    height, width = sample.image.shape[:2]
    image, boxes, classes = sample.image.copy(), list(sample.boxes), list(sample.classes)
    alone = [row for row, box in enumerate(source.boxes) if not _meets(box, np.delete(source.boxes, row, 0))]
    for row in generator.permutation(alone)[:_MOST_PASTED].astype(int):
        x1, y1 = (int(side) for side in np.floor(source.boxes[row][:2]))
        x2, y2 = (int(side) for side in np.ceil(source.boxes[row][2:]))
        patch = source.image[y1:y2, x1:x2]
        tall, wide = patch.shape[:2]
        if not 0 < tall <= height or not 0 < wide <= width:
            continue
        corners = generator.integers([width - wide + 1, height - tall + 1], size=(_TRIES, 2)).tolist()
        free = (c for c in corners if not _meets(np.array([*c, c[0] + wide, c[1] + tall], float), np.array(boxes)))
        for x, y in list(free)[:1]:
            image[y : y + tall, x : x + wide] = patch
            boxes.append(source.boxes[row] + np.array([x - x1, y - y1, x - x1, y - y1]))
            classes.append(source.classes[row])
    return Sample(image, np.array(boxes, np.float64).reshape(-1, 4), np.array(classes, np.int64))


def _meets(box: Floats, others: Floats) -> bool:
    """Say whether a box shares any area with one of the others."""
    others = others.reshape(-1, 4)
    overlap = np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2])
    return bool((overlap > 0).all(axis=1).any())


def _area(boxes: Floats) -> Floats:
    sides: Floats = boxes[:, 2:] - boxes[:, :2]
    return sides[:, 0] * sides[:, 1]
