"""Small data sets written out, so that every number in the tests can be worked by hand."""

from pathlib import Path

import numpy as np

from focalcli.dataset.types import Boxes, Category, Dataset, Image
from focalcli.evaluation.columns import Predictions

# (image, class, x, y, width, height) with an optional flag
Row = tuple[float, ...]


def dataset(
    *rows: Row,
    images: int = 1,
    classes: tuple[str, ...] = ("cat", "dog"),
    flags: dict[int, int] | None = None,
    keys: list[str] | None = None,
    splits: list[str] | None = None,
) -> Dataset:
    """Build `images` photos of 100 x 100 with these objects, ordered by image; `flags` by row number."""
    table = np.array(sorted(rows, key=lambda row: row[0]), float).reshape(-1, 6)
    xyxy = table[:, 2:].copy()
    xyxy[:, 2:] += xyxy[:, :2]
    zeros = np.zeros(len(table), np.int64)
    marks = zeros.copy()
    for row, flag in (flags or {}).items():
        marks[row] = flag
    boxes = Boxes(xyxy, table[:, 0].astype(int), table[:, 1].astype(int), marks, table[:, 4] * table[:, 5], zeros - 1,
                  zeros, zeros)  # fmt: skip
    return Dataset(
        tuple(Category(name, 10 * index + 7) for index, name in enumerate(classes)),
        tuple(
            Image(keys[i] if keys else f"{i}.jpg", None, 100, 100, splits[i] if splits else None) for i in range(images)
        ),
        boxes,
        Path("."),
    )


def predictions(*rows: tuple[float, ...]) -> Predictions:
    """Build detections (image, class, x, y, width, height, score)."""
    table = np.array(rows, float).reshape(-1, 7)
    return Predictions(table[:, 2:6], table[:, 0].astype(int), table[:, 1].astype(int), table[:, 6])
