"""The data set in memory: categories, images, and boxes as parallel arrays.

860,000 boxes are a few tens of megabytes here. Boxes are float64 xyxy, continuous pixel edges, origin at the outer
corner of the first pixel, in the EXIF-upright frame of the photo.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import IntFlag
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]


SOURCE = "merged_from"
"""Key of `Image.extra`: the path of the data set a photo came from, where several were merged; COCO files keep it."""

Severity = Literal["error", "warning", "info"]


class Flag(IntFlag):
    """What an annotation says of an object beside its box."""

    CROWD = 1
    DIFFICULT = 2
    TRUNCATED = 4
    OCCLUDED = 8
    IGNORE = 16
    GROUP = 32
    DEPICTION = 64
    INSIDE = 128
    FROM_POLYGON = 256


@dataclass(frozen=True, slots=True)
class Category:
    """A class of objects; its position in `Dataset.categories` is its `class_index`, `source_id` the file's own id."""

    name: str
    source_id: int
    supercategory: str = ""


class Image(msgspec.Struct, frozen=True, gc=False):
    """A photo: `key` is its unique POSIX path relative to the data set, `path` the file, sizes are EXIF-upright pixels.

    `labelled` is False for a photo nobody has looked at (YOLO without a label file); an empty labelled one is a
    verified negative. `extra` holds what only the source's own format knows of the photo. A struct, not a dataclass:
    data sets have a hundred thousand of these, and making one costs less.
    """

    key: str
    path: Path | None
    width: int
    height: int
    split: str | None = None
    source_id: int | str | None = None
    labelled: bool = True
    extra: Mapping[str, object] | None = None

    def but(self, **changes: Any) -> "Image":
        """Give this photo with some fields changed."""
        return msgspec.structs.replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a reader or a check saw: a stable code (`E008`), where, and what in one clause.

    `count` says how often it was seen, `place` where first, `examples` some of the other places.
    """

    code: str
    place: str
    fact: str
    severity: Severity = "warning"
    count: int = 1
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Give the one line a user reads."""
        more = f" ({self.count} in all)" if self.count > 1 else ""
        return f"{self.code} {self.place}: {self.fact}{more}"


@dataclass(frozen=True, slots=True)
class Boxes:
    """n annotated boxes as columns, ordered by image, then as in the source.

    xyxy (n, 4) float64; image, category (n,) int64 positions in `Dataset.images` and `.categories`; flags (n,) of
    `Flag`; area (n,) float64, the source's own area or width x height; source_id (n,) int64, -1 where the source has
    none; origin_file (n,) positions in `Dataset.files` and origin_line (n,) 1-based lines or record numbers, 0 unknown.
    Columns few sources have are None where no box has a value: score (n,) float64, NaN where there is none;
    segmentation (n,) objects, None or the COCO `segmentation` of the object as JSON bytes;
    attributes (n,) objects, None or a dict.
    """

    xyxy: Floats
    image: Ints
    category: Ints
    flags: Ints
    area: Floats
    source_id: Ints
    origin_file: Ints
    origin_line: Ints
    score: Floats | None = None
    segmentation: Objects | None = None
    attributes: Objects | None = None

    def __post_init__(self) -> None:
        """Check that the columns are parallel."""
        n = len(self.xyxy)
        assert self.xyxy.shape == (n, 4), f"xyxy must be (n, 4), not {self.xyxy.shape}"
        for name, column in self._columns().items():
            assert column is None or column.shape == (n,), f"{name} must be ({n},), not {column.shape}"

    def __len__(self) -> int:
        """Give n."""
        return len(self.xyxy)

    def take(self, rows: Ints | npt.NDArray[np.bool_]) -> "Boxes":
        """Give the boxes at these positions, or where the mask is true, in that order."""
        columns: dict[str, Any] = {
            name: None if column is None else column[rows] for name, column in self._columns().items()
        }
        return replace(self, xyxy=self.xyxy[rows], **columns)

    def _columns(self) -> dict[str, npt.NDArray[Any] | None]:
        """Give every column but xyxy by its name."""
        return {column.name: getattr(self, column.name) for column in fields(self) if column.name != "xyxy"}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Annotated photos. Everything downstream reads this type; every format module makes or writes it."""

    categories: tuple[Category, ...]
    images: tuple[Image, ...]
    boxes: Boxes
    root: Path
    format: str = ""
    files: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    info: dict[str, object] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[str, ...]:
        """Give the names of the splits, in the order of the first image of each; images without one are left out."""
        return tuple(dict.fromkeys(image.split for image in self.images if image.split is not None))

    def row_bounds(self) -> Ints:
        """Give (images + 1,) offsets: the boxes of image i are rows `bounds[i]:bounds[i + 1]`."""
        return np.searchsorted(self.boxes.image, np.arange(len(self.images) + 1)).astype(np.int64)

    def take_images(self, positions: Ints) -> "Dataset":
        """Give a data set with only these images, in this order, and their boxes; categories stay."""
        bounds = self.row_bounds()
        rows = [np.arange(bounds[i], bounds[i + 1]) for i in positions]
        order = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        counts = np.array([len(r) for r in rows], dtype=np.int64)
        boxes = replace(self.boxes.take(order), image=np.repeat(np.arange(len(positions)), counts))
        return replace(self, images=tuple(self.images[i] for i in positions), boxes=boxes)


def no_boxes() -> Boxes:
    """Give columns of length zero."""
    ints = np.zeros(0, np.int64)
    return Boxes(np.zeros((0, 4)), ints, ints, ints, np.zeros(0), ints, ints, ints)
